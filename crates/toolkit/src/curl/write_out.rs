//! `curl -w`: facts about a transfer.

use crate::http::{
    sink::Output,
    transfer::{Outcome, Plan},
};
use anyhow::Context as _;
use std::{fs, io::Read as _};

/// The format itself, or what `@FILE` has.
pub(crate) fn read(format: &str) -> anyhow::Result<String> {
    match format.strip_prefix('@') {
        None => Ok(format.to_owned()),
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            Ok(text)
        }
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
            Ok(text.replace(['\r', '\n'], ""))
        }
    }
}

/// `%{NAME}`, `%%`, `\n`, `\r` and `\t` as what they stand for.
pub(crate) fn expand(format: &str, plan: &Plan, outcome: &Outcome, code: u8) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        let named = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        (text, rest) = match (letter, after.chars().next(), named) {
            ('%', _, Some((name, behind))) => (text + &value(name, plan, outcome, code), behind),
            ('%', Some('%'), _) => (text + "%", after.get(1..).unwrap_or_default()),
            ('\\', Some('n'), _) => (text + "\n", after.get(1..).unwrap_or_default()),
            ('\\', Some('r'), _) => (text + "\r", after.get(1..).unwrap_or_default()),
            ('\\', Some('t'), _) => (text + "\t", after.get(1..).unwrap_or_default()),
            (other, ..) => {
                text.push(other);
                (text, after)
            }
        };
    }
    text
}

fn value(name: &str, plan: &Plan, outcome: &Outcome, code: u8) -> String {
    let head = &outcome.head;
    let seconds = || format!("{:.6}", outcome.took.as_secs_f64());
    match name {
        "http_code" | "response_code" => format!("{:03}", head.status),
        "http_version" if head.status == 0 => "0".into(),
        "http_version" => format!("1.{}", head.version),
        "content_type" => head.get("content-type").unwrap_or_default().to_owned(),
        "size_download" => outcome.bytes.to_string(),
        "size_header" => outcome.head_bytes.to_string(),
        "speed_download" => {
            let rate = outcome.bytes as f64 / outcome.took.as_secs_f64().max(0.001);
            format!("{rate:.0}")
        }
        "time_total" => seconds(),
        "url" => plan.request.url.to_string(),
        "url_effective" => outcome.url.clone(),
        "num_redirects" => outcome.redirects.to_string(),
        "redirect_url" => outcome.redirect.clone().unwrap_or_default(),
        "method" => plan.request.method.clone(),
        "scheme" => outcome.url.split(':').next().unwrap_or_default().to_owned(),
        "remote_ip" => outcome.peer.map(|peer| peer.ip().to_string()).unwrap_or_default(),
        "remote_port" => outcome.peer.map_or(0, |peer| peer.port()).to_string(),
        "num_headers" => head.fields.len().to_string(),
        "exitcode" => code.to_string(),
        "filename_effective" => match &plan.output {
            Output::File(path) if outcome.written => path.display().to_string(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}
