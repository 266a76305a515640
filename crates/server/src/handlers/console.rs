//! The console: an operator's request and a machine's are joined, and what one sends the other gets. It is SSH between
//! those two; nothing of it is looked at here, and nothing is kept.

use super::{State, machine};
use crate::{
    doors::Call,
    hub::Topic,
    listen::Peer,
    problem::{AsJson, Plain, Problem},
    server::Shared,
};
use axum::{
    Extension,
    body::Body,
    extract::Path,
    http::{Response, StatusCode},
};
use hyper::body::Incoming;
use std::time::Duration;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

/// For a machine to leave its next request, after it was called or has connected.
const SOON: Duration = Duration::from_secs(5);
/// How often it is looked for to which other server a machine is connected.
const LOOK: Duration = Duration::from_millis(250);

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
    let key = shared.store.key_of(id).await?;
    let mut news = shared.hub.listen(Topic::Door(id));
    let (to, from) = oneshot::channel();
    let mut call = Call { from: body, to };
    let until = Instant::now() + SOON;
    loop {
        call = match shared.doors.call(id, call) {
            Ok(()) => break,
            Err(back) => back,
        };
        if let (Some(fellows), Some(key)) = (&shared.fellows, key)
            && !shared.hub.online_here(&key)
        {
            match fellows.console(&shared.hub, &key, id, call.from).await {
                Ok(answer) => return Ok(relayed(&machine, answer)?),
                Err(back) => call.from = back,
            }
        }
        if Instant::now() > until {
            let details = shared.store.machine(id, &shared.hub).await?;
            return Err(nobody(&machine, details.machine.online).into());
        }
        let _ = timeout(LOOK, news.wait()).await;
    }
    tracing::info!(machine, "an operator is on the console");
    Ok(Response::new(from.await.map_err(|_| gone(&machine))?))
}

/// What another server has answered, to which the machine is connected.
fn relayed(
    machine: &str,
    answer: Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>>,
) -> Result<Response<Body>, Problem> {
    match answer {
        Ok(answer) if answer.status().is_success() => {
            tracing::info!(machine, "an operator is on the console, by way of another server");
            Ok(Response::new(Body::new(answer.into_body())))
        }
        Ok(_) => Err(nobody(machine, true)),
        Err(error) => {
            tracing::warn!(
                machine,
                error,
                "the server to which a machine is connected does not answer"
            );
            Err(gone(machine))
        }
    }
}

/// Joins an operator's bytes, which came by way of another server, with a request that the machine leaves here.
pub(super) async fn join(shared: &Shared, id: i64, body: Body) -> Result<Response<Body>, Problem> {
    let mut news = shared.hub.listen(Topic::Door(id));
    let (to, from) = oneshot::channel();
    let mut call = Call { from: body, to };
    let called = async {
        while let Err(back) = shared.doors.call(id, call) {
            call = back;
            news.wait().await;
        }
    };
    let none = |_| Problem::later("the machine takes no more sessions on its console", 5);
    timeout(SOON, called).await.map_err(none)?;
    Ok(Response::new(from.await.map_err(|_| gone("the machine"))?))
}

fn gone(machine: &str) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, format!("{machine} has just gone"))
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
