//! Who asks.

use super::State;
use crate::{
    listen::Peer,
    problem::{AsJson, Problem},
};
use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::Response,
};
use xenoboot_wire::MachineKey;

/// Lets operators through: those with a token that we know.
pub(crate) async fn operator(
    axum::extract::State(shared): State,
    request: Request,
    next: Next,
) -> Result<Response, AsJson> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    if !token.is_some_and(|token| shared.is_operator(token)) {
        let problem =
            Problem::new(StatusCode::UNAUTHORIZED, "the token is not one of this server's");
        return Err(problem
            .hint("take the server's operator.toml anew: it is in its folder")
            .into());
    }
    if let Some(peer) = request.extensions().get::<Peer>() {
        peer.trust();
    }
    Ok(next.run(request).await)
}

/// The machine that asks.
pub(crate) fn machine(peer: &Peer) -> Result<MachineKey, Problem> {
    peer.machine.ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "a machine shows its key in a client certificate")
    })
}
