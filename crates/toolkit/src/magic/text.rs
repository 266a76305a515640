//! Text: its encoding, its ends of lines, and the program that runs it.

use super::{Kind, printable};

/// Longer lines are remarked on.
const LONG: usize = 300;

pub(super) fn identify(head: &[u8]) -> Option<Kind> {
    if head.len() == 1 {
        return None;
    }
    let (encoding, charset, units) = encoding(head)?;
    let remarks = remarks(&units);
    if let Some((script, mime)) = script(head) {
        return Some(Kind {
            text: format!("{script}, {encoding} text executable{remarks}"),
            mime,
            charset,
        });
    }
    Some(Kind { text: format!("{encoding} text{remarks}"), mime: "text/plain", charset })
}

/// The name of the character set, if it is text.
pub(super) fn charset(head: &[u8]) -> Option<&'static str> {
    encoding(head).map(|(_, charset, _)| charset)
}

/// Bytes that text may have.
fn is_ascii_text(byte: u32) -> bool {
    matches!(byte, 7..=13 | 27 | 32..=126)
}

/// What it is called, the name of the character set, and the characters.
fn encoding(head: &[u8]) -> Option<(&'static str, &'static str, Vec<u32>)> {
    let wide = |swap: bool| -> Option<Vec<u32>> {
        let pairs = head.get(2..)?.chunks_exact(2);
        let units = pairs.map(|pair| {
            let unit = u16::from_le_bytes(pair.try_into().unwrap_or_default());
            u32::from(if swap { unit.swap_bytes() } else { unit })
        });
        let units: Vec<u32> = units.collect();
        units.iter().all(|unit| *unit > 127 || is_ascii_text(*unit)).then_some(units)
    };
    if head.starts_with(b"\xff\xfe") {
        return Some(("Unicode text, UTF-16, little-endian", "utf-16le", wide(false)?));
    }
    if head.starts_with(b"\xfe\xff") {
        return Some(("Unicode text, UTF-16, big-endian", "utf-16be", wide(true)?));
    }
    let bytes: Vec<u32> = head.iter().copied().map(u32::from).collect();
    if !bytes.iter().all(|byte| *byte > 127 || is_ascii_text(*byte)) {
        return None;
    }
    if head.is_ascii() {
        return Some(("ASCII", "us-ascii", bytes));
    }
    let begun = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // The last character is cut where the reading ended.
        Err(error) if error.error_len().is_none() => {
            head.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok())
        }
        Err(_) => None,
    };
    if let Some(text) = begun.filter(|text| !text.is_empty()) {
        let units = text.trim_start_matches('\u{feff}').chars().map(u32::from).collect();
        let with_mark = text.starts_with('\u{feff}');
        let name = if with_mark { "Unicode text, UTF-8 (with BOM)" } else { "Unicode text, UTF-8" };
        return Some((name, "utf-8", units));
    }
    if bytes.iter().any(|byte| (0x80..0xa0).contains(byte) && *byte != 0x85) {
        return Some(("Non-ISO extended-ASCII", "unknown-8bit", bytes));
    }
    Some(("ISO-8859", "iso-8859-1", bytes))
}

fn remarks(units: &[u32]) -> String {
    let (mut crlf, mut cr, mut lf, mut escapes, mut overstrikes) = (0, 0, 0, false, false);
    let (mut column, mut longest) = (0, 0);
    let mut units = units.iter().copied().peekable();
    while let Some(unit) = units.next() {
        match unit {
            13 if units.next_if_eq(&10).is_some() => crlf += 1,
            13 => cr += 1,
            10 => lf += 1,
            27 => escapes = true,
            8 => overstrikes = true,
            _ => {}
        }
        column = if matches!(unit, 10 | 13) { 0 } else { column + 1 };
        longest = longest.max(column);
    }
    let mut text = String::new();
    if longest > LONG {
        text.push_str(&format!(", with very long lines ({longest})"));
    }
    let ends = [(crlf, "CRLF"), (cr, "CR"), (lf, "LF")];
    let ends: Vec<&str> =
        ends.into_iter().filter(|(count, _)| *count > 0).map(|(_, n)| n).collect();
    match ends.as_slice() {
        [] => text.push_str(", with no line terminators"),
        ["LF"] => {}
        several => text.push_str(&format!(", with {} line terminators", several.join(", "))),
    }
    if escapes {
        text.push_str(", with escape sequences");
    }
    if overstrikes {
        text.push_str(", with overstriking");
    }
    text
}

/// What the first line runs.
fn script(head: &[u8]) -> Option<(String, &'static str)> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = printable(line.get(..line.len().min(120))?.trim_ascii());
    let mut words = line.split_whitespace();
    let path = words.next()?;
    let mut program = path.rsplit('/').next()?;
    if program == "env" {
        program = words.find(|word| !word.starts_with('-'))?;
    }
    let plain = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    Some(match plain {
        "sh" | "dash" => ("POSIX shell script".into(), "text/x-shellscript"),
        "bash" => ("Bourne-Again shell script".into(), "text/x-shellscript"),
        "ksh" => ("Korn shell script".into(), "text/x-shellscript"),
        "zsh" => ("Paul Falstad's zsh script".into(), "text/x-shellscript"),
        "python" => ("Python script".into(), "text/x-script.python"),
        "perl" => ("Perl script".into(), "text/x-perl"),
        "awk" | "gawk" | "mawk" => (format!("{plain} script"), "text/x-awk"),
        _ => (format!("a {line} script"), "text/plain"),
    })
}
