//! Addresses of the Web: `http` and `https` (RFC 3986, RFC 9110 section 4.2).

use std::fmt;

/// Longest address, bytes: what RFC 9110 section 4.1 advises is 8,000.
const MAX: usize = 8000;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Where its servers listen.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Neither of the two.
    #[error("Protocol \"{0}\" not supported")]
    Scheme(String),
    /// Malformed.
    #[error("URL rejected: {0}")]
    Malformed(&'static str),
}

/// A whole address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// How.
    pub(crate) scheme: Scheme,
    /// `USER:PASSWORD`, decoded.
    pub(crate) user: Option<String>,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// Path and query: what is asked for.
    pub(crate) target: String,
}

impl Url {
    /// Reads a text; `http` when it does not say how.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim_matches(' ');
        if text.len() > MAX {
            return Err(Error::Malformed("too long"));
        }
        // What would end the request line, or begin another header, is never sent.
        if text.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(Error::Malformed("Malformed input to a URL function"));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((name, rest)) if is_scheme(name) => match name.to_ascii_lowercase().as_str() {
                "http" => (Scheme::Http, rest),
                "https" => (Scheme::Https, rest),
                other => return Err(Error::Scheme(other.to_owned())),
            },
            _ => (Scheme::Http, text),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(decode(user)), place),
            None => (None, authority),
        };
        if user.as_ref().is_some_and(|user| user.chars().any(char::is_control)) {
            return Err(Error::Malformed("control characters in the user name"));
        }
        let (host, port) = split_port(place)?;
        let port = match port {
            None => scheme.port(),
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => {
                    return Err(Error::Malformed(
                        "Port number was not a decimal number between 0 and 65535",
                    ));
                }
            },
        };
        Ok(Self { scheme, user, host: host.to_ascii_lowercase(), port, target: target(path) })
    }

    /// Where a reference found here leads (RFC 3986, section 5.2).
    pub(crate) fn join(&self, reference: &str) -> Result<Self, Error> {
        let reference = reference.trim();
        let scheme = reference.split(['/', '?', '#']).next().and_then(|head| head.split_once(':'));
        if let Some((name, _)) = scheme.filter(|(name, _)| is_scheme(name)) {
            return match name.to_ascii_lowercase().as_str() {
                "http" | "https" => Self::parse(reference),
                other => Err(Error::Scheme(other.to_owned())),
            };
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme.name()));
        }
        let path = self.target.split('?').next().unwrap_or("/");
        let target = match reference.chars().next() {
            None | Some('#') => self.target.clone(),
            Some('/') => reference.to_owned(),
            Some('?') => format!("{path}{reference}"),
            Some(_) => {
                let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
                format!("{folder}{reference}")
            }
        };
        let mut url = self.clone();
        url.target = String::new();
        // Through the same gate as any other text.
        let joined = Self::parse(&format!("{}{target}", url.origin()))?;
        Ok(Self { user: self.user.clone(), ..joined })
    }

    /// `http://HOST[:PORT]`
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme.name(), self.authority())
    }

    /// `HOST[:PORT]`, the port only when it is not the usual one.
    pub(crate) fn authority(&self) -> String {
        let host = self.bracketed();
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }

    /// The host as it stands in an address. A link behind `%` is nobody else's business (RFC 6874).
    pub(crate) fn bracketed(&self) -> String {
        let host = self.host.split('%').next().unwrap_or(&self.host);
        if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
    }

    /// The last part of the path, decoded, for a file's name: never one with a slash, nor `.` or `..`.
    pub(crate) fn file_name(&self) -> Option<String> {
        let path = self.target.split('?').next().unwrap_or_default();
        let last = decode(path.rsplit('/').next().unwrap_or_default());
        let good = !matches!(last.as_str(), "" | "." | "..") && !last.contains(['/', '\0']);
        good.then_some(last)
    }

    /// The same with the query behind it, as `wget` calls files; `index.html` where there is none.
    pub(crate) fn file_name_with_query(&self) -> String {
        let name = self.file_name().unwrap_or_else(|| "index.html".into());
        match self.target.split_once('?') {
            None => name,
            Some((_, query)) => format!("{name}?{}", decode(query).replace(['/', '\0'], "%2F")),
        }
    }

    /// Whether another address is at the same server, so that what is secret may go there too.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.target)
    }
}

fn is_scheme(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Host and port of an authority.
pub(crate) fn split_port(place: &str) -> Result<(&str, Option<&str>), Error> {
    let (host, rest) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(Error::Malformed("Bad IPv6 address"))?;
            let address = host.split('%').next().unwrap_or(host);
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(Error::Malformed("Bad IPv6 address"));
            }
            (host, rest)
        }
        None => {
            let (host, rest) = place.split_at(place.find(':').unwrap_or(place.len()));
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if host.is_empty() {
                return Err(Error::Malformed("No host part in the URL"));
            }
            if host.len() > 255 || !host.bytes().all(good) {
                return Err(Error::Malformed("Bad hostname"));
            }
            (host, rest)
        }
    };
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Ok((host, None)),
        Some("") => Ok((host, None)),
        Some(port) => Ok((host, Some(port))),
        None => Err(Error::Malformed("Bad hostname")),
    }
}

/// Path and query without the fragment and without `.` and `..` (RFC 3986, section 5.2.4).
fn target(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(part) = rest.next() {
        let last = rest.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    parts.pop();
                }
                if last {
                    parts.push("");
                }
            }
            part => parts.push(part),
        }
    }
    let path = escape(&parts.join("/"));
    match query {
        Some(query) => format!("/{path}?{}", escape(query)),
        None => format!("/{path}"),
    }
}

/// Letters beyond ASCII as `%XX`.
fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

/// Everything but letters, digits, `-`, `.`, `_` and `~` as `%XX`.
pub(crate) fn encode(text: &[u8]) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.iter().fold(String::new(), |mut text, byte| {
        if keep(*byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

/// `%XX` as what it stands for.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = after.get(2..).unwrap_or(&[]);
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_found() {
        let url = Url::parse("https://a%40b:c@Example.org:8443/x/../y%20z?q=1#f").unwrap();
        assert_eq!(url.user.as_deref(), Some("a@b:c"));
        assert_eq!((url.host.as_str(), url.port), ("example.org", 8443));
        assert_eq!(url.target, "/y%20z?q=1");
        assert_eq!(url.file_name().as_deref(), Some("y z"));
        assert_eq!(url.to_string(), "https://example.org:8443/y%20z?q=1");
        let url = Url::parse("[::1]:81").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.target.as_str()), ("::1", 81, "/"));
        assert_eq!(url.authority(), "[::1]:81");
        let url = Url::parse("http://[fe80::1%eth0]/").unwrap();
        assert_eq!((url.host.as_str(), url.authority().as_str()), ("fe80::1%eth0", "[fe80::1]"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "http://", "http://a b/", "http://a\r\nX: y", "ftp://a/", "http://a:0/"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        for text in
            ["http://a:65536/", "http://[::1/", "http://[zz]/", "http://a:b/", "http://[::1]x/"]
        {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn references_are_followed() {
        // RFC 3986, section 5.4.
        let base = Url::parse("http://a/b/c/d;p?q").unwrap();
        for (reference, result) in [
            ("g", "http://a/b/c/g"),
            ("./g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y#s", "http://a/b/c/g?y"),
            ("..", "http://a/b/"),
            ("../../../g", "http://a/g"),
            ("https://h:443/x", "https://h/x"),
            ("", "http://a/b/c/d;p?q"),
        ] {
            assert_eq!(base.join(reference).unwrap().to_string(), result, "{reference}");
        }
        assert_eq!(base.join("file:///etc/passwd"), Err(Error::Scheme("file".into())));
    }

    #[test]
    fn a_file_never_leads_elsewhere() {
        for (path, name) in
            [("/a/..%2fb", None), ("/%2e%2e", None), ("/a/", None), ("/a/b", Some("b"))]
        {
            let url = Url::parse(&format!("http://h{path}")).unwrap();
            assert_eq!(url.file_name().as_deref(), name, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_can_be_read_again(text in "(https?://)?[a-z@:%\\[\\]/?#.~é]{0,40}") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert!(url.target.bytes().all(|b| b > b' ' && b < 0x7f));
                let again = Url::parse(&url.to_string()).unwrap();
                let host = url.host.split('%').next().unwrap_or_default().to_owned();
                prop_assert_eq!(Url { user: None, host, ..url }, again);
            }
        }

        #[test]
        fn any_reference_is_read(text in "\\PC{0,60}") {
            let _ = Url::parse("http://a/b").unwrap().join(&text);
        }
    }
}
