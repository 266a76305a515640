//! The console: an operator's request and a machine's are joined, and what one sends the other gets. It is SSH between
//! those two; nothing of it is looked at here, and nothing is kept.

use super::{State, machine};
use crate::{
    doors::Call,
    hub::Topic,
    listen::Peer,
    problem::{AsJson, Plain, Problem},
};
use axum::{
    Extension,
    body::Body,
    extract::Path,
    http::{Response, StatusCode},
};
use std::time::Duration;
use tokio::{sync::oneshot, time::timeout};

/// For a machine to leave its next request, after it was called or has connected.
const SOON: Duration = Duration::from_secs(5);

/// `POST console`, of a machine: answered when an operator calls.
pub(crate) async fn door(
    axum::extract::State(shared): State,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Result<Response<Body>, Plain> {
    let id = machine::approved(&shared, &peer).await?.id;
    let call = shared.doors.open(id);
    shared.hub.wake(Topic::Door(id));
    tokio::select! {
        call = call => {
            let Call { from, to } = call.map_err(|_| Problem::later("there is a newer one", 60))?;
            // An operator who has gone meanwhile shows in `from`.
            let _ = to.send(body);
            Ok(Response::new(from))
        }
        () = shared.stopping() => Err(Problem::later("the server stops", 1).into()),
    }
}

/// `POST machines/MACHINE/console`: bytes to and from the machine's console.
pub(crate) async fn call(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    body: Body,
) -> Result<Response<Body>, AsJson> {
    let id = shared.store.find_machine(&machine).await?;
    let mut news = shared.hub.listen(Topic::Door(id));
    let (to, from) = oneshot::channel();
    let mut call = Call { from: body, to };
    let called = async {
        loop {
            match shared.doors.call(id, call) {
                Ok(()) => return,
                Err(back) => call = back,
            }
            news.wait().await;
        }
    };
    if timeout(SOON, called).await.is_err() {
        let details = shared.store.machine(id, &shared.hub).await?;
        return Err(nobody(&machine, details.machine.online).into());
    }
    let gone = |_| Problem::new(StatusCode::BAD_GATEWAY, format!("{machine} has just gone"));
    tracing::info!(machine, "an operator is on the console");
    Ok(Response::new(from.await.map_err(gone)?))
}

fn nobody(machine: &str, online: bool) -> Problem {
    if online {
        let error = format!("{machine} is connected, but takes no more sessions on its console");
        return Problem::later(error, 5)
            .hint("end some; or its image may be too old for a console");
    }
    let error = format!("{machine} is not connected");
    Problem::later(error, 5).hint("`xenoboot machine show` says when it was last heard of")
}
