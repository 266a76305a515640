//! Turns: of what many may want in the same moment, a few are worked on at a time and the others wait for theirs. Ten
//! thousand that are worked on all at once are all late; in turn each is quick, and those for whom it takes too long can
//! be told when to come back.

use std::time::Duration;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// So many at a time.
pub(crate) struct Turns {
    places: Semaphore,
    patience: Duration,
}

impl Turns {
    /// Room for `places` at a time; whoever has waited for `patience` waits no longer.
    pub(crate) fn new(places: usize, patience: Duration) -> Self {
        Self { places: Semaphore::new(places), patience }
    }

    /// Waits for a turn, which lasts until what is returned is dropped; `None` when it does not come in time. First come,
    /// first served.
    pub(crate) async fn wait(&self) -> Option<SemaphorePermit<'_>> {
        timeout(self.patience, self.places.acquire()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_at_a_time_and_not_for_ever() {
        let turns = Turns::new(2, Duration::from_millis(20));
        let first = turns.wait().await.unwrap();
        let _second = turns.wait().await.unwrap();
        assert!(turns.wait().await.is_none());
        drop(first);
        assert!(turns.wait().await.is_some());
    }
}
