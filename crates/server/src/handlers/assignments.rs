//! Assignments, for operators.

use super::{State, body, finish, names};
use crate::{
    api::{Assign, Done, Target},
    problem::AsJson,
};
use axum::{Json, body::Body};

/// `POST assignments`: assign, or take back.
pub(crate) async fn assign(
    axum::extract::State(shared): State,
    body: Body,
) -> Result<Json<Done>, AsJson> {
    let assign: Assign = body::json(body).await?;
    if let Target::Group(name) = &assign.target {
        names::check("group", [name])?;
    }
    let done = finish(async move {
        let (bundle, changed) = shared.store.assign(&assign).await?;
        shared.hub.orders(&changed);
        Ok(Done { bundle, target: assign.target, machines: changed.len() as u64 })
    });
    Ok(Json(done.await?))
}
