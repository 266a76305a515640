//! The names and times in the headers of patches.

use jiff::{Timestamp, civil::DateTime, fmt::strtime::BrokenDownTime, tz::TimeZone};

/// What a line such as `--- a/f<TAB>2026-01-31 12:00:00` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// The name without the parts that were to be left out; nothing if it has too few, or is `/dev/null`.
    pub(crate) name: Option<Vec<u8>>,
    /// What is behind the name, as it stands there.
    pub(crate) tail: Vec<u8>,
    pub(crate) time: Option<Timestamp>,
    /// The name is `/dev/null`, or the time is the beginning of 1970 in some zone.
    pub(crate) nothing: bool,
}

/// Reads what is behind `---`, `+++`, `***` or `Index:`. Times without a zone are of `zone`.
pub(crate) fn named(text: &[u8], strip: Option<usize>, zone: &TimeZone) -> Named {
    let text = text.trim_ascii_start();
    let (name, tail) = if text.starts_with(b"\"") {
        match unquoted(text) {
            Some(found) => found,
            None => return Named::default(),
        }
    } else {
        let end = plain_end(text);
        (text.get(..end).unwrap_or_default().to_vec(), text.get(end..).unwrap_or_default())
    };
    if name == b"/dev/null" {
        return Named { nothing: true, ..Named::default() };
    }
    let Some(name) = stripped(&name, strip) else { return Named::default() };
    let time = time(tail, zone);
    // Which zone it was is not known: the beginning of 1970 in any.
    let epoch = |time: Timestamp| (-25 * 3600 + 1..26 * 3600).contains(&time.as_second());
    let end = tail.strip_suffix(b"\n").unwrap_or(tail);
    let end = end.strip_suffix(b"\r").unwrap_or(end);
    Named { name: Some(name), tail: end.to_vec(), time, nothing: time.is_some_and(epoch) }
}

/// Both names of `diff --git a/f b/f`.
pub(crate) fn git_names(text: &[u8], strip: Option<usize>) -> Option<(Vec<u8>, Vec<u8>)> {
    let one = |text: &[u8]| {
        let text = text.trim_ascii_start();
        if text.starts_with(b"\"") {
            return unquoted(text).map(|(name, rest)| (name, rest.to_vec()));
        }
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        Some((name.to_vec(), rest.to_vec()))
    };
    let (old, rest) = one(text)?;
    let (new, rest) = one(&rest)?;
    let names = (stripped(&old, strip)?, stripped(&new, strip)?);
    rest.trim_ascii().is_empty().then_some(names)
}

/// Where a name without quotes ends: at a blank, but for blanks before the tab that ends it.
fn plain_end(text: &[u8]) -> usize {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    let blank = |byte: &u8| byte.is_ascii_whitespace();
    let end = line.iter().position(|byte| *byte == b'\t').or(line.iter().position(blank));
    let name = line.get(..end.unwrap_or(line.len())).unwrap_or_default();
    name.trim_ascii_end().len()
}

/// A name without its first parts, or without all but the last. Slashes in a row count as one.
fn stripped(name: &[u8], strip: Option<usize>) -> Option<Vec<u8>> {
    let mut starts = vec![0];
    for (at, pair) in name.windows(2).enumerate() {
        if matches!(pair, [b'/', next] if *next != b'/') {
            starts.push(at + 1);
        }
    }
    let start = match strip {
        None => *starts.last()?,
        Some(count) => *starts.get(count)?,
    };
    name.get(start..).filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec)
}

/// A name in quotes with C's escapes, and what is behind it; nothing if there is no second quote, or an escape that
/// C does not know.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = Vec::new();
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((out, rest)),
            b'\n' => return None,
            b'\\' => {
                let (escape, after) = rest.split_first()?;
                rest = after;
                out.push(match escape {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    b'"' | b'\\' => *escape,
                    b'0'..=b'3' => {
                        let (digits, after) = rest.split_at_checked(2)?;
                        rest = after;
                        let digits = str::from_utf8(digits).ok()?;
                        (escape - b'0') << 6 | u8::from_str_radix(digits, 8).ok()?
                    }
                    _ => return None,
                });
            }
            byte => out.push(*byte),
        }
    }
}

/// The time behind a name, as diff writes it in its forms.
fn time(tail: &[u8], zone: &TimeZone) -> Option<Timestamp> {
    let text = str::from_utf8(tail).ok()?.trim();
    let with_zone = ["%Y-%m-%d %H:%M:%S%.f %z", "%a %b %d %H:%M:%S %Y %z"];
    let without = ["%Y-%m-%d %H:%M:%S%.f", "%a %b %d %H:%M:%S %Y"];
    let text = text
        .strip_suffix(" UTC")
        .or(text.strip_suffix(" GMT"))
        .map_or_else(|| text.to_owned(), |text| format!("{text} +0000"));
    let zoned = with_zone.iter().find_map(|form| {
        BrokenDownTime::parse(form, &text).and_then(|time| time.to_timestamp()).ok()
    });
    zoned.or_else(|| {
        let civil = without.iter().find_map(|form| DateTime::strptime(form, &text).ok())?;
        zone.to_timestamp(civil).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        let found = named(text.as_bytes(), Some(0), &TimeZone::UTC);
        found.name.map(|name| String::from_utf8(name).unwrap())
    }

    #[test]
    fn names_are_read() {
        assert_eq!(name("a/f\t2026-01-01 00:00:00\n"), Some("a/f".into()));
        assert_eq!(name("a b \t2026\n"), Some("a b".into()));
        assert_eq!(name("a b\t\n"), Some("a b".into()));
        assert_eq!(name("a b\n"), Some("a".into()));
        assert_eq!(name("\"a/caf\\303\\251 \\\"x\\\"\\t\"\t2026\n"), Some("a/café \"x\"\t".into()));
        assert_eq!(name("\"open\n"), None);
        assert_eq!(name("\"\\999\"\n"), None);
        assert_eq!(stripped(b"a//b/c", Some(1)), Some(b"b/c".to_vec()));
        assert_eq!(stripped(b"/a", Some(1)), Some(b"a".to_vec()));
        assert_eq!(stripped(b"a/", Some(1)), None);
        assert_eq!(git_names(b"a/f \"b/\\tf\"\n", Some(1)), Some((b"f".to_vec(), b"\tf".to_vec())));
    }

    #[test]
    fn times_are_read() {
        let seconds = |text: &str| time(text.as_bytes(), &TimeZone::UTC).map(Timestamp::as_second);
        assert_eq!(seconds("\t2009-03-13 00:00:00"), Some(1_236_902_400));
        assert_eq!(seconds("\t2009-03-13 00:00:00.5 +0100\n"), Some(1_236_898_800));
        assert_eq!(seconds("\tFri Mar 13 00:00:00 2009\r\n"), Some(1_236_902_400));
        assert_eq!(seconds("\t2009"), None);
        let none = named(b"f\t1970-01-01 10:00:00 +1000\n", None, &TimeZone::UTC);
        assert!(none.nothing);
    }
}
