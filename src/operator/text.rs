//! Text from machines on an operator's terminal: whoever wrote it may be hostile.

use std::{
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Whether a terminal may do something else with a character than show it.
fn is_hostile(c: char) -> bool {
    // Control characters of both sets; separators of lines; marks that turn the direction of writing; what is invisible.
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text as it may be shown: what is hostile is written as in Rust, `\u{1b}`. Tabs stay.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\t' && is_hostile(c) {
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

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

/// How long ago something was.
pub(crate) fn ago(at_ms: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = Duration::from_millis(at_ms.unsigned_abs());
    let seconds = now.saturating_sub(at).as_secs();
    match seconds {
        0..=1 => "now".to_owned(),
        2..=119 => format!("{seconds} s ago"),
        120..=7199 => format!("{} min ago", seconds / 60),
        7200..=172_799 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A duration of so many milliseconds.
pub(crate) fn duration(ms: i64) -> String {
    match ms {
        ..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
        _ => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

/// A size in bytes.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{}.{} GiB", bytes >> 30, (bytes % (1 << 30)) * 10 / (1 << 30)),
    }
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

    #[test]
    fn durations() {
        let shown: Vec<String> =
            [0, 999, 1000, 61_500, 7_260_000].into_iter().map(duration).collect();
        assert_eq!(shown, ["0 ms", "999 ms", "1.00 s", "1 min 1 s", "2 h 1 min"]);
    }
}
