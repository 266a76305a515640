//! What `host` and `nslookup` have in common: questions, and records as text.

use crate::{
    applet::{Args, usage_error},
    resolver::{self, Error, Family, Resolver},
};
use anyhow::bail;
use hickory_proto::{
    op::ResponseCode,
    rr::{Name, RData, RecordType},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// The name under which an address' names are.
pub(crate) fn reverse_name(word: &str) -> Option<Name> {
    Some(Name::from(word.parse::<IpAddr>().ok()?))
}

/// A type as a word; `None` when there is no such type.
pub(crate) fn record_type(word: &str) -> Option<RecordType> {
    word.to_ascii_uppercase().parse().ok()
}

/// A name without the dot at its end.
pub(crate) fn bare(name: &Name) -> String {
    let text = safe(&name.to_ascii());
    if text == "." { text } else { text.trim_end_matches('.').to_owned() }
}

/// Text from the network, for a terminal.
pub(crate) fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A record's data as in a zone's file.
pub(crate) fn data(record: &RData) -> String {
    match record {
        RData::TXT(text) => {
            let parts = text.txt_data.iter().map(|part| {
                let letters = part.iter().map(|b| match b {
                    b'"' | b'\\' => format!("\\{}", char::from(*b)),
                    b' '..=b'~' => char::from(*b).to_string(),
                    other => format!("\\{other:03}"),
                });
                format!("\"{}\"", letters.collect::<String>())
            });
            parts.collect::<Vec<_>>().join(" ")
        }
        other => safe(&other.to_string()),
    }
}

/// Sets how servers are asked: `--timeout`, `--retry`, and who.
pub(crate) fn configure(resolver: &mut Resolver, args: &Args) -> anyhow::Result<()> {
    match args.number::<u64>("timeout")? {
        Some(0) => return usage_error("the value of --timeout is 0"),
        Some(seconds) => resolver.timeout = Duration::from_secs(seconds.min(3600)),
        None => {}
    }
    if let Some(retries) = args.number::<u32>("retry")? {
        resolver.attempts = retries.saturating_add(1).min(100);
    }
    Ok(())
}

/// A server that is named on the command line.
pub(crate) fn server(word: &str, port: u16) -> anyhow::Result<SocketAddr> {
    match resolver::lookup(word, port, Family::Any, None) {
        Ok(mut found) => {
            // As the originals: IPv4 first.
            found.sort_by_key(SocketAddr::is_ipv6);
            match found.first() {
                Some(address) => Ok(*address),
                None => bail!("couldn't get address for '{word}': not found"),
            }
        }
        Err(_) => bail!("couldn't get address for '{word}': not found"),
    }
}

/// The status of an answer as it is printed: number and name.
pub(crate) fn status(code: ResponseCode) -> (u16, String) {
    let number = u16::from(code);
    let name = match number {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        other => return (other, format!("RESERVED{other}")),
    };
    (number, name.to_owned())
}

/// Says that no server answered.
pub(crate) fn complain(resolver: &Resolver, error: &Error) {
    for server in &resolver.servers {
        let place = format!("{}#{}", server.ip(), server.port());
        let what = match error {
            Error::Io(error) => crate::applet::reason(error).to_ascii_lowercase(),
            Error::BadName => "not a name".into(),
            _ => "timed out".into(),
        };
        println!(";; communications error to {place}: {what}");
    }
    println!(";; no servers could be reached");
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::rdata::TXT;

    #[test]
    fn text_is_quoted() {
        let text = TXT::from_bytes(vec![b"a\"b\\", b"\x1b[m\xff"]);
        assert_eq!(data(&RData::TXT(text)), "\"a\\\"b\\\\\" \"\\027[m\\255\"");
        assert_eq!(safe("a\x1b[m"), "a?[m");
    }

    #[test]
    fn types_and_reverse_names_are_read() {
        assert_eq!(record_type("mx"), Some(RecordType::MX));
        assert_eq!(record_type("zzz"), None);
        assert_eq!(bare(&reverse_name("192.0.2.8").unwrap()), "8.2.0.192.in-addr.arpa");
        assert!(bare(&reverse_name("2001:db8::1").unwrap()).ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"));
    }
}
