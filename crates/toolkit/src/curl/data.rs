//! `curl`'s data: what is sent in a request's body.

use crate::{
    applet::{Args, usage_error},
    http::url::encode,
};
use anyhow::Context as _;
use std::{fs, io::Read as _};

/// The data of a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Data {
    /// Joined with `&`.
    pub(crate) bytes: Option<Vec<u8>>,
    /// It is JSON.
    pub(crate) json: bool,
}

/// Joins what was given.
pub(crate) fn collect(args: &Args) -> anyhow::Result<Data> {
    let mut data = Data::default();
    for (name, value) in args.all() {
        let Some(text) = value.to_str() else {
            return usage_error("the data is not UTF-8; put it into a file");
        };
        let (part, between) = match name {
            "data" | "data-ascii" => (plain(text)?, &b"&"[..]),
            "data-binary" => (binary(text)?, &b"&"[..]),
            "data-raw" => (text.as_bytes().to_vec(), &b"&"[..]),
            "data-urlencode" => (encoded(text)?, &b"&"[..]),
            "json" => {
                data.json = true;
                (binary(text)?, &b""[..])
            }
            _ => continue,
        };
        match &mut data.bytes {
            Some(bytes) => {
                bytes.extend(between);
                bytes.extend(part);
            }
            None => data.bytes = Some(part),
        }
    }
    Ok(data)
}

fn file(path: &str) -> anyhow::Result<Vec<u8>> {
    if path == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    fs::read(path).with_context(|| format!("cannot read {path}"))
}

fn binary(text: &str) -> anyhow::Result<Vec<u8>> {
    text.strip_prefix('@').map_or_else(|| Ok(text.as_bytes().to_vec()), file)
}

fn plain(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = binary(text)?;
    if text.starts_with('@') {
        bytes.retain(|b| !matches!(b, b'\r' | b'\n' | 0));
    }
    Ok(bytes)
}

/// `TEXT`, `=TEXT`, `NAME=TEXT`, `@FILE` and `NAME@FILE`.
fn encoded(text: &str) -> anyhow::Result<Vec<u8>> {
    let Some(at) = text.find(['=', '@']) else { return Ok(encode(text.as_bytes()).into_bytes()) };
    let (name, rest) = text.split_at(at);
    let value = rest.get(1..).unwrap_or_default();
    let value = if rest.starts_with('@') { file(value)? } else { value.as_bytes().to_vec() };
    let value = encode(&value);
    Ok(if name.is_empty() { value } else { format!("{name}={value}") }.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded() {
        let of = |text| String::from_utf8(encoded(text).unwrap()).unwrap();
        assert_eq!([of("a b"), of("=a&b"), of("n=a=b")], ["a%20b", "a%26b", "n=a%3Db"]);
    }
}
