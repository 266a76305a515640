//! Numbers of bytes as util-linux prints and reads them.

/// How a size is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `34.9M`
    Short,
    /// `34.98 MiB`
    Long,
}

/// A size for people, in powers of 1024, rounded half up.
pub(crate) fn human(bytes: u64, style: Style) -> String {
    const LETTERS: [&str; 7] = ["B", "K", "M", "G", "T", "P", "E"];
    let power = (63 - (bytes | 1).leading_zeros()) / 10;
    let unit = 1_u64 << (10 * power);
    let (mut whole, rest) = (bytes / unit, bytes % unit);
    let thousandths = u64::try_from(u128::from(rest) * 1000 / u128::from(unit)).unwrap_or(0);
    let mut hundredths = match style {
        Style::Short => (thousandths + 50) / 100 * 10,
        Style::Long => (thousandths + 5) / 10,
    };
    if hundredths == 100 {
        (whole, hundredths) = (whole + 1, 0);
    }
    let mut text = whole.to_string();
    if hundredths != 0 {
        text.push_str(format!(".{hundredths:02}").trim_end_matches('0'));
    }
    let letter = LETTERS.get(power as usize).copied().unwrap_or("E");
    match (style, letter) {
        (Style::Short, _) => text + letter,
        (Style::Long, "B") => format!("{text} B"),
        (Style::Long, _) => format!("{text} {letter}iB"),
    }
}

/// A size as a person writes it: `512`, `4K`, `10MiB`, `1GB` (powers of 1000), `0x200`, and with a
/// fraction `1.5G`. `None` when it is none or too large.
pub(crate) fn parse(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let unit = unit_of(unit)?;
    let whole: u64 = whole.parse().ok()?;
    let mut bytes = u128::from(whole) * u128::from(unit);
    if !fraction.is_empty() {
        let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        bytes += fraction.parse::<u128>().ok()?.checked_mul(unit.into())? / scale;
    }
    bytes.try_into().ok()
}

fn unit_of(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (letter, base) = match lower.strip_suffix("ib") {
        Some(letter) => (letter, 1024_u64),
        None => match lower.strip_suffix('b') {
            Some(letter) if !letter.is_empty() => (letter, 1000),
            Some(_) => return Some(1),
            None => (lower.as_str(), 1024),
        },
    };
    let power = match letter {
        "" if base == 1024 && lower.is_empty() => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        "e" => 6,
        _ => return None,
    };
    base.checked_pow(power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, short, long) in [
            (0, "0B", "0 B"),
            (1023, "1023B", "1023 B"),
            (1024, "1K", "1 KiB"),
            (36_683_264, "35M", "34.98 MiB"),
            (1536, "1.5K", "1.5 KiB"),
            (u64::MAX, "16E", "16 EiB"),
        ] {
            assert_eq!(human(bytes, Style::Short), short);
            assert_eq!(human(bytes, Style::Long), long);
        }
    }

    #[test]
    fn sizes_from_people() {
        for (text, bytes) in [
            ("512", Some(512)),
            ("4K", Some(4096)),
            ("4kB", Some(4000)),
            ("10MiB", Some(10 << 20)),
            ("1.5G", Some(3 << 29)),
            ("0x200", Some(512)),
            ("", None),
            ("x", None),
            ("4Q", None),
            ("99999999999E", None),
        ] {
            assert_eq!(parse(text), bytes, "{text}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_parsed_or_refused(text in ".{0,30}", bytes: u64) {
            let _ = parse(&text);
            prop_assert!(parse(&bytes.to_string()) == Some(bytes));
            prop_assert!(!human(bytes, Style::Long).is_empty());
        }
    }
}
