//! Points in time as people write them: `2027-01-01T00:00:00Z` (RFC 3339, UTC only).

use anyhow::{Context, bail};
use std::time::SystemTime;

const DAY: u64 = 86_400;

/// Now, Unix seconds.
pub(crate) fn now() -> anyhow::Result<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Ok(since.context("this computer's clock is before 1970")?.as_secs())
}

/// Days from 1970-01-01 to the first of January of `year`, in the Gregorian calendar.
fn days_before_year(year: u64) -> u64 {
    let y = year - 1;
    // 719,162 days from year 1 to 1970.
    365 * y + y / 4 - y / 100 + y / 400 - 719_162
}

fn days_in_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Parses `YYYY-MM-DDTHH:MM:SSZ`, `YYYY-MM-DD` (its beginning) or Unix seconds.
pub(crate) fn parse(text: &str) -> anyhow::Result<u64> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.parse()?);
    }
    let expected = || format!("`{text}` is not a time, expected the like of 2027-01-01T00:00:00Z");
    let (date, clock) = match text.split_once('T') {
        Some((date, clock)) => (date, clock.strip_suffix('Z').with_context(expected)?),
        None => (text, "00:00:00"),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2]).with_context(expected)?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2]).with_context(expected)?;
    let in_range = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        bail!(expected());
    }
    let days =
        days_before_year(year) + (1..month).map(|m| days_in_month(year, m)).sum::<u64>() + day - 1;
    Ok(days * DAY + hour * 3600 + minute * 60 + second)
}

fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut out = [0; 3];
    for (slot, width) in out.iter_mut().zip(widths) {
        let part = parts.next()?;
        let plain = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
        *slot = part.parse().ok().filter(|_| plain)?;
    }
    parts.next().is_none().then_some(out)
}

/// Shows Unix seconds as `YYYY-MM-DDTHH:MM:SSZ`.
pub(crate) fn show(seconds: u64) -> String {
    let (days, rest) = (seconds / DAY, seconds % DAY);
    // 366 days a year never overshoots; the loop then makes up for what is missing.
    let mut year = 1970 + days / 366;
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let mut day = days - days_before_year(year);
    let mut month = 1;
    while day >= days_in_month(year, month) {
        day -= days_in_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() -> anyhow::Result<()> {
        // date -u -d TEXT +%s
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2026-11-23T02:00:00Z", 1_795_399_200),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse(text)?, seconds, "{text}");
            assert_eq!(show(seconds), text);
        }
        assert_eq!(parse("2000-01-01")?, 946_684_800);
        Ok(())
    }

    #[test]
    fn each_day_there_and_back() -> anyhow::Result<()> {
        for day in 0..200_000 {
            assert_eq!(parse(&show(day * DAY))?, day * DAY);
        }
        Ok(())
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "tomorrow",
            "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2027-01-01T00:00:00",
            "2027-01-01T00:00:00+01:00",
            "1969-12-31T00:00:00Z",
            "27-01-01",
            "2027-1-1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
