//! What runs in the background, and how it ended.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Notify, task::AbortHandle};

/// Tasks of the shell itself are numbered from here: no process has so high a number (the kernel's
/// `PID_MAX_LIMIT`).
const FIRST_TASK: u32 = 1 << 22;

/// What a signal that ends a process makes of its exit status.
const BY_SIGNAL: u8 = 128;

#[derive(Debug)]
struct Child {
    /// `None` while it runs.
    status: Option<u8>,
    /// Only of tasks.
    abort: Option<AbortHandle>,
    /// Someone has asked for its status.
    waited: bool,
}

/// Every child of this process' shells.
pub(crate) struct Children {
    known: Mutex<BTreeMap<u32, Child>>,
    changed: Notify,
}

/// The only one.
pub(crate) static CHILDREN: Children =
    Children { known: Mutex::new(BTreeMap::new()), changed: Notify::const_new() };

impl Children {
    fn known(&self) -> MutexGuard<'_, BTreeMap<u32, Child>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a process.
    pub(crate) fn add_process(&self, pid: u32) {
        self.known().insert(pid, Child { status: None, abort: None, waited: false });
    }

    /// A number for a task.
    pub(crate) fn add_task(&self) -> u32 {
        let mut known = self.known();
        let number =
            known.last_key_value().map_or(FIRST_TASK, |(last, _)| FIRST_TASK.max(last + 1));
        known.insert(number, Child { status: None, abort: None, waited: false });
        number
    }

    /// Makes a task one that can be ended.
    pub(crate) fn set_abort(&self, number: u32, abort: AbortHandle) {
        if let Some(child) = self.known().get_mut(&number) {
            child.abort = Some(abort);
        }
    }

    /// A child has ended.
    pub(crate) fn finish(&self, number: u32, status: u8) {
        if let Some(child) = self.known().get_mut(&number) {
            child.status.get_or_insert(status);
        }
        self.changed.notify_waiters();
    }

    /// Ends a task as by `signal`. `None` when there is no such task, else whether it still ran.
    pub(crate) fn end_task(&self, number: u32, signal: u8) -> Option<bool> {
        let abort = match self.known().get(&number) {
            Some(Child { status: None, abort: Some(abort), .. }) => abort.clone(),
            Some(_) if number >= FIRST_TASK => return Some(false),
            _ => return None,
        };
        if signal > 0 {
            abort.abort();
            self.finish(number, BY_SIGNAL + signal);
        }
        Some(true)
    }

    /// Waits for one child; its exit status, or `None` when there is none of that number.
    pub(crate) async fn wait(&self, number: u32) -> Option<u8> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.known().get_mut(&number) {
                None => return None,
                Some(Child { status: Some(status), waited, .. }) => {
                    *waited = true;
                    return Some(*status);
                }
                Some(_) => {}
            }
            changed.await;
        }
    }

    /// Waits for all.
    pub(crate) async fn wait_all(&self) {
        let numbers: Vec<u32> = self.known().keys().copied().collect();
        for number in numbers {
            self.wait(number).await;
        }
        self.known().retain(|_, child| child.status.is_none());
    }

    /// Waits for any whose status nobody has asked for; `None` when there is none.
    pub(crate) async fn wait_any(&self) -> Option<u8> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let mut left = false;
            for child in self.known().values_mut().filter(|child| !child.waited) {
                left = true;
                if let Some(status) = child.status {
                    child.waited = true;
                    return Some(status);
                }
            }
            if !left {
                return None;
            }
            changed.await;
        }
    }
}
