//! How long to wait before something that died is started again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);
/// A run this long shows that what was wrong is over.
const GOOD_RUN: Duration = Duration::from_secs(60);

/// Waits 0.2 s, then twice as long each time, 10 s at most.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self(FIRST)
    }

    /// The wait after a run of `run`.
    pub(crate) fn after(&mut self, run: Duration) -> Duration {
        if run >= GOOD_RUN {
            self.0 = FIRST;
        }
        let wait = self.0;
        self.0 = self.0.saturating_mul(2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_limit_and_forgives_a_good_run() {
        let mut backoff = Backoff::new();
        let mut waits = |run| backoff.after(Duration::from_secs(run)).as_millis();
        let first: Vec<_> = (0..8).map(|_| waits(59)).collect();
        assert_eq!(first, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(waits(60), 200);
        assert_eq!(waits(0), 400);
    }
}
