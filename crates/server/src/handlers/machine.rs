//! What machines ask (`/machine/v1`): CBOR messages of the `wire` crate.

use super::{State, auth, body, bytes, clip, finish};
use crate::{
    api,
    claims::Cloned,
    hub::{Told, Topic},
    listen::Peer,
    notify,
    problem::{Plain, Problem},
    server::Shared,
    store::{Boot, Standing, audit},
    time::now_ms,
};
use axum::{
    Extension,
    body::Body,
    extract::Path,
    http::{HeaderMap, Response, StatusCode, header},
    response::IntoResponse,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use xenoboot_wire::{
    BootId, Digest, MAX_INLINE_BUNDLE, MAX_MESSAGE, Nonce, PROTOCOL,
    boot::{Assignment, BootReply, BootRequest, Bytes, Order, WaitReply, WaitRequest},
    encode,
    event::{EventAck, EventBatch, MAX_BATCH},
};

/// Largest message of a machine that need not be approved, bytes.
const MAX_STRANGER: usize = 128 << 10;

/// How long a question is held that has no answer yet; machines give up after more. Pings say whether the machine is
/// still there.
const HOLD: Duration = Duration::from_secs(230 * 60);
/// How often a machine that waits is noted as heard of.
const NOTE: Duration = Duration::from_secs(50);

/// How soon a machine may ask again for which there was no time, seconds.
const START_AGAIN_S: u32 = 3;
/// How soon a machine may ask again whose key another one uses, seconds.
const CLONE_WAITS_S: u32 = 30;

type Answer = Result<Response<Body>, Plain>;

pub(super) fn cbor<T: serde::Serialize>(message: &T) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/cbor")], encode(message)).into_response()
}

/// `POST boot`: the machine is here; what shall it do?
pub(crate) async fn boot(
    axum::extract::State(shared): State,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Answer {
    let key = auth::machine(&peer)?;
    let mut request: BootRequest = body::message(body, MAX_STRANGER).await?;
    if request.protocol != PROTOCOL {
        let error = format!("protocol {} is not spoken here, but {PROTOCOL}", request.protocol);
        return Err(Problem::bad(error).into());
    }
    clip::boot(&mut request);
    let busy = || Problem::later("many machines start at this moment", START_AGAIN_S);
    let _turn = shared.starts.wait().await.ok_or_else(busy)?;
    let nonce = request.nonce;
    let known = shared.store.standing(&key).await?;
    if let Some(known) = known.as_ref().filter(|known| known.state == api::State::Approved) {
        let claim = shared.claims.begin(&shared.hub, known.id, request.boot, &peer).await;
        if let Err(cloned) = claim {
            return Err(refuse_clone(&shared, known.id, &cloned).await?.into());
        }
    }
    let stranger = known.as_ref().is_none_or(|known| known.state != api::State::Approved);
    let standing = match known {
        // What is known of a stranger can be noted later; the disk is for those that have a right to it.
        Some(standing) if stranger && !shared.registrations.admit() => standing,
        None if !shared.registrations.admit() => {
            return Err(Problem::later("many machines register at this moment", 5).into());
        }
        _ => {
            let (shared, address) =
                (Arc::clone(&shared), peer.address.ip().to_canonical().to_string());
            let noted =
                finish(async move { note_boot(&shared, Boot { key, request, address }).await });
            audit::as_actor(format!("machine {}", key.fingerprint()), noted).await?
        }
    };
    if standing.state == api::State::Approved {
        peer.trust();
    }
    Ok(cbor(&reply(&shared, nonce, &standing).await?))
}

/// Says that a key is used in two places.
async fn note_clone(shared: &Arc<Shared>, machine: i64, cloned: &Cloned) -> Result<(), Problem> {
    let Cloned { first, other } = cloned;
    let reason = format!("its key is used at {first} and, later, at {other}");
    let shared = Arc::clone(shared);
    finish(async move {
        shared.store.flag_clone(machine, &reason).await?;
        notify::tell(&shared, machine, api::Kind::Cloned, &reason).await;
        Ok(())
    })
    .await
}

async fn refuse_clone(
    shared: &Arc<Shared>,
    machine: i64,
    cloned: &Cloned,
) -> Result<Problem, Problem> {
    note_clone(shared, machine, cloned).await?;
    let error = format!(
        "a machine with this key is at work at {} already: the boot medium may be a copy",
        cloned.first
    );
    Ok(Problem { retry_after: Some(CLONE_WAITS_S), ..Problem::new(StatusCode::CONFLICT, error) })
}

/// A power-on of a machine speaks: whether it may.
async fn claimed(
    shared: &Arc<Shared>,
    machine: i64,
    boot: BootId,
    peer: &Peer,
) -> Result<(), Problem> {
    match shared.claims.check(machine, boot, peer) {
        Ok(None) => Ok(()),
        Ok(Some(cloned)) => note_clone(shared, machine, &cloned).await,
        Err(cloned) => Err(refuse_clone(shared, machine, &cloned).await?),
    }
}

async fn note_boot(shared: &Shared, boot: Boot) -> Result<Standing, Problem> {
    let hub = Arc::clone(&shared.hub);
    let (standing, dropped) = shared.store.boot(boot, move |key| hub.online(key)).await?;
    shared.hub.forget(&dropped);
    shared.claims.forget(&dropped);
    // Whoever waits as a machine that was dropped must ask anew.
    shared.hub.orders(&dropped);
    shared.hub.saw(standing.id);
    // Runs of the power-on before may have been given up: whoever follows one must hear of it.
    shared.hub.wake(Topic::Events(standing.id));
    if standing.state == api::State::Pending {
        let text = "it waits for approval: xenoboot machine approve";
        notify::tell(shared, standing.id, api::Kind::Pending, text).await;
    }
    Ok(standing)
}

/// What a machine shall do.
async fn reply(shared: &Shared, nonce: Nonce, standing: &Standing) -> Result<BootReply, Problem> {
    let order = match (standing.state, &standing.bundle) {
        (api::State::Pending, _) => Order::Pending,
        (api::State::Refused, _) => Order::Refused,
        (api::State::Approved, None) => Order::Idle { generation: standing.generation },
        (api::State::Approved, Some(bundle)) => Order::Run(Assignment {
            generation: standing.generation,
            bundle: *bundle,
            envelope: inline(shared, bundle).await,
        }),
    };
    shared.hub.tell(standing.id, Told::from(&order));
    Ok(BootReply { nonce, time_ms: now_ms().unsigned_abs(), order })
}

/// The envelope, if it is small enough to go with the answer. Where it cannot be read the machine is told all the same what it
/// is to do: it fetches the envelope by itself, sees what is wrong, and says so.
async fn inline(shared: &Shared, bundle: &Digest) -> Option<Bytes> {
    match shared.blobs.small(bundle, MAX_INLINE_BUNDLE).await {
        Ok(envelope) => envelope.map(|envelope| Bytes(envelope.to_vec())),
        Err(error) => {
            tracing::error!(%error, "an assigned bundle cannot be read");
            None
        }
    }
}

/// `POST wait`: tell me when there is something else to do.
pub(crate) async fn wait(
    axum::extract::State(shared): State,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Answer {
    let key = auth::machine(&peer)?;
    let request: WaitRequest = body::message(body, MAX_STRANGER).await?;
    let unknown = || {
        Problem::new(
            StatusCode::CONFLICT,
            "this machine is not known: it must say first that it is here",
        )
    };
    let standing = shared.store.standing(&key).await?.ok_or_else(unknown)?;
    let id = standing.id;
    if standing.state == api::State::Approved {
        claimed(&shared, id, request.boot, &peer).await?;
    }
    let mut news = shared.hub.listen(Topic::Order(id));
    let mut nudge = shared.hub.listen(Topic::Nudge(id));
    let change = async {
        loop {
            shared.hub.saw(id);
            let standing = shared.store.standing(&key).await?.filter(|standing| standing.id == id);
            let standing = standing.ok_or_else(unknown)?;
            if is_news(&shared, &standing, request.generation) {
                return Ok::<_, Problem>(standing);
            }
            tokio::select! {
                () = news.wait() => {}
                () = sleep(NOTE) => {}
                // Those who wait ask again, of the server that is started next.
                () = shared.stopping() => return Err(Problem::later("the server stops", 1)),
            }
        }
    };
    let answered = tokio::select! {
        answered = timeout(HOLD, change) => answered.ok(),
        () = nudge.wait() => None,
    };
    let changed = match answered {
        None => None,
        Some(standing) => {
            let standing = standing?;
            if standing.state == api::State::Approved {
                peer.trust();
            }
            Some(reply(&shared, request.nonce, &standing).await?)
        }
    };
    Ok(cbor(&WaitReply { changed }))
}

/// Whether a machine that knows `generation` must be told where it stands. Pending and refused machines have none:
/// for them what they were told last decides.
fn is_news(shared: &Shared, standing: &Standing, generation: u64) -> bool {
    let told = match standing.state {
        api::State::Approved => return standing.generation != generation,
        api::State::Pending => Told::Pending,
        api::State::Refused => Told::Refused,
    };
    generation != 0 || shared.hub.told(standing.id) != Some(told)
}

/// The machine that asks, if it is approved.
pub(super) async fn approved(shared: &Shared, peer: &Peer) -> Result<Standing, Problem> {
    let key = auth::machine(peer)?;
    let refused = |error| Problem::new(StatusCode::FORBIDDEN, error);
    let standing =
        shared.store.standing(&key).await?.ok_or_else(|| refused("this machine is not known"))?;
    match standing.state {
        api::State::Pending => Err(refused("this machine waits for approval")),
        api::State::Refused => Err(refused("this machine was refused")),
        api::State::Approved => {
            peer.trust();
            shared.hub.saw(standing.id);
            Ok(standing)
        }
    }
}

/// `POST events`: what the machine has to report.
pub(crate) async fn events(
    axum::extract::State(shared): State,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Answer {
    let machine = approved(&shared, &peer).await?.id;
    let mut batch: EventBatch = body::message(body, MAX_MESSAGE).await?;
    check(&batch)?;
    claimed(&shared, machine, batch.boot, &peer).await?;
    batch.events.iter_mut().for_each(clip::event);
    let through = finish(async move {
        let stored = shared.store.add_events(machine, batch).await?;
        if stored.changed {
            shared.hub.orders(&[machine]);
        }
        shared.hub.wake(Topic::Events(machine));
        shared.hub.stored(stored.count);
        if let Some(failed) = &stored.failed {
            notify::tell(&shared, machine, api::Kind::Failed, failed).await;
        }
        Ok(stored.through)
    });
    let name = auth::machine(&peer)?.fingerprint();
    let through = audit::as_actor(format!("machine {name}"), through).await?;
    Ok(cbor(&EventAck { through }))
}

/// A batch has at most so many events, with numbers from 1 on that follow one another.
fn check(batch: &EventBatch) -> Result<(), Problem> {
    if batch.events.len() > MAX_BATCH {
        return Err(Problem::bad(format!("more than {MAX_BATCH} events")));
    }
    let first = batch.events.first().map_or(1, |event| event.number);
    // Far enough from the end of the numbers that none of these is past it.
    let in_range = first > 0 && first < u64::MAX >> 2;
    if !in_range || batch.events.iter().zip(first..).any(|(event, number)| event.number != number) {
        return Err(Problem::bad("the numbers of events do not follow one another from 1 on"));
    }
    Ok(())
}

/// `GET blob/DIGEST`, `GET bundle/DIGEST`.
pub(crate) async fn blob(
    axum::extract::State(shared): State,
    Extension(peer): Extension<Peer>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Answer {
    approved(&shared, &peer).await?;
    let digest: Digest = digest.parse().map_err(|e| Problem::missing(format!("{e}")))?;
    Ok(bytes::serve(&shared.blobs, &digest, &headers).await?)
}
