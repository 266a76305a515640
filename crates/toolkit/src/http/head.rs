//! The head of an answer (RFC 9112, sections 4 and 5).

use super::Error;
use std::io::BufRead;

/// Largest head, bytes.
const MAX: usize = 64 << 10;

/// Most fields.
const MAX_FIELDS: usize = 256;

/// Status line and fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// `HTTP/1.x`
    pub(crate) version: u8,
    /// The status.
    pub(crate) status: u16,
    /// The words behind it.
    pub(crate) reason: String,
    /// Names and values.
    pub(crate) fields: Vec<(String, String)>,
    /// As it came, the empty line at the end included.
    pub(crate) raw: Vec<u8>,
}

impl Head {
    /// Reads one.
    pub(crate) fn read(stream: &mut impl BufRead) -> Result<Self, Error> {
        let mut raw = Vec::new();
        loop {
            let begin = raw.len();
            line(stream, &mut raw)?;
            let last = raw.get(begin..).unwrap_or_default();
            // A server may send an empty line before the head (RFC 9112, section 2.2).
            match last {
                b"\r\n" | b"\n" if begin == 0 => raw.clear(),
                b"\r\n" | b"\n" => break,
                _ if begin == 0 && !b"HTTP/".iter().eq(last.iter().take(5)) => {
                    return Err(Error::NotHttp);
                }
                _ => {}
            }
        }
        Self::parse(raw)
    }

    fn parse(raw: Vec<u8>) -> Result<Self, Error> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut fields);
        match parsed.parse(&raw) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(Error::Weird("its head has no end")),
            Err(_) => return Err(Error::Weird("its head is no head")),
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields =
            parsed.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
        Ok(Self {
            version: parsed.version.unwrap_or(1),
            status: parsed.code.unwrap_or(0),
            reason: parsed.reason.unwrap_or_default().to_owned(),
            fields,
            raw: raw.clone(),
        })
    }

    /// The first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
        Some(field.1.trim())
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.fields.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim())
    }

    /// Whether the body is in chunks. Other codings are not asked for.
    pub(crate) fn is_chunked(&self) -> Result<bool, Error> {
        let codings: Vec<String> = self
            .values("transfer-encoding")
            .flat_map(|value| value.split(','))
            .map(|coding| coding.trim().to_ascii_lowercase())
            .filter(|coding| !coding.is_empty() && coding != "identity")
            .collect();
        match codings.as_slice() {
            [] => Ok(false),
            [one] if one == "chunked" => Ok(true),
            _ => Err(Error::Weird("a transfer coding that was not asked for")),
        }
    }

    /// The length of the body, if it says so.
    pub(crate) fn length(&self) -> Result<Option<u64>, Error> {
        let mut length = None;
        for value in self.values("content-length").flat_map(|value| value.split(',')) {
            let value = value.trim();
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            let number = value.parse::<u64>().ok().filter(|_| digits);
            let number = number.ok_or(Error::Weird("Invalid Content-Length: value"))?;
            if length.is_some_and(|before| before != number) {
                return Err(Error::Weird("two lengths"));
            }
            length = Some(number);
        }
        Ok(length)
    }

    /// Where a part begins and how long the whole is: `Content-Range: bytes FIRST-LAST/WHOLE`.
    pub(crate) fn range(&self) -> Option<(u64, Option<u64>)> {
        let (range, whole) = self.get("content-range")?.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let whole = match whole {
            "*" => None,
            whole => Some(whole.parse().ok().filter(|whole| last < *whole)?),
        };
        (first <= last).then_some((first, whole))
    }
}

/// Reads up to and with the end of a line.
fn line(stream: &mut impl BufRead, raw: &mut Vec<u8>) -> Result<(), Error> {
    loop {
        let bytes = stream.fill_buf().map_err(Error::of_read)?;
        if bytes.is_empty() {
            return Err(if raw.is_empty() {
                Error::Empty
            } else {
                Error::Weird("its head is cut")
            });
        }
        let end = bytes.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(bytes.len());
        if raw.len() + taken > MAX {
            return Err(Error::Weird("its head is too large"));
        }
        raw.extend(bytes.iter().take(taken));
        stream.consume(taken);
        // What is no HTTP may have no lines.
        if !raw.iter().zip(b"HTTP/").all(|(a, b)| a == b)
            && !matches!(raw.first(), Some(b'\r' | b'\n'))
        {
            return Err(Error::NotHttp);
        }
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Head, Error> {
        Head::read(&mut text.as_bytes())
    }

    #[test]
    fn a_head_is_read() {
        let head = read(
            "HTTP/1.1 206 Part\r\nContent-Length: 5\r\nContent-Range: bytes 5-9/10\r\n\r\nrest",
        )
        .unwrap();
        assert_eq!((head.status, head.reason.as_str(), head.version), (206, "Part", 1));
        assert_eq!(head.length().unwrap(), Some(5));
        assert_eq!(head.range(), Some((5, Some(10))));
        assert!(head.raw.ends_with(b"\r\n\r\n"));
    }

    #[test]
    fn strange_heads_are_refused() {
        assert!(matches!(read(""), Err(Error::Empty)));
        assert!(matches!(read("SSH-2.0-x"), Err(Error::NotHttp)));
        assert!(matches!(read("HTTP/1.1 200 OK\r\nA: b\r\n"), Err(Error::Weird(_))));
        assert!(matches!(
            read(&format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(MAX))),
            Err(Error::Weird(_))
        ));
        for fields in
            ["Content-Length: 1\r\nContent-Length: 2", "Content-Length: +1", "Content-Length: 1, 2"]
        {
            assert!(
                read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")).unwrap().length().is_err()
            );
        }
        assert!(
            read("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
                .unwrap()
                .is_chunked()
                .is_err()
        );
        let range = |text| {
            read(&format!("HTTP/1.1 206 OK\r\nContent-Range: {text}\r\n\r\n")).unwrap().range()
        };
        assert_eq!(range("bytes 9-5/10"), None);
        assert_eq!(range("bytes 0-10/10"), None);
        assert_eq!(range("bytes 0-10/*"), Some((0, None)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>, text in "HTTP/1.[01] [0-9]{1,4}( [a-z]*)?\r\n([a-zA-Z-]*:? ?[ -~]*\r?\n){0,4}\r\n") {
            let _ = Head::read(&mut bytes.as_slice());
            if let Ok(head) = read(&text) {
                let _ = (head.length(), head.is_chunked(), head.range());
                prop_assert!(head.status < 1000);
            }
        }
    }
}
