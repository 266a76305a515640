//! Dates, for `strftime` and `mktime`.

use crate::dates;
use jiff::{civil::DateTime, tz::TimeZone};

fn zone(utc: bool) -> TimeZone {
    if utc { TimeZone::UTC } else { TimeZone::system() }
}

/// A moment, seconds since 1970, as the format says (strftime(3)).
pub(super) fn strftime(format: &[u8], moment: f64, utc: bool) -> Result<Vec<u8>, String> {
    #[expect(clippy::cast_possible_truncation, reason = "saturates; the range is checked next")]
    let seconds = moment.floor() as i64;
    dates::formatted(format, seconds, utc).map_err(|error| format!("strftime: {error}"))
}

/// The moment that `YYYY MM DD HH MM SS [DST]` names; -1 for none. Numbers beyond their ranges run over.
pub(super) fn mktime(text: &[u8], utc: bool) -> f64 {
    moment(text, utc).map_or(-1.0, |seconds| {
        #[expect(clippy::cast_precision_loss, reason = "no year that jiff knows is so far away")]
        let seconds = seconds as f64;
        seconds
    })
}

fn moment(text: &[u8], utc: bool) -> Option<i64> {
    let words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
    let numbers: Vec<i64> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day, hours, minutes, seconds, ..] = numbers.as_slice() else { return None };
    let months = month.checked_sub(1)?;
    let year = year.checked_add(months.div_euclid(12))?;
    let month = months.rem_euclid(12) + 1;
    let first = DateTime::new(year.try_into().ok()?, month.try_into().ok()?, 1, 0, 0, 0, 0).ok()?;
    let span = jiff::Span::new()
        .try_days(day.checked_sub(1)?)
        .and_then(|span| span.try_hours(*hours))
        .and_then(|span| span.try_minutes(*minutes))
        .and_then(|span| span.try_seconds(*seconds))
        .ok()?;
    let date = first.checked_add(span).ok()?;
    Some(date.to_zoned(zone(utc)).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(strftime(b"%F %T", 86399.9, true).unwrap(), b"1970-01-01 23:59:59");
        assert_eq!(mktime(b"1970 1 2 0 0 1", true), 86401.0);
        assert_eq!(mktime(b"1969 13 1 24 0 0", true), 86400.0);
        assert_eq!(mktime(b"no date", true), -1.0);
        assert!(strftime(b"%F", f64::INFINITY, true).is_err());
    }
}
