//! What changes, as it changes (`text/event-stream`), for operators.

use super::State;
use crate::{api::Change, hub::Topic, server::Shared};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream::unfold};
use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::sleep,
};

/// For changes to gather: a machine that says much is told of once.
const GATHER: Duration = Duration::from_millis(250);

/// More machines at once are told of together.
const MOST: usize = 500;

/// One who listens.
struct Listener {
    shared: Arc<Shared>,
    changes: Receiver<Topic>,
    ready: VecDeque<Change>,
}

/// `GET stream`.
#[utoipa::path(
    get,
    path = "/stream",
    operation_id = "stream_stream",
    responses((status = 200, description = "each a `Change`, as long as there is a listener", body = Change, content_type = "text/event-stream")),
)]
pub(crate) async fn stream(
    axum::extract::State(shared): State,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    Sse::new(changes(shared)).keep_alive(KeepAlive::default())
}

/// The changes from now on.
pub(crate) fn changes(shared: Arc<Shared>) -> impl Stream<Item = Result<Event, Infallible>> {
    let changes = shared.hub.changes();
    let listener = Listener { shared, changes, ready: VecDeque::new() };
    unfold(listener, |mut listener| async move {
        let change = listener.next().await?;
        Some((Ok(event(&change)), listener))
    })
}

fn event(change: &Change) -> Event {
    let name = match change {
        Change::Machine { .. } => "machine",
        Change::Everything => "everything",
    };
    // Text and numbers alone: nothing of this can fail.
    Event::default().event(name).data(serde_json::to_string(change).unwrap_or_default())
}

impl Listener {
    /// The next change; `None` when the server stops.
    async fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Some(change);
            }
            let shared = Arc::clone(&self.shared);
            let first = tokio::select! {
                first = self.changes.recv() => first,
                () = shared.stopping() => return None,
            };
            if !self.gather(first).await {
                return None;
            }
        }
    }

    /// Takes in what changes for a moment; false when nothing comes any more.
    async fn gather(&mut self, first: Result<Topic, RecvError>) -> bool {
        let (mut machines, mut all) = (BTreeSet::new(), false);
        let mut take = |topic| match topic {
            Topic::Order(id) | Topic::Events(id) => drop(machines.insert(id)),
            Topic::All => all = true,
            Topic::Nudge(_) | Topic::Door(_) => {}
        };
        match first {
            Ok(topic) => take(topic),
            Err(RecvError::Lagged(_)) => self.ready.push_back(Change::Everything),
            Err(RecvError::Closed) => return false,
        }
        sleep(GATHER).await;
        while let Ok(topic) = self.changes.try_recv() {
            take(topic);
        }
        let names = if all || machines.len() > MOST {
            None
        } else {
            self.shared.store.names(&machines).await.ok()
        };
        match names {
            None => self.ready.push_back(Change::Everything),
            Some(names) => {
                self.ready.extend(names.into_iter().map(|machine| Change::Machine { machine }))
            }
        }
        true
    }
}
