//! When to try again: exponential back-off with full jitter, for ever.

use crate::random;
use std::time::Duration;
use xenoboot_wire::timing;

pub use xenoboot_wire::timing::{FIRST, LONGEST};

/// How often something failed in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    attempt: u32,
}

impl Backoff {
    /// Counts a failure: its number in the row, from 1, and how long to wait before the next try.
    /// What the server asked for (`hint`) is waited at least.
    pub fn failed(&mut self, hint: Option<Duration>) -> (u32, Duration) {
        self.attempt = self.attempt.saturating_add(1);
        (self.attempt, self.delay(hint, random::fraction()))
    }

    /// It worked: the next failure is the first again.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    fn delay(self, hint: Option<Duration>, fraction: f64) -> Duration {
        timing::delay(self.attempt, hint, fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bound_doubles_up_to_a_minute() {
        let bounds: Vec<u64> =
            (1..=9).map(|attempt| Backoff { attempt }.delay(None, 1.0).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn the_jitter_is_full() {
        let mut delays: Vec<Duration> =
            (0..200).map(|_| Backoff { attempt: 6 }.failed(None).1).collect();
        delays.sort();
        assert!(delays[20] < Duration::from_secs(20), "a tenth is short: {:?}", delays[20]);
        assert!(delays[180] > Duration::from_secs(40), "a tenth is long: {:?}", delays[180]);
    }

    #[test]
    fn a_row_is_counted_and_ends() {
        let mut backoff = Backoff::default();
        assert_eq!((backoff.failed(None).0, backoff.failed(None).0), (1, 2));
        backoff.reset();
        assert_eq!(backoff.failed(None).0, 1);
    }

    proptest! {
        #[test]
        fn a_delay_is_bounded(attempt: u32, hint in 0u64..1 << 40, fraction in 0.0f64..1.0) {
            let hint = Duration::from_secs(hint);
            let delay = Backoff { attempt }.delay(Some(hint), fraction);
            prop_assert!(delay >= timing::SHORTEST && delay <= LONGEST);
            prop_assert!(delay >= hint.min(LONGEST));
        }
    }
}
