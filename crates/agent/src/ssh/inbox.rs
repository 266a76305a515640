//! What came of a channel and has not been used yet: never more than the channel's window, which grows again by what
//! is used. So a program that reads nothing stops its own channel, and no other.

use russh::{ChannelId, server::Handle};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Most that is used at once, bytes.
const PIECE: usize = 16 << 10;

/// A channel's inbox; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    held: Mutex<Held>,
    more: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: VecDeque<u8>,
    ended: bool,
    closed: bool,
}

impl Inbox {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came.
    pub(super) fn push(&self, bytes: &[u8]) {
        self.held().bytes.extend(bytes);
        self.0.more.send_replace(());
    }

    /// Nothing more comes.
    pub(super) fn end(&self) {
        self.held().ended = true;
        self.0.more.send_replace(());
    }

    /// The channel is closed: what has not been used is not wanted.
    pub(super) fn close(&self) {
        let mut held = self.held();
        (held.ended, held.closed) = (true, true);
        held.bytes.clear();
        drop(held);
        self.0.more.send_replace(());
    }

    /// The next bytes; `None` when nothing more comes.
    pub(super) async fn take(&self) -> Option<Vec<u8>> {
        let mut more = self.0.more.subscribe();
        loop {
            more.mark_unchanged();
            {
                let mut held = self.held();
                let count = held.bytes.len().min(PIECE);
                if count > 0 {
                    return Some(held.bytes.drain(..count).collect());
                }
                if held.ended {
                    return None;
                }
            }
            // The sender is ours.
            let _ = more.changed().await;
        }
    }

    /// Whether the channel is closed, by the client or by us.
    pub(super) fn is_closed(&self) -> bool {
        self.held().closed
    }

    /// Waits until the channel is closed.
    pub(super) async fn closed(&self) {
        let mut more = self.0.more.subscribe();
        while !self.is_closed() {
            // The sender is ours.
            let _ = more.changed().await;
        }
    }
}

/// So much was used: the client may send as much again.
pub(super) async fn used(handle: &Handle, channel: ChannelId, count: usize) {
    // Fails when the session is over.
    let _ = handle.adjust_window(channel, u32::try_from(count).unwrap_or(0)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_in_order_and_then_the_end() {
        let inbox = Inbox::default();
        inbox.push(&[1; PIECE]);
        inbox.push(&[2; 3]);
        assert_eq!(inbox.take().await.unwrap(), vec![1; PIECE]);
        inbox.end();
        assert_eq!(inbox.take().await.unwrap(), vec![2; 3]);
        assert_eq!(inbox.take().await, None);
        inbox.push(&[3]);
        inbox.close();
        assert_eq!(inbox.take().await, None, "what nobody waits for is not used");
        inbox.closed().await;
    }
}
