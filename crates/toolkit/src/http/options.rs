//! What the options of `fetch`, `curl` and `wget` mean alike.

use super::{
    exchange::{Path, Request},
    proxy::Proxies,
    sink::Output,
    stream::Patience,
    tls::{Pin, Roots, Trust, parse_pins},
    transfer::{Plan, Resume, Retry},
    url::Url,
};
use crate::{
    applet::{Args, usage_error},
    resolver::Family,
};
use std::{ffi::OsStr, path::PathBuf, time::Duration};

/// What servers are told that we are.
pub(crate) const AGENT: &str = concat!("Xenoboot/", env!("CARGO_PKG_VERSION"));

/// A plan with nothing special in it: one attempt, to standard output.
pub(crate) fn plan(url: Url, args: &Args) -> anyhow::Result<Plan> {
    let request = Request { method: "GET".into(), url, fields: Vec::new(), payload: None };
    let path = Path {
        trust: trust(args)?,
        proxies: Proxies::of_environment(),
        proxy_user: None,
        family: family(args)?,
        fixed: Vec::new(),
        patience: Patience { connect: Duration::from_secs(300), stall: None, deadline: None },
    };
    Ok(Plan {
        request,
        path,
        redirects: None,
        keep_method: false,
        no_downgrade: false,
        output: Output::Stdout,
        resume: Resume::Not,
        restart: true,
        refuse: false,
        keep_refused: false,
        heads: false,
        dump: None,
        show: None,
        retry: Retry::default(),
        max_time: None,
        digest: digest(args)?,
        max_size: None,
        unpack: false,
        progress: false,
        again: None,
    })
}

/// `--ipv4` and `--ipv6`.
pub(crate) fn family(args: &Args) -> anyhow::Result<Family> {
    match (args.has("ipv4"), args.has("ipv6")) {
        (false, false) => Ok(Family::Any),
        (true, false) => Ok(Family::V4),
        (false, true) => Ok(Family::V6),
        (true, true) => usage_error("IPv4 or IPv6, not both"),
    }
}

/// `--pinnedpubkey`, `--cacert` or `--ca-certificate`, `--insecure` or `--no-check-certificate`.
fn trust(args: &Args) -> anyhow::Result<Trust> {
    let file = args.value("cacert").or_else(|| args.value("ca-certificate"));
    let roots = if args.has("insecure") || args.has("no-check-certificate") {
        Roots::None
    } else {
        file.map_or(Roots::Public, |path| Roots::File(PathBuf::from(path)))
    };
    Ok(Trust { roots, pins: pins(args)? })
}

fn pins(args: &Args) -> anyhow::Result<Vec<Pin>> {
    match args.text("pinnedpubkey")?.map(parse_pins) {
        None => Ok(Vec::new()),
        Some(Some(pins)) => Ok(pins),
        Some(None) => {
            usage_error("a pin is sha256// and 44 letters of base64; ';' is between several")
        }
    }
}

/// `--sha256`: 64 hexadecimal digits.
fn digest(args: &Args) -> anyhow::Result<Option<[u8; 32]>> {
    let Some(text) = args.text("sha256")? else { return Ok(None) };
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.unwrap_or_default();
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    match (digits.len(), bytes.try_into()) {
        (64, Ok(digest)) => Ok(Some(digest)),
        _ => usage_error("a SHA-256 has 64 hexadecimal digits"),
    }
}

/// An option's value in seconds, with a fraction.
pub(crate) fn seconds(args: &Args, name: &str) -> anyhow::Result<Option<Duration>> {
    let Some(text) = args.text(name)? else { return Ok(None) };
    let given = text.parse::<f64>().ok().filter(|seconds| (0.0..1e9).contains(seconds));
    match given.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(time) => Ok(Some(time)),
        None => usage_error(format!("the value of --{name} is no number of seconds")),
    }
}

/// The same; zero is no limit.
pub(crate) fn limit(args: &Args, name: &str) -> anyhow::Result<Option<Duration>> {
    Ok(seconds(args, name)?.filter(|time| !time.is_zero()))
}

/// `NAME: VALUE`; with nothing behind the colon the field is taken away, with `NAME;` it is empty.
pub(crate) fn field(text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = match (text.split_once(':'), text.strip_suffix(';')) {
        (Some((name, value)), _) => (name, value.trim().to_owned()),
        // One blank, so that it is not taken away.
        (None, Some(name)) => (name, " ".to_owned()),
        (None, None) => return usage_error(format!("{text:?} is not NAME: VALUE")),
    };
    // RFC 9110, section 5.6.2.
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) || value.chars().any(char::is_control) {
        return usage_error(format!("{text:?} is not NAME: VALUE"));
    }
    Ok((name.to_owned(), value))
}

/// Adds a field unless it was given.
pub(crate) fn default_field(fields: &mut Vec<(String, String)>, name: &str, value: &str) {
    if !fields.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
        fields.push((name.to_owned(), value.to_owned()));
    }
}

/// A method (RFC 9110, section 9.1).
pub(crate) fn method(text: &str) -> anyhow::Result<String> {
    if text.is_empty()
        || text.len() > 32
        || !text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
    {
        return usage_error(format!("{text:?} is no method"));
    }
    Ok(text.to_owned())
}

/// A text without what would end the line that it stands in.
pub(crate) fn plain(text: &str) -> anyhow::Result<&str> {
    if text.chars().any(char::is_control) {
        return usage_error("control characters in the value of an option");
    }
    Ok(text)
}

/// `-` is standard output.
pub(crate) fn output(name: &OsStr) -> Output {
    if name == "-" { Output::Stdout } else { Output::File(PathBuf::from(name)) }
}

/// Prints the head of a request or an answer, each line behind a mark; what is secret is left out.
pub(crate) fn print_head(mark: &str, head: &str) {
    for line in head.trim_end().lines() {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let secret = matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie");
        if secret {
            eprintln!("{mark}{name}: ...");
        } else {
            eprintln!("{mark}{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_strict() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(field("X-A:  b c ").unwrap(), pair("X-A", "b c"));
        assert_eq!(field("Accept:").unwrap(), pair("Accept", ""));
        assert_eq!(field("Accept;").unwrap(), pair("Accept", " "));
        for wrong in ["", "x", ": y", "A B: c", "A: b\r\nC: d"] {
            assert!(field(wrong).is_err(), "{wrong:?}");
        }
        assert!(method("GET /").is_err());
    }
}
