//! Text from machines on an operator's terminal: whoever wrote it may be hostile.

use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};
use xenoboot_server::text::is_hostile;
pub(crate) use xenoboot_server::text::{ago, duration, shown, size};

/// The same in one cell of a table: without tabs.
pub(crate) fn cell(text: &str) -> String {
    shown(text).replace('\t', " ")
}

/// JSON that may be shown: what is hostile in its strings is escaped.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string(value)?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

/// This computer's clock, milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() -> anyhow::Result<()> {
        let bad = "a\u{1b}[2Jb\u{9b}31mc\rd\u{202e}e\u{7f}f\n\tg ä 語";
        assert_eq!(shown(bad), "a\\u{1b}[2Jb\\u{9b}31mc\\u{d}d\\u{202e}e\\u{7f}f\\u{a}\tg ä 語");
        let text = json(&bad)?;
        assert!(!text.chars().any(is_hostile), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text)?, bad);
        Ok(())
    }
}
