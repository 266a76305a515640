//! What is said on standard error.

use crate::applet::reason;
use std::io::{self, IsTerminal as _};

pub(crate) fn say(text: &str) {
    eprintln!("find: {text}");
}

/// A file that something could not be done with.
pub(crate) fn failed(path: &[u8], error: io::Error) {
    failed_to("", path, &error);
}

/// The same with what was tried.
pub(crate) fn failed_to(what: &str, path: &[u8], error: &io::Error) {
    say(&format!("{what}{}: {}", quoted(path), reason(error)));
}

/// A name in quotation marks, what cannot be printed as in C.
pub(crate) fn quoted(name: &[u8]) -> String {
    let mut text = String::from("'");
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\'' => text.push_str("\\'"),
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => text.push_str(&format!("\\{:03o}", u32::from(c))),
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\{byte:03o}")));
    }
    text + "'"
}

/// A name for a person: on a terminal, which would obey them, what cannot be printed is `?`.
pub(crate) fn for_terminal(name: &[u8], terminal: bool) -> Vec<u8> {
    if !terminal {
        return name.to_vec();
    }
    let mut shown = String::new();
    for chunk in name.utf8_chunks() {
        shown.extend(chunk.valid().chars().map(|c| if c.is_control() { '?' } else { c }));
        shown.extend(chunk.invalid().iter().map(|_| '?'));
    }
    shown.into_bytes()
}

pub(crate) fn on_terminal() -> bool {
    io::stdout().is_terminal()
}
