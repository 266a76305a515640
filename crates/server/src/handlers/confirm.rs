//! How the system that a run started says that it is up.

use super::{State, body, finish, machine};
use crate::{
    hub::Topic,
    listen::Peer,
    problem::{Plain, Problem},
    store::Confirmed,
};
use axum::{
    Extension,
    body::Body,
    extract::Path,
    http::{Response, StatusCode},
};
use ring::rand::{SecureRandom, SystemRandom};
use xenoboot_wire::confirm::{ConfirmReply, ConfirmRequest, MAX_TOKEN};

/// Largest request for a token, bytes.
const MAX_REQUEST: usize = 1 << 10;

/// `POST /machine/v1/confirmation`: a token for the system that a run starts.
pub(crate) async fn issue(
    axum::extract::State(shared): State,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Result<Response<Body>, Plain> {
    let machine = machine::approved(&shared, &peer).await?.id;
    let request: ConfirmRequest = body::message(body, MAX_REQUEST).await?;
    let token = new_token()?;
    let kept = token.clone();
    finish(async move { Ok(shared.store.add_confirmation(machine, request.run, &kept).await?) })
        .await?;
    Ok(machine::cbor(&ConfirmReply { token }))
}

fn new_token() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the system gives no random bytes")
    })?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// `POST /confirm/TOKEN`: the system that a run started is up. Whoever asks has no key of the machine's.
pub(crate) async fn confirm(
    axum::extract::State(shared): State,
    Path(token): Path<String>,
) -> Result<&'static str, Plain> {
    let unknown = || Problem::missing("there is no such token\n");
    if token.len() > MAX_TOKEN {
        return Err(unknown().into());
    }
    let confirmed = finish(async move {
        let confirmed = shared.store.confirm(&token).await?;
        if let Confirmed::Now { machine, changed } = confirmed {
            tracing::info!(machine, "the system that was started is up");
            if changed {
                shared.hub.orders(&[machine]);
            }
            shared.hub.wake(Topic::Events(machine));
        }
        Ok(confirmed)
    });
    let gone = |error| Problem::new(StatusCode::GONE, error);
    match confirmed.await? {
        Confirmed::Now { .. } => Ok("confirmed\n"),
        Confirmed::Unknown => Err(unknown().into()),
        Confirmed::Used => Err(gone("the token was used before\n").into()),
        Confirmed::Expired => Err(gone("it is too late\n").into()),
    }
}
