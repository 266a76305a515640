//! Tokens, sessions of the dashboard and the audit log, for operators.

use super::{State, body, finish, names, params::Params};
use crate::{
    api::{Audit, GivenToken, NewToken, Session, Token},
    home,
    problem::{AsJson, Problem},
};
use axum::{Json, body::Body, extract::Path, http::StatusCode};
use serde::Deserialize;

/// The token that the server makes for its own operator.toml.
pub(crate) const OWN: &str = "admin";

/// Longest that a token may be good, seconds; without an end is another matter.
const MAX_EXPIRES_S: u32 = 10 * 366 * 86_400;

/// `GET tokens`.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "tokens_list",
    responses((status = 200, description = "done", body = Vec<Token>)),
)]
pub(crate) async fn list(axum::extract::State(shared): State) -> Result<Json<Vec<Token>>, AsJson> {
    Ok(Json(shared.store.tokens().await?))
}

/// `POST tokens`.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "tokens_new",
    request_body = NewToken,
    responses((status = 200, description = "done", body = GivenToken)),
)]
pub(crate) async fn new(
    axum::extract::State(shared): State,
    body: Body,
) -> Result<Json<GivenToken>, AsJson> {
    let new: NewToken = body::json(body).await?;
    names::check("token", [&new.name])?;
    if new.expires_s.is_some_and(|seconds| !(1..=MAX_EXPIRES_S).contains(&seconds)) {
        return Err(Problem::bad("a token is good for one second to ten years").into());
    }
    let token = home::new_token().map_err(|error| Problem::internal(&error))?;
    let given = finish(async move {
        let about = shared.store.add_token(&new, &token).await?;
        Ok(GivenToken { token, about })
    });
    Ok(Json(given.await?))
}

/// `DELETE tokens/NAME`.
#[utoipa::path(
    delete,
    path = "/tokens/{name}",
    operation_id = "tokens_revoke",
    params(("name" = String, Path, description = "the token's name")),
    responses((status = 204, description = "done")),
)]
pub(crate) async fn revoke(
    axum::extract::State(shared): State,
    Path(name): Path<String>,
) -> Result<StatusCode, AsJson> {
    if name == OWN {
        let problem = Problem::new(StatusCode::CONFLICT, "that is the token of operator.toml");
        return Err(problem.hint("remove operator.toml and start the server again").into());
    }
    finish(async move { Ok(shared.store.revoke_token(&name).await?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET sessions`.
#[utoipa::path(
    get,
    path = "/sessions",
    operation_id = "sessions_list",
    responses((status = 200, description = "done", body = Vec<Session>)),
)]
pub(crate) async fn sessions(
    axum::extract::State(shared): State,
) -> Result<Json<Vec<Session>>, AsJson> {
    Ok(Json(shared.store.sessions().await?))
}

/// `DELETE sessions/WHOSE`.
#[utoipa::path(
    delete,
    path = "/sessions/{whose}",
    operation_id = "sessions_end",
    params(("whose" = String, Path, description = "a session's id, or the name of whoever has logged in")),
    responses((status = 204, description = "done")),
)]
pub(crate) async fn end_sessions(
    axum::extract::State(shared): State,
    Path(whose): Path<String>,
) -> Result<StatusCode, AsJson> {
    finish(async move { Ok(shared.store.end_sessions(&whose).await?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which part of the log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    /// Only entries with higher numbers.
    #[serde(default)]
    after: i64,
}

/// `GET audit?after=N`.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "tokens_audit",
    params(("after" = Option<i64>, Query, description = "only entries with higher numbers")),
    responses((status = 200, description = "done", body = Audit)),
)]
pub(crate) async fn audit(
    axum::extract::State(shared): State,
    Params(After { after }): Params<After>,
) -> Result<Json<Audit>, AsJson> {
    Ok(Json(Audit { entries: shared.store.audit(after).await? }))
}
