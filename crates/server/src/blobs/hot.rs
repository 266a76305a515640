//! What was read last: ten thousand machines are told of the same bundle, and it is read once.

use super::BlobError;
use bytes::Bytes;
use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OnceCell;
use xenoboot_bundle::limits;
use xenoboot_wire::Digest;

/// Largest blob that is kept, bytes: any envelope.
pub(super) const LARGEST: u64 = limits::ENVELOPE as u64;
/// Most that is kept, bytes.
const MOST: usize = 64 << 20;
/// Most blobs of which anything is known.
const COUNT: usize = 1024;

/// What is known of a blob, which never changes.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) size: u64,
    /// All of it, unless it is too large for that.
    pub(super) bytes: Option<Bytes>,
}

struct Slot {
    digest: Digest,
    known: OnceCell<Known>,
}

/// Those of which something is known, the last asked for first.
#[derive(Default)]
pub(super) struct Hot(Mutex<VecDeque<Arc<Slot>>>);

impl Hot {
    /// What is known of a blob, by `load` if nothing is: one at a time for each, however many ask. `None` when it is
    /// not stored, of which nothing is kept.
    pub(super) async fn get<F>(
        &self,
        digest: &Digest,
        load: impl FnOnce() -> F,
    ) -> Result<Option<Known>, BlobError>
    where
        F: Future<Output = Result<Option<Known>, BlobError>>,
    {
        let slot = self.slot(digest);
        let loaded = slot.known.get_or_try_init(async || load().await.map_err(Some)?.ok_or(None));
        match loaded.await.cloned() {
            Ok(known) => {
                self.limit();
                Ok(Some(known))
            }
            Err(error) => {
                self.slots().retain(|other| !Arc::ptr_eq(other, &slot));
                error.map_or(Ok(None), Err)
            }
        }
    }

    fn slots(&self) -> MutexGuard<'_, VecDeque<Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blob's, in front of all others.
    fn slot(&self, digest: &Digest) -> Arc<Slot> {
        let mut slots = self.slots();
        let found = slots.iter().position(|slot| slot.digest == *digest);
        let slot = found.and_then(|at| slots.remove(at));
        let slot =
            slot.unwrap_or_else(|| Arc::new(Slot { digest: *digest, known: OnceCell::new() }));
        slots.push_front(Arc::clone(&slot));
        slots.truncate(COUNT);
        slot
    }

    /// Forgets the bytes that were not asked for the longest.
    fn limit(&self) {
        let mut slots = self.slots();
        let length = |slot: &Arc<Slot>| {
            let known = slot.known.get().and_then(|known| known.bytes.as_ref());
            known.map_or(0, Bytes::len)
        };
        let mut sum = 0;
        slots.retain(|slot| {
            sum += length(slot);
            sum <= MOST || length(slot) == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn known(size: usize) -> Option<Known> {
        Some(Known { size: size as u64, bytes: Some(Bytes::from(vec![0; size])) })
    }

    #[tokio::test]
    async fn many_who_ask_at_once_have_it_read_once() {
        let (hot, reads) = (Hot::default(), AtomicUsize::new(0));
        let digest = Digest::of(b"x");
        let ask = || {
            hot.get(&digest, async || {
                reads.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(known(3))
            })
        };
        let answers = join_all((0..100).map(|_| ask())).await;
        assert!(answers.into_iter().all(|a| a.unwrap().unwrap().size == 3));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_is_not_there_or_failed_is_asked_for_again() {
        let (hot, digest) = (Hot::default(), Digest::of(b"x"));
        assert!(hot.get(&digest, async || Ok(None)).await.unwrap().is_none());
        assert!(hot.get(&digest, async || Err(BlobError::Stalled)).await.is_err());
        assert!(hot.slots().is_empty());
        assert!(hot.get(&digest, async || Ok(known(1))).await.unwrap().is_some());
        assert!(hot.get(&digest, async || panic!("it is known")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn the_oldest_bytes_are_forgotten_first() {
        let hot = Hot::default();
        let (each, fit) = (4 << 20, MOST / (4 << 20));
        let digests: Vec<_> = (0..=fit).map(|n| Digest::of(&n.to_le_bytes())).collect();
        let large = Digest::of(b"large");
        let no_bytes = Some(Known { size: 1 << 40, bytes: None });
        hot.get(&large, async || Ok(no_bytes)).await.unwrap();
        for digest in &digests {
            hot.get(digest, async || Ok(known(each))).await.unwrap();
        }
        let kept = |digest: &Digest| hot.slots().iter().any(|slot| slot.digest == *digest);
        assert!(!kept(&digests[0]) && digests[1..].iter().all(kept));
        assert!(kept(&large), "a size costs nothing");
    }
}
