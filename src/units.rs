//! Durations and sizes as people write them: `30d`, `90s`, `256M`.

/// Seconds of `30d`, `12h`, `10m`, `45s`.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let unit = |c| match c {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        _ => None,
    };
    scaled(text, unit).ok_or_else(|| {
        format!("`{text}` is not a duration, expected the like of 90s, 10m, 12h or 30d")
    })
}

/// Bytes of `64K`, `256M`, `2G` (powers of 1024).
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let unit = |c| match c {
        'K' => Some(1 << 10),
        'M' => Some(1 << 20),
        'G' => Some(1 << 30),
        _ => None,
    };
    scaled(text, unit)
        .ok_or_else(|| format!("`{text}` is not a size, expected the like of 256M or 2G"))
}

fn scaled(text: &str, unit: impl Fn(char) -> Option<u64>) -> Option<u64> {
    let last = text.chars().next_back()?;
    let digits = text.strip_suffix(last)?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(unit(last)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(duration("30d"), Ok(2_592_000));
        assert_eq!(duration("90s"), Ok(90));
        assert_eq!(size("256M"), Ok(268_435_456));
        for bad in ["", "d", "30", "1.5h", "-1s", "+1s", "99999999999999999999d", "1w", "3ä"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
