//! What the hub has to do with other servers: what is to be called out to them, and who is connected to them.

use super::{Hub, Topic, lock};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::sync::Notify;
use xenoboot_wire::MachineKey;

#[derive(Default)]
pub(super) struct Others {
    /// Whether there may be others at all.
    possible: AtomicBool,
    /// Each once, however often it happened: nothing grows without bounds when nobody can be told.
    news: Mutex<HashSet<Topic>>,
    some: Notify,
    /// By the server's number in the database.
    connected: Mutex<HashMap<i64, HashSet<MachineKey>>>,
}

impl Others {
    pub(super) fn call_out(&self, topic: Topic) {
        if self.possible.load(Relaxed) {
            lock(&self.news).insert(topic);
            self.some.notify_one();
        }
    }

    pub(super) fn keys(&self) -> HashSet<MachineKey> {
        lock(&self.connected).values().flatten().copied().collect()
    }
}

impl Hub {
    /// From now on what happens is to be called out.
    pub(crate) fn expect_others(&self) {
        self.others.possible.store(true, Relaxed);
    }

    /// Wakes everybody who waits: anything may have changed. Not those who would only show that they are alive.
    pub(crate) fn wake_all(&self) {
        let _ = self.changes.send(Topic::All);
        for (topic, sender) in lock(&self.waiting).iter() {
            if !matches!(topic, Topic::Nudge(_)) {
                sender.send_replace(());
            }
        }
    }

    /// Waits until something is to be called out.
    pub(crate) async fn something_to_call_out(&self) {
        while lock(&self.others.news).is_empty() {
            self.others.some.notified().await;
        }
    }

    /// What is to be called out.
    pub(crate) fn take_to_call_out(&self) -> Vec<Topic> {
        lock(&self.others.news).drain().collect()
    }

    /// To which other server a machine is connected, if it is to one.
    pub(crate) fn elsewhere(&self, key: &MachineKey) -> Option<i64> {
        let connected = lock(&self.others.connected);
        connected.iter().find(|(_, keys)| keys.contains(key)).map(|(server, _)| *server)
    }

    /// Notes which machines are connected to another server.
    pub(crate) fn connected_elsewhere(&self, server: i64, keys: HashSet<MachineKey>) {
        lock(&self.others.connected).insert(server, keys);
    }

    /// Forgets servers that are no more.
    pub(crate) fn keep_servers(&self, there: impl Fn(i64) -> bool) {
        lock(&self.others.connected).retain(|server, _| there(*server));
    }
}
