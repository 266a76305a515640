//! Machines that wait to be called: each leaves a request, which an operator's request is joined with.

use axum::body::Body;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Most requests that one machine may leave: a connection that is dead and one that is new.
const EACH: usize = 4;

/// An operator calls.
pub(crate) struct Call {
    /// What he sends.
    pub(crate) from: Body,
    /// Where what the machine sends is to go.
    pub(crate) to: oneshot::Sender<Body>,
}

/// The requests that were left, by the machine's number in the database.
#[derive(Default)]
pub(crate) struct Doors(Mutex<HashMap<i64, VecDeque<oneshot::Sender<Call>>>>);

impl Doors {
    fn all(&self) -> MutexGuard<'_, HashMap<i64, VecDeque<oneshot::Sender<Call>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A machine waits; dropped, it does not any more.
    pub(crate) fn open(&self, machine: i64) -> oneshot::Receiver<Call> {
        let (door, call) = oneshot::channel();
        let mut all = self.all();
        let doors = all.entry(machine).or_default();
        doors.retain(|door| !door.is_closed());
        if doors.len() >= EACH {
            doors.pop_front();
        }
        doors.push_back(door);
        call
    }

    /// Gives a call to the machine's newest request; the call comes back when there is none.
    pub(crate) fn call(&self, machine: i64, mut call: Call) -> Result<(), Call> {
        let mut all = self.all();
        let Some(doors) = all.get_mut(&machine) else { return Err(call) };
        while let Some(door) = doors.pop_back() {
            match door.send(call) {
                Ok(()) => return Ok(()),
                Err(back) => call = back,
            }
        }
        all.remove(&machine);
        Err(call)
    }

    /// Whether the machine waits.
    #[cfg(test)]
    fn waits(&self, machine: i64) -> bool {
        self.all().get(&machine).is_some_and(|doors| doors.iter().any(|door| !door.is_closed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call { from: Body::empty(), to: oneshot::channel().0 }
    }

    #[tokio::test]
    async fn the_newest_that_is_still_there_is_called() {
        let doors = Doors::default();
        assert!(doors.call(7, call()).is_err());
        let (old, gone) = (doors.open(7), doors.open(7));
        drop(gone);
        assert!(doors.waits(7) && doors.call(7, call()).is_ok());
        assert!(old.await.is_ok());
        assert!(!doors.waits(7) && doors.call(7, call()).is_err());
        assert!(doors.all().is_empty());
        // A machine that leaves many has the last of them.
        let left: Vec<_> = (0..10).map(|_| doors.open(8)).collect();
        assert_eq!(doors.all()[&8].len(), EACH);
        drop(left);
    }
}
