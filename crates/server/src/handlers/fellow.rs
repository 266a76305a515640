//! What other servers of the same database ask (`/fellow/v1`): they show the key that all of them have.

use super::{State, body, console};
use crate::{
    fellows::{Heard, Rival},
    listen::Peer,
    problem::{Plain, Problem},
};
use axum::{
    Json,
    body::Body,
    extract::{Path, Request},
    http::{Response, StatusCode},
    middleware::Next,
};

/// Largest question, bytes.
const MOST: usize = 1 << 10;

/// Lets through those that have the server's own key.
pub(crate) async fn fellow(
    axum::extract::State(shared): State,
    request: Request,
    next: Next,
) -> Result<Response<Body>, Plain> {
    match request.extensions().get::<Peer>() {
        Some(peer) if peer.machine == Some(shared.own) => peer.trust(),
        _ => return Err(Problem::new(StatusCode::UNAUTHORIZED, "this is for servers").into()),
    }
    Ok(next.run(request).await)
}

/// `POST console/MACHINE`: an operator's bytes, for a machine that is connected here.
pub(crate) async fn console(
    axum::extract::State(shared): State,
    Path(machine): Path<i64>,
    body: Body,
) -> Result<Response<Body>, Plain> {
    Ok(console::join(&shared, machine, body).await?)
}

/// `POST rival`: whether another power-on of a machine is alive here.
pub(crate) async fn rival(
    axum::extract::State(shared): State,
    body: Body,
) -> Result<Json<Heard>, Plain> {
    let rival: Rival = body::json_of(body, MOST).await?;
    Ok(Json(Heard { alive: shared.claims.alive(&shared.hub, &rival).await }))
}

/// `POST heard`: a power-on that was silent is heard again where it asked.
pub(crate) async fn heard(
    axum::extract::State(shared): State,
    body: Body,
) -> Result<StatusCode, Plain> {
    let rival: Rival = body::json_of(body, MOST).await?;
    shared.claims.heard_elsewhere(&rival);
    Ok(StatusCode::NO_CONTENT)
}
