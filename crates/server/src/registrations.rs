//! How quickly machines never seen before may become known: each costs a write to the disk, and anyone
//! can make a key.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// So many at once,
const BURST: f64 = 200.0;
/// and so many a second on average: ten thousand machines that are switched on together are known
/// after about three minutes.
const PER_SECOND: f64 = 50.0;

/// A token bucket.
pub(crate) struct Registrations(Mutex<(f64, Instant)>);

impl Registrations {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((BURST, Instant::now())))
    }

    /// Whether one more may become known now.
    pub(crate) fn admit(&self) -> bool {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, since) = *bucket;
        let refill = now.saturating_duration_since(since).as_secs_f64() * PER_SECOND;
        let tokens = (tokens + refill).min(BURST);
        let admitted = tokens >= 1.0;
        *bucket = (if admitted { tokens - 1.0 } else { tokens }, now);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_and_then_a_rate() {
        let (bucket, start) = (Registrations::new(), Instant::now());
        let admitted = |at| (0..1000).filter(|_| bucket.admit_at(at)).count();
        assert_eq!(admitted(start), 200);
        assert_eq!(admitted(start + Duration::from_secs(1)), 50);
        assert_eq!(admitted(start + Duration::from_secs(1)), 0);
        assert_eq!(admitted(start + Duration::from_secs(3600)), 200);
    }
}
