//! The system clock and the hardware clock behind it.

use crate::Kernel;
use rustix::{
    ioctl::{self, Getter, Setter, opcode},
    time::{ClockId, Timespec, clock_settime},
};
use std::{
    fs::File,
    io,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Setting the time. Reading it needs no trait: `SystemTime::now()` for the date, `Instant` for spans.
pub trait Clock {
    /// Sets the system clock to `time` since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// When the kernel refuses: not privileged, or a time it cannot hold.
    fn set(&self, time: Duration) -> io::Result<()>;

    /// Writes `time` since 1970-01-01T00:00:00Z, cut to whole seconds, to the hardware clock, as UTC.
    ///
    /// # Errors
    /// When there is no hardware clock or it refuses.
    fn set_hardware(&self, time: Duration) -> io::Result<()>;
}

impl Clock for Kernel {
    fn set(&self, time: Duration) -> io::Result<()> {
        let seconds = i64::try_from(time.as_secs()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let spec = Timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
        Ok(clock_settime(ClockId::Realtime, spec)?)
    }

    fn set_hardware(&self, time: Duration) -> io::Result<()> {
        set_hardware_at(Path::new("/dev/rtc0"), time)
    }
}

/// Writes `time` since 1970-01-01T00:00:00Z, cut to whole seconds, to a hardware clock, as UTC.
///
/// # Errors
/// When there is no such clock or it refuses.
pub fn set_hardware_at(device: &Path, time: Duration) -> io::Result<()> {
    const RTC_SET_TIME: ioctl::Opcode = opcode::write::<RtcTime>(b'p', 0x0a);
    let rtc = File::open(device)?;
    let time = RtcTime::utc(time).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: RTC_SET_TIME (linux/rtc.h) reads one struct rtc_time, which RtcTime mirrors.
    unsafe { Ok(ioctl::ioctl(&rtc, Setter::<RTC_SET_TIME, _>::new(time))?) }
}

/// Reads a hardware clock that runs in UTC: the time since 1970-01-01T00:00:00Z, whole seconds.
///
/// # Errors
/// When there is no such clock, or what it says is no time.
pub fn hardware_at(device: &Path) -> io::Result<Duration> {
    const RTC_RD_TIME: ioctl::Opcode = opcode::read::<RtcTime>(b'p', 0x09);
    let rtc = File::open(device)?;
    // SAFETY: RTC_RD_TIME (linux/rtc.h) writes one struct rtc_time, which RtcTime mirrors.
    let time = unsafe { ioctl::ioctl(&rtc, Getter::<RTC_RD_TIME, RtcTime>::new())? };
    time.since_epoch().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Moves the system clock forward to `floor` when it is before it: a machine whose hardware clock
/// lost its battery then has at least the time at which its image was built. Says whether it did.
///
/// # Errors
/// As [`Clock::set`].
pub fn raise_to(clock: &impl Clock, now: SystemTime, floor: SystemTime) -> io::Result<bool> {
    if now >= floor {
        return Ok(false);
    }
    clock.set(floor.duration_since(UNIX_EPOCH).unwrap_or_default())?;
    Ok(true)
}

/// `struct rtc_time` of `linux/rtc.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RtcTime {
    seconds: i32,
    minutes: i32,
    hours: i32,
    day: i32,
    /// From 0.
    month: i32,
    /// Since 1900.
    year: i32,
    /// The kernel ignores the last three when setting.
    weekday: i32,
    yearday: i32,
    summer_time: i32,
}

impl RtcTime {
    /// The other way round; `None` when a field is out of its range.
    fn since_epoch(self) -> Option<Duration> {
        let in_range = (0..=60).contains(&self.seconds)
            && (0..60).contains(&self.minutes)
            && (0..24).contains(&self.hours)
            && (1..=31).contains(&self.day)
            && (0..12).contains(&self.month)
            && (70..=8099).contains(&self.year);
        if !in_range {
            return None;
        }
        let from_march = (i64::from(self.month) + 10) % 12;
        let year = i64::from(self.year) + 1900 - i64::from(self.month < 2);
        let (era, of_era) = (year / 400, year % 400);
        let day_of_year = (153 * from_march + 2) / 5 + i64::from(self.day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
        let in_day = i64::from(self.hours) * 3_600 + i64::from(self.minutes) * 60;
        let seconds = (days - 719_468) * 86_400 + in_day + i64::from(self.seconds);
        u64::try_from(seconds).ok().map(Duration::from_secs)
    }

    /// Civil date from days since the epoch: the calendar repeats every 400 years (146,097 days);
    /// years are counted from March, so that the leap day comes last.
    fn utc(time: Duration) -> Option<Self> {
        let whole = i64::try_from(time.as_secs()).ok()?;
        let (days, in_day) = (whole / 86_400 + 719_468, whole % 86_400);
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = (from_march + 2) % 12;
        let year = era * 400 + year_of_era + i64::from(month < 2);
        Some(Self {
            seconds: (in_day % 60) as i32,
            minutes: (in_day / 60 % 60) as i32,
            hours: (in_day / 3_600) as i32,
            day: (day_of_year - (153 * from_march + 2) / 5 + 1) as i32,
            month: month as i32,
            year: i32::try_from(year - 1900).ok()?,
            weekday: 0,
            yearday: 0,
            summer_time: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    #[test]
    fn civil_dates() {
        let date = |s: u64| {
            let t = RtcTime::utc(Duration::from_secs(s)).unwrap();
            (t.year + 1900, t.month + 1, t.day, t.hours, t.minutes, t.seconds)
        };
        // date -u -d @N
        assert_eq!(date(0), (1970, 1, 1, 0, 0, 0));
        assert_eq!(date(951_782_399), (2000, 2, 28, 23, 59, 59));
        assert_eq!(date(951_782_400), (2000, 2, 29, 0, 0, 0));
        assert_eq!(date(1_767_225_599), (2025, 12, 31, 23, 59, 59));
        assert_eq!(date(4_107_542_400), (2100, 3, 1, 0, 0, 0));
        assert_eq!(RtcTime::utc(Duration::MAX), None);
        for seconds in (0..8_000_000_000).step_by(86_399 * 7) {
            let time = Duration::from_secs(seconds);
            assert_eq!(RtcTime::utc(time).unwrap().since_epoch(), Some(time), "{seconds}");
        }
        let time = RtcTime::utc(Duration::ZERO).unwrap();
        assert_eq!(RtcTime { day: 0, ..time }.since_epoch(), None);
        assert_eq!(RtcTime { month: 12, ..time }.since_epoch(), None);
    }

    #[test]
    fn the_floor_only_raises() {
        let clock = fake::Clock::default();
        let at = |s| UNIX_EPOCH + Duration::from_secs(s);
        assert!(!raise_to(&clock, at(500), at(400)).unwrap());
        assert!(raise_to(&clock, at(300), at(400)).unwrap());
        assert_eq!(clock.system.get(), Some(Duration::from_secs(400)));
        assert_eq!(clock.hardware.get(), None);
    }
}
