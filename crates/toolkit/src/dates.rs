//! Days and hours of the clock, in UTC: the image has no time zones.

use crate::archive::civil;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day() {
        // date -u -d @1795426764
        let day = date(1_795_426_764);
        assert_eq!((day.weekday, day.month, day.day, day.year), ("Mon", "Nov", 23, 2026));
        assert_eq!((day.time.as_str(), day.minutes()), ("09:39:24", "09:39"));
        assert_eq!(day.iso(), "2026-11-23");
        assert_eq!(date(-1).iso(), "1969-12-31");
    }
}
