//! Days and hours of the clock: in the zone that TZ names or `/etc/localtime` is; on the CD, where neither is, in UTC.

use jiff::{Timestamp, tz::TimeZone};

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month_number: i64,
    /// `Jan`
    pub(crate) month: &'static str,
    pub(crate) day: i64,
    /// `Sun`
    pub(crate) weekday: &'static str,
    /// `23:59:59`
    pub(crate) time: String,
}

impl Date {
    /// `23:59`
    pub(crate) fn minutes(&self) -> &str {
        self.time.get(..5).unwrap_or("")
    }

    /// `2026-01-31`
    pub(crate) fn iso(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month_number, self.day)
    }
}

/// The date of a moment, seconds since 1970.
pub(crate) fn date(seconds: i64) -> Date {
    utc(seconds.saturating_add(offset(seconds)))
}

/// How far clocks are ahead of UTC at that moment, seconds.
pub(crate) fn offset(seconds: i64) -> i64 {
    let moment = Timestamp::from_second(seconds);
    moment.map_or(0, |moment| i64::from(TimeZone::system().to_offset(moment).seconds()))
}

/// A moment, seconds since 1970, as a format says (strftime(3)).
///
/// # Errors
/// What is wrong with the format, or that the moment is beyond all calendars.
pub(crate) fn formatted(format: &[u8], seconds: i64, utc: bool) -> Result<Vec<u8>, jiff::Error> {
    let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
    let moment = Timestamp::from_second(seconds)?.to_zoned(zone);
    Ok(jiff::fmt::strtime::format(format, &moment)?.into_bytes())
}

/// The date of a moment, seconds since 1970, in UTC.
pub(crate) fn utc(seconds: i64) -> Date {
    let (days, rest) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], at: i64| {
        usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or("?")
    };
    Date {
        year,
        month_number: month,
        month: name(&MONTHS, month - 1),
        day,
        // The first day of 1970 was a Thursday.
        weekday: name(&DAYS, (days + 4).rem_euclid(7)),
        time: format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60),
    }
}

/// Year, month and day of a day since 1970 (Gregorian; from the 400-year cycle of 146,097 days).
fn civil(day: i64) -> (i64, i64, i64) {
    // Years that begin in March have the leap day at their end.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day() {
        // date -u -d @1795426764
        let day = utc(1_795_426_764);
        assert_eq!((day.weekday, day.month, day.day, day.year), ("Mon", "Nov", 23, 2026));
        assert_eq!((day.time.as_str(), day.minutes()), ("09:39:24", "09:39"));
        assert_eq!(day.iso(), "2026-11-23");
        assert_eq!(utc(-1).iso(), "1969-12-31");
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
    }
}
