//! Which power-on speaks for a machine. A disk that was copied is a copied key: two machines would then be one, and
//! each would be told that what the other did is done. A newcomer does not take the place of one that is alive.

use crate::{
    fellows::{Fellows, Rival},
    hub::{Hub, Topic},
    listen::Peer,
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use xenoboot_wire::BootId;

/// So long one that was there first has to show that it is alive, when it is asked: machines that wait ask again
/// within a second. One that was reset leaves a connection behind on which nothing comes any more.
const ALIVE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

/// One power-on, at the end of one connection.
#[derive(Clone)]
struct Holder {
    boot: BootId,
    peer: Peer,
}

#[derive(Clone)]
struct Claim {
    now: Holder,
    /// Who spoke for the machine before, silently when it was asked.
    before: Option<Holder>,
    /// Who speaks for the machine at another server.
    elsewhere: Option<Elsewhere>,
}

/// Another power-on, at another server of the same database.
#[derive(Clone, Copy)]
struct Elsewhere {
    boot: BootId,
    from: IpAddr,
    /// Whether it was there before and is heard again; else it came when the one here was silent.
    again: bool,
}

/// Another machine has the same key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cloned {
    /// Where the one is that was there first.
    pub(crate) first: IpAddr,
    /// Where the other one is.
    pub(crate) other: IpAddr,
}

/// Who speaks for which machine, by its number in the database.
#[derive(Default)]
pub(crate) struct Claims {
    all: Mutex<HashMap<i64, Claim>>,
    fellows: Option<Arc<Fellows>>,
}

impl Claims {
    /// Nobody's yet; `fellows`: who else may know of some.
    pub(crate) fn new(fellows: Option<Arc<Fellows>>) -> Self {
        Self { all: Mutex::default(), fellows }
    }

    /// A machine that has just started wants to speak: not while another power-on is alive elsewhere.
    pub(crate) async fn begin(
        &self,
        hub: &Hub,
        machine: i64,
        boot: BootId,
        peer: &Peer,
    ) -> Result<(), Cloned> {
        let rival = self.rival(machine, boot).filter(|rival| !rival.peer.is(peer));
        if let Some(rival) = &rival
            && is_alive(hub, machine, rival).await
        {
            return Err(cloned(&rival.peer, peer));
        }
        if let Some(fellows) = &self.fellows {
            let from = ip(peer);
            if let Some(first) = fellows.rival(Rival { machine, boot, from }).await {
                return Err(Cloned { first, other: from });
            }
        }
        let now = Holder { boot, peer: peer.clone() };
        let mut claims = self.lock();
        // Who was silent once may be heard again, however often the newcomer asks.
        let silent = claims.get(&machine).and_then(|claim| claim.before.clone());
        let before = rival.or(silent).filter(|b| b.boot != boot && b.peer.connected());
        claims.insert(machine, Claim { now, before, elsewhere: None });
        Ok(())
    }

    /// Whether another power-on of a machine is alive here, when one wants to speak for it at another server; from where.
    pub(crate) async fn alive(&self, hub: &Hub, rival: &Rival) -> Option<IpAddr> {
        let Rival { machine, boot, from } = *rival;
        let holder = self.rival(machine, boot)?;
        if is_alive(hub, machine, &holder).await {
            return Some(ip(&holder.peer));
        }
        if let Some(claim) = self.lock().get_mut(&machine) {
            claim.elsewhere = Some(Elsewhere { boot, from, again: false });
        }
        None
    }

    /// A power-on is heard again at another server that was silent when this one asked for it.
    pub(crate) fn heard_elsewhere(&self, rival: &Rival) {
        let Rival { machine, boot, from } = *rival;
        if let Some(claim) = self.lock().get_mut(&machine).filter(|claim| claim.now.boot != boot) {
            claim.elsewhere = Some(Elsewhere { boot, from, again: true });
        }
    }

    /// The same as [`Self::check`], for what is known of other servers: `None` when that decides nothing.
    fn check_elsewhere(
        &self,
        claim: &mut Claim,
        machine: i64,
        this: &Holder,
    ) -> Option<Result<Option<Cloned>, Cloned>> {
        let there = claim.elsewhere?;
        let from = ip(&this.peer);
        if there.boot == this.boot {
            // It has come over to this server.
            *claim = Claim { now: this.clone(), before: None, elsewhere: None };
            return Some(Ok(None));
        }
        if this.boot != claim.now.boot {
            return None;
        }
        if there.again {
            return Some(Err(Cloned { first: there.from, other: from }));
        }
        claim.elsewhere = None;
        if let Some(fellows) = self.fellows.clone() {
            let rival = Rival { machine, boot: this.boot, from };
            tokio::spawn(async move { fellows.heard_again(rival).await });
        }
        Some(Ok(Some(Cloned { first: from, other: there.from })))
    }

    /// A power-on speaks. One that was there before, and only kept silent, is heard again, and then there are two:
    /// the error of the second kind says so, and it may go on.
    pub(crate) fn check(
        &self,
        machine: i64,
        boot: BootId,
        peer: &Peer,
    ) -> Result<Option<Cloned>, Cloned> {
        let mut claims = self.lock();
        let this = Holder { boot, peer: peer.clone() };
        let Some(claim) = claims.get_mut(&machine) else {
            claims.insert(machine, Claim { now: this, before: None, elsewhere: None });
            return Ok(None);
        };
        if let Some(decided) = self.check_elsewhere(claim, machine, &this) {
            return decided;
        }
        if claim.now.boot == boot || !claim.now.peer.connected() || claim.now.peer.is(peer) {
            // What is known of other servers is about the one that has gone.
            claim.elsewhere = claim.elsewhere.filter(|_| claim.now.boot == boot);
            claim.now = this;
            return Ok(None);
        }
        if claim.before.as_ref().is_some_and(|before| before.boot == boot) {
            let second = std::mem::replace(&mut claim.now, this);
            claim.before = None;
            return Ok(Some(cloned(peer, &second.peer)));
        }
        Err(cloned(&claim.now.peer, peer))
    }

    /// Forgets machines that are no more.
    pub(crate) fn forget(&self, machines: &[i64]) {
        let mut claims = self.lock();
        for machine in machines {
            claims.remove(machine);
        }
    }

    /// Another power-on that speaks for the machine over a connection that has not ended.
    fn rival(&self, machine: i64, boot: BootId) -> Option<Holder> {
        let claims = self.lock();
        let now = &claims.get(&machine)?.now;
        (now.boot != boot && now.peer.connected()).then(|| now.clone())
    }

    /// The map is whole after each statement.
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Claim>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a power-on shows that it is alive, when it is asked.
async fn is_alive(hub: &Hub, machine: i64, holder: &Holder) -> bool {
    let until = Instant::now() + ALIVE;
    let requests = holder.peer.requests_begun();
    hub.wake_here(Topic::Nudge(machine));
    while holder.peer.connected() && Instant::now() < until {
        if holder.peer.requests_begun() != requests {
            return true;
        }
        sleep(LOOK).await;
    }
    false
}

fn ip(peer: &Peer) -> IpAddr {
    peer.address.ip().to_canonical()
}

fn cloned(first: &Peer, other: &Peer) -> Cloned {
    Cloned { first: ip(first), other: ip(other) }
}
