//! Who is connected, and who waits for news.

mod others;

use crate::time::now_ms;
use others::Others;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::{broadcast, watch};
use xenoboot_wire::{MachineKey, boot::Order};

/// News of one machine, by its number in the database.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// Its state, name or assignment changed.
    Order(i64),
    /// Events of it were stored.
    Events(i64),
    /// It waits to be called.
    Door(i64),
    /// It is to show that it is alive.
    Nudge(i64),
    /// Anything of any machine, for those who listen to all.
    All,
}

/// What is known only while the process lives.
pub(crate) struct Hub {
    changes: broadcast::Sender<Topic>,
    waiting: Mutex<HashMap<Topic, watch::Sender<()>>>,
    connections: Mutex<HashMap<MachineKey, usize>>,
    seen: Mutex<HashMap<i64, i64>>,
    told: Mutex<HashMap<i64, Told>>,
    events: AtomicU64,
    others: Others,
}

/// So many changes are kept for those who listen to all.
const CHANGES: usize = 4096;

impl Default for Hub {
    fn default() -> Self {
        Self {
            changes: broadcast::channel(CHANGES).0,
            waiting: Mutex::default(),
            connections: Mutex::default(),
            seen: Mutex::default(),
            told: Mutex::default(),
            events: AtomicU64::new(0),
            others: Others::default(),
        }
    }
}

/// What a machine without a generation was told last.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Pending,
    Refused,
    Other,
}

impl From<&Order> for Told {
    fn from(order: &Order) -> Self {
        match order {
            Order::Pending => Self::Pending,
            Order::Refused => Self::Refused,
            Order::Idle { .. } | Order::Run(_) => Self::Other,
        }
    }
}

/// News of a topic from the moment of its making on.
pub(crate) struct News {
    hub: Arc<Hub>,
    topic: Topic,
    receiver: watch::Receiver<()>,
}

impl News {
    /// Waits until there is news, or was since the last call.
    pub(crate) async fn wait(&mut self) {
        // The sender lives in the hub for as long as there is a receiver.
        let _ = self.receiver.changed().await;
    }
}

impl Drop for News {
    fn drop(&mut self) {
        let mut waiting = lock(&self.hub.waiting);
        if waiting.get(&self.topic).is_some_and(|sender| sender.receiver_count() <= 1) {
            waiting.remove(&self.topic);
        }
    }
}

/// A machine's connection; dropped when it ends.
pub(crate) struct Presence {
    hub: Arc<Hub>,
    key: MachineKey,
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut connections = lock(&self.hub.connections);
        if let Some(count) = connections.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.key);
            }
        }
    }
}

impl Hub {
    /// Subscribes to news. Ask the database after that, not before, or news may fall in between.
    pub(crate) fn listen(self: &Arc<Self>, topic: Topic) -> News {
        let receiver =
            lock(&self.waiting).entry(topic).or_insert_with(|| watch::channel(()).0).subscribe();
        News { hub: Arc::clone(self), topic, receiver }
    }

    /// All news of all machines from now on.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Topic> {
        self.changes.subscribe()
    }

    /// Wakes whoever waits for news of `topic`, here and, if that may be, at other servers.
    pub(crate) fn wake(&self, topic: Topic) {
        self.wake_here(topic);
        if matches!(topic, Topic::Order(_) | Topic::Events(_)) {
            self.others.call_out(topic);
        }
    }

    /// The same here alone.
    pub(crate) fn wake_here(&self, topic: Topic) {
        // Nobody need listen.
        let _ = self.changes.send(topic);
        if let Some(sender) = lock(&self.waiting).get(&topic) {
            sender.send_replace(());
        }
    }

    /// Wakes machines whose order has changed.
    pub(crate) fn orders(&self, machines: &[i64]) {
        for machine in machines {
            self.wake(Topic::Order(*machine));
        }
    }

    /// Notes that a machine has a connection.
    pub(crate) fn connect(self: &Arc<Self>, key: MachineKey) -> Presence {
        *lock(&self.connections).entry(key).or_insert(0) += 1;
        Presence { hub: Arc::clone(self), key }
    }

    /// Whether a machine has a connection, to this server or another.
    pub(crate) fn online(&self, key: &MachineKey) -> bool {
        self.online_here(key) || self.elsewhere(key).is_some()
    }

    /// Whether it has one to this server.
    pub(crate) fn online_here(&self, key: &MachineKey) -> bool {
        lock(&self.connections).contains_key(key)
    }

    /// The keys of all machines that have a connection to any server.
    pub(crate) fn online_keys(&self) -> Vec<MachineKey> {
        let mut keys = self.others.keys();
        keys.extend(self.connected_keys());
        keys.into_iter().collect()
    }

    /// And of those that have one to this server.
    pub(crate) fn connected_keys(&self) -> Vec<MachineKey> {
        lock(&self.connections).keys().copied().collect()
    }

    /// How many machines have a connection to this server.
    pub(crate) fn connected(&self) -> usize {
        lock(&self.connections).len()
    }

    /// Counts events that were stored.
    pub(crate) fn stored(&self, events: u64) {
        self.events.fetch_add(events, Relaxed);
    }

    /// How many events were stored.
    pub(crate) fn events_stored(&self) -> u64 {
        self.events.load(Relaxed)
    }

    /// Notes that a machine was heard of, for the database to be told now and then.
    pub(crate) fn saw(&self, machine: i64) {
        lock(&self.seen).insert(machine, now_ms());
    }

    /// When machines were heard of since the last call.
    pub(crate) fn take_seen(&self) -> Vec<(i64, i64)> {
        lock(&self.seen).drain().collect()
    }

    /// When a machine was heard of, unless the database has been told.
    pub(crate) fn seen(&self, machine: i64) -> Option<i64> {
        lock(&self.seen).get(&machine).copied()
    }

    /// Notes what a machine is told.
    pub(crate) fn tell(&self, machine: i64, told: Told) {
        lock(&self.told).insert(machine, told);
    }

    /// What a machine was told last, by this process.
    pub(crate) fn told(&self, machine: i64) -> Option<Told> {
        lock(&self.told).get(&machine).copied()
    }

    /// Forgets machines that are no more.
    pub(crate) fn forget(&self, machines: &[i64]) {
        let (mut told, mut seen) = (lock(&self.told), lock(&self.seen));
        for machine in machines {
            told.remove(machine);
            seen.remove(machine);
        }
    }
}

/// The maps are whole after each statement: a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_between_listening_and_waiting_is_not_missed_and_nothing_is_left_behind() {
        let hub = Arc::new(Hub::default());
        let (mut one, mut two) = (hub.listen(Topic::Order(7)), hub.listen(Topic::Order(7)));
        hub.orders(&[7, 8]);
        one.wait().await;
        two.wait().await;
        drop(one);
        assert_eq!(lock(&hub.waiting).len(), 1);
        drop(two);
        assert!(lock(&hub.waiting).is_empty());
    }

    #[test]
    fn online_until_the_last_connection_ends() {
        let (hub, key) = (Arc::new(Hub::default()), MachineKey([1; 32]));
        let (one, two) = (hub.connect(key), hub.connect(key));
        drop(one);
        assert!(hub.online(&key));
        drop(two);
        assert!(!hub.online(&key) && lock(&hub.connections).is_empty());
    }
}
