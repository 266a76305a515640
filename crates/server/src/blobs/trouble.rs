//! What is wrong with the storage, in words.

use std::error::Error;

/// The storage did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[error("{place}: cannot {wish}: {reason}")]
pub(crate) struct Trouble {
    place: String,
    wish: &'static str,
    reason: String,
}

impl Trouble {
    pub(super) fn new(place: &str, wish: &'static str, error: &(dyn Error + 'static)) -> Self {
        Self { place: place.to_owned(), wish, reason: reason(error) }
    }
}

/// Longest quotation of what the storage said, bytes.
const MAX_QUOTE: usize = 300;

/// Why: the storage's own code and words where it says some, with what they mean for whoever runs the server; else the cause of
/// all others.
fn reason(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    if let Some(code) = element(&text, "Code") {
        let said = element(&text, "Message").unwrap_or_default();
        let mut reason = format!("{}: {}", quote(code), quote(said));
        if let Some(meaning) = meaning(code) {
            reason.push_str("; ");
            reason.push_str(meaning);
        }
        return reason;
    }
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    let reason = quote(&last.to_string());
    let meaning = if reason.contains("403 Forbidden") {
        // A question about one object is refused without words.
        meaning("AccessDenied")
    } else if reason.contains("UnknownIssuer") {
        Some("when no public authority has signed it, name its key as pin in blobs.toml")
    } else {
        None
    };
    meaning.map_or(reason.clone(), |meaning| format!("{reason}; {meaning}"))
}

fn meaning(code: &str) -> Option<&'static str> {
    Some(match code {
        "NoSuchBucket" => "make the bucket first: the server makes none",
        "InvalidAccessKeyId" => "the storage does not know access_key",
        "SignatureDoesNotMatch" => "secret_key is not that of access_key, or region is wrong",
        "AccessDenied" => {
            "the access key needs s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket and s3:AbortMultipartUpload"
        }
        "RequestTimeTooSkewed" => "the clock of this computer is wrong",
        "ExpiredToken" | "InvalidToken" => "get new credentials",
        "AuthorizationHeaderMalformed" | "PermanentRedirect" => "region is not that of the bucket",
        _ => return None,
    })
}

/// What stands in the first XML element of a name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0)
}

/// A stranger's words on one line.
fn quote(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = (0..=MAX_QUOTE.min(line.len())).rev().find(|end| line.is_char_boundary(*end));
    line.get(..end.unwrap_or_default()).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn of(text: &str) -> String {
        reason(&io::Error::other(text.to_owned()))
    }

    #[test]
    fn the_storage_s_words_and_what_they_mean() {
        let text = "Error performing PUT http://s/b/x in 3ms - 403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code>\
            <Message>The request\nsignature</Message><StringToSign>AWS4</StringToSign></Error>";
        let expected = "SignatureDoesNotMatch: The request signature; secret_key is not";
        assert!(of(text).starts_with(expected), "{}", of(text));
        assert!(!of(text).contains("AWS4"));
        for (code, meaning) in [
            ("NoSuchBucket", "make the bucket"),
            ("RequestTimeTooSkewed", "clock"),
            ("AccessDenied", "s3:PutObject"),
            ("PermanentRedirect", "region"),
        ] {
            let text = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
            assert!(of(&text).contains(meaning), "{code}");
        }
        assert_eq!(of("<Code>Odd</Code><Message>m</Message>"), "Odd: m");
        assert!(
            of("Server returned non-2xx status code: 403 Forbidden: ").contains("s3:ListBucket")
        );
    }

    #[test]
    fn the_first_cause_and_not_too_much_of_it() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(reason(&io::Error::other(refused)), "connection refused");
        assert_eq!(of(&"x".repeat(9_000)).len(), MAX_QUOTE);
        assert_eq!(of(&"ä".repeat(9_000)).len(), MAX_QUOTE);
        assert_eq!(of("<Code>unclosed"), "<Code>unclosed");
    }
}
