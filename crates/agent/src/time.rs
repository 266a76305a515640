//! Two clocks: milliseconds since the kernel started, and the server's time.

use rustix::time::{ClockId, clock_gettime};
use std::sync::Mutex;

/// Milliseconds since the kernel started (`CLOCK_BOOTTIME`).
#[must_use]
pub fn uptime_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1000
        + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

/// The server's time, carried on by the kernel's monotonic clock, so that neither a wrong hardware
/// clock nor a script that sets the date decides whether a bundle has expired.
#[derive(Debug, Default)]
pub struct ServerTime(Mutex<Option<i64>>);

impl ServerTime {
    /// The authenticated server said that it is `time_ms` (milliseconds since 1970).
    pub fn learn(&self, time_ms: u64) {
        let offset =
            i64::try_from(time_ms).unwrap_or(i64::MAX).saturating_sub_unsigned(uptime_ms());
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(offset);
    }

    /// Milliseconds since 1970 by the server's clock; `None` before the server was heard.
    #[must_use]
    pub fn now_ms(&self) -> Option<u64> {
        let offset = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        offset.and_then(|o| u64::try_from(o.saturating_add_unsigned(uptime_ms())).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_time_runs_on() {
        let time = ServerTime::default();
        assert_eq!(time.now_ms(), None);
        time.learn(1_000_000);
        let before = time.now_ms().unwrap();
        assert!((1_000_000..1_001_000).contains(&before), "{before}");
        time.learn(0);
        assert!(time.now_ms().unwrap() < 1_000);
        time.learn(u64::MAX);
        assert!(time.now_ms().is_some());
    }
}
