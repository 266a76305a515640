//! What is done about machines that fail, for operators.

use super::{State, body, finish};
use crate::{
    api::Policy,
    problem::{AsJson, Problem},
};
use axum::{Json, body::Body};

/// Longest times that make sense, seconds.
const MAX_S: u32 = 30 * 86_400;

/// `GET policy`.
#[utoipa::path(
    get,
    path = "/policy",
    operation_id = "policy_show",
    responses((status = 200, description = "done", body = Policy)),
)]
pub(crate) async fn show(axum::extract::State(shared): State) -> Result<Json<Policy>, AsJson> {
    Ok(Json(shared.store.policy().await?))
}

/// `PUT policy`.
#[utoipa::path(
    put,
    path = "/policy",
    operation_id = "policy_set",
    request_body = Policy,
    responses((status = 200, description = "done", body = Policy)),
)]
pub(crate) async fn set(
    axum::extract::State(shared): State,
    body: Body,
) -> Result<Json<Policy>, AsJson> {
    let policy: Policy = body::json(body).await?;
    if policy.retry_s > MAX_S || policy.silent_s > MAX_S {
        return Err(Problem::bad("a time is longer than 30 days").into());
    }
    let set = finish(async move {
        shared.store.set_policy(&policy).await?;
        Ok(shared.store.policy().await?)
    });
    Ok(Json(set.await?))
}
