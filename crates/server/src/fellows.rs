//! Other servers of the same database: several processes that machines and operators reach by one address.
//!
//! Any of them may serve any machine. What has changed is called out to all (`listen`, `beat`); what must be done where a
//! machine is connected is asked of that one (`ask`), over TLS in which each shows the other the key that all of them have.

mod ask;

pub(crate) use ask::{Heard, Rival};

use crate::{
    database::{Kind, Place},
    hub::{Hub, Topic},
    server::OpenError,
    store::{
        StoreError,
        fellows::{self, Membership, ServerRow},
    },
    tls::SetupError,
};
use ask::Line;
use rcgen::KeyPair;
use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, interval, sleep, timeout};
use xenoboot_wire::{Digest, MachineKey};

/// How often a server says that it is there, and looks for the others.
const BEAT: Duration = Duration::from_secs(1);
/// For whatever the database is asked: it is there, or another connection is tried.
const PATIENCE: Duration = Duration::from_secs(10);
/// For news to gather, so that much of it is called out at once.
const GATHER: Duration = Duration::from_millis(10);
/// Whoever listens hears something at least so often, were it only that: else the connection is dead.
const ALIVE: Duration = Duration::from_secs(10);
const DEAF: Duration = Duration::from_secs(30);
/// Longest text that is called out, bytes; PostgreSQL takes less than 8000.
const LONGEST: usize = 7900;

/// Something that was missed: whatever it was.
const ALL: &str = "*";

/// The others, as this server knows them.
pub(crate) struct Fellows {
    place: Place,
    /// Where the others reach this one, if that was said; and the port.
    address: Option<String>,
    port: u16,
    keys: Digest,
    line: Line,
    id: AtomicI64,
    leads: AtomicBool,
    others: Mutex<HashMap<i64, ServerRow>>,
}

/// Whether a server with these keys may use the database: all that do must have the same.
pub(crate) async fn admitted(place: &Place, keys: &Digest) -> Result<(), OpenError> {
    if place.kind != Kind::Postgres {
        return Ok(());
    }
    let stranger = patiently(fellows::stranger(place, keys)).await.map_err(StoreError::from)?;
    match stranger {
        Some(address) => Err(OpenError::Stranger { address }),
        None => Ok(()),
    }
}

impl Fellows {
    /// Of a server that listens at `listening`; none where the database is its own.
    pub(crate) fn of(
        place: &Place,
        reach: Option<SocketAddr>,
        listening: SocketAddr,
        key: &KeyPair,
        keys: Digest,
    ) -> Result<Option<Self>, SetupError> {
        if place.kind != Kind::Postgres {
            return Ok(None);
        }
        let said = reach.or_else(|| (!listening.ip().is_unspecified()).then_some(listening));
        Ok(Some(Self {
            place: place.clone(),
            address: said.map(|address| address.to_string()),
            port: listening.port(),
            keys,
            line: Line::new(key)?,
            id: AtomicI64::new(0),
            leads: AtomicBool::new(false),
            others: Mutex::default(),
        }))
    }

    /// Whether this server does what is done by the clock.
    pub(crate) fn leads(&self) -> bool {
        self.leads.load(Relaxed)
    }

    fn others(&self) -> MutexGuard<'_, HashMap<i64, ServerRow>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server to which a machine is connected, if it is another.
    fn with(&self, hub: &Hub, key: &MachineKey) -> Option<String> {
        let server = hub.elsewhere(key)?;
        self.others().get(&server).map(|row| row.address.clone())
    }

    /// Works as long as the server does.
    pub(crate) async fn run(&self, hub: &Hub) {
        hub.expect_others();
        tokio::join!(self.listen(hub), self.beat(hub));
    }

    /// Hears what others call out. Whenever a connection is new, everything may have changed before.
    async fn listen(&self, hub: &Hub) {
        loop {
            match timeout(PATIENCE, fellows::listener(&self.place)).await {
                Ok(Ok(mut listener)) => {
                    hub.wake_all();
                    while let Ok(Ok(Some(call))) = timeout(DEAF, listener.try_recv()).await {
                        self.hear(hub, call.payload());
                    }
                    tracing::warn!("the connection on which other servers are heard has ended");
                }
                Ok(Err(error)) => tracing::warn!(%error, "other servers cannot be heard"),
                Err(_) => {
                    tracing::warn!("other servers cannot be heard: the database does not answer")
                }
            }
            sleep(BEAT).await;
        }
    }

    /// Wakes whoever waits here for what another has called out.
    fn hear(&self, hub: &Hub, text: &str) {
        if text == ALL {
            return hub.wake_all();
        }
        let Some((caller, words)) = text.split_once(' ') else { return };
        if caller.parse() != Ok(self.id.load(Relaxed)) {
            topics(words).for_each(|topic| hub.wake_here(topic));
        }
    }

    /// Calls out what changes here, and keeps this server's place among the others.
    async fn beat(&self, hub: &Hub) {
        loop {
            match self.belong(hub).await {
                Ok(()) => tracing::warn!("the other servers had given this one up; it enters anew"),
                Err(error) => {
                    tracing::warn!(%error, "the place among the other servers is lost for now");
                }
            }
            self.leads.store(false, Relaxed);
            sleep(BEAT).await;
        }
    }

    async fn belong(&self, hub: &Hub) -> sqlx::Result<()> {
        let address = self.address.as_deref();
        let begin = Membership::begin(&self.place, address, self.port, &self.keys);
        let mut membership = patiently(begin).await?;
        self.id.store(membership.id, Relaxed);
        // What was to be called out when there was no connection.
        patiently(membership.call_out(ALL)).await?;
        let (mut told, mut known) = (BTreeSet::new(), HashMap::new());
        let (mut tick, mut called) = (interval(BEAT), Instant::now());
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    if !patiently(membership.beat()).await? {
                        return Ok(());
                    }
                    if !self.leads() && patiently(membership.lead()).await? {
                        self.leads.store(true, Relaxed);
                        tracing::info!("this server does what is done by the clock");
                    }
                    patiently(self.tell(&mut membership, hub, &mut told)).await?;
                    patiently(self.look(&mut membership, hub, &mut known)).await?;
                    if called.elapsed() > ALIVE {
                        patiently(membership.call_out("")).await?;
                        called = Instant::now();
                    }
                }
                () = hub.something_to_call_out() => {
                    sleep(GATHER).await;
                    for text in texts(membership.id, hub.take_to_call_out()) {
                        patiently(membership.call_out(&text)).await?;
                    }
                    called = Instant::now();
                }
            }
        }
    }

    /// Says which machines are connected here.
    async fn tell(
        &self,
        membership: &mut Membership,
        hub: &Hub,
        told: &mut BTreeSet<MachineKey>,
    ) -> sqlx::Result<()> {
        let now: BTreeSet<MachineKey> = hub.connected_keys().into_iter().collect();
        let new: Vec<_> = now.difference(told).collect();
        let ended: Vec<_> = told.difference(&now).collect();
        if !new.is_empty() || !ended.is_empty() {
            membership.connections(&new, &ended).await?;
        }
        *told = now;
        Ok(())
    }

    /// Looks who else is there, and which machines are connected to them.
    async fn look(
        &self,
        membership: &mut Membership,
        hub: &Hub,
        known: &mut HashMap<i64, i64>,
    ) -> sqlx::Result<()> {
        let others = membership.others().await?;
        for other in &others {
            if known.get(&other.id) != Some(&other.changed) {
                let keys = membership.connected_to(other.id).await?;
                hub.connected_elsewhere(other.id, keys.into_iter().collect());
                known.insert(other.id, other.changed);
            }
        }
        known.retain(|id, _| others.iter().any(|other| other.id == *id));
        hub.keep_servers(|id| known.contains_key(&id));
        *self.others() = others.into_iter().map(|other| (other.id, other)).collect();
        Ok(())
    }

    /// Takes this server out of the list: nobody needs to wait until it is missed.
    pub(crate) async fn leave(&self) {
        if let Err(error) = patiently(fellows::leave(&self.place, self.id.load(Relaxed))).await {
            tracing::warn!(%error, "the other servers could not be told that this one ends");
        }
    }
}

async fn patiently<T>(work: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(PATIENCE, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// How a topic is called out; those that concern the server alone to which the machine is connected are not.
fn word(topic: Topic) -> Option<String> {
    match topic {
        Topic::Order(id) => Some(format!(" o{id}")),
        Topic::Events(id) => Some(format!(" e{id}")),
        Topic::Door(_) | Topic::Nudge(_) | Topic::All => None,
    }
}

/// News as texts: who calls, then each topic, a letter and a number.
fn texts(caller: i64, news: Vec<Topic>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for word in news.into_iter().filter_map(word) {
        match texts.last_mut().filter(|text| text.len() + word.len() <= LONGEST) {
            Some(text) => text.push_str(&word),
            None => texts.push(format!("{caller}{word}")),
        }
    }
    texts
}

/// The topics of such a text.
fn topics(words: &str) -> impl Iterator<Item = Topic> {
    words.split(' ').filter_map(|word| {
        let mut rest = word.chars();
        let (letter, id) = (rest.next()?, rest.as_str().parse().ok()?);
        match letter {
            'o' => Some(Topic::Order(id)),
            'e' => Some(Topic::Events(id)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_out_is_heard_and_no_text_is_too_long() {
        let every = |id| [Topic::Order(id), Topic::Events(id)];
        let news: Vec<Topic> = (0..2000).flat_map(every).collect();
        let texts = texts(7, news.clone());
        assert!(texts.len() > 1 && texts.iter().all(|text| text.len() <= LONGEST));
        let mut heard = Vec::new();
        for text in &texts {
            let (caller, words) = text.split_once(' ').unwrap();
            assert_eq!(caller, "7");
            heard.extend(topics(words));
        }
        assert!(heard == news);
        assert_eq!(topics("x7 o o-  q é9 o18446744073709551616").count(), 0);
    }
}
