//! Which power-on speaks for a machine. A disk that was copied is a copied key: two machines would then be one, and
//! each would be told that what the other did is done. A newcomer does not take the place of one that is alive.

use crate::{
    hub::{Hub, Topic},
    listen::Peer,
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
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
pub(crate) struct Claims(Mutex<HashMap<i64, Claim>>);

impl Claims {
    /// A machine that has just started wants to speak: not while another power-on is alive elsewhere.
    pub(crate) async fn begin(
        &self,
        hub: &Hub,
        machine: i64,
        boot: BootId,
        peer: &Peer,
    ) -> Result<(), Cloned> {
        let until = Instant::now() + ALIVE;
        let rival = self.rival(machine, boot, peer);
        if let Some(rival) = &rival {
            let requests = rival.peer.requests_begun();
            hub.wake(Topic::Nudge(machine));
            while rival.peer.connected() && Instant::now() < until {
                if rival.peer.requests_begun() != requests {
                    return Err(cloned(&rival.peer, peer));
                }
                sleep(LOOK).await;
            }
        }
        let now = Holder { boot, peer: peer.clone() };
        let mut claims = self.lock();
        // Who was silent once may be heard again, however often the newcomer asks.
        let silent = claims.get(&machine).and_then(|claim| claim.before.clone());
        let before = rival.or(silent).filter(|b| b.boot != boot && b.peer.connected());
        claims.insert(machine, Claim { now, before });
        Ok(())
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
            claims.insert(machine, Claim { now: this, before: None });
            return Ok(None);
        };
        if claim.now.boot == boot || !claim.now.peer.connected() || claim.now.peer.is(peer) {
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
    fn rival(&self, machine: i64, boot: BootId, peer: &Peer) -> Option<Holder> {
        let claims = self.lock();
        let now = &claims.get(&machine)?.now;
        (now.boot != boot && now.peer.connected() && !now.peer.is(peer)).then(|| now.clone())
    }

    /// The map is whole after each statement.
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cloned(first: &Peer, other: &Peer) -> Cloned {
    let ip = |peer: &Peer| peer.address.ip().to_canonical();
    Cloned { first: ip(first), other: ip(other) }
}
