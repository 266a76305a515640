//! Assignments, for operators.

use super::{State, body, finish, names};
use crate::{
    api::{Assign, Desired, Done, Goal, Target},
    problem::{AsJson, Problem},
    server::Shared,
};
use axum::{Json, body::Body};
use std::sync::Arc;

/// Longest that a system may take to say that it is up, seconds.
const MAX_CONFIRM_S: u32 = 86_400;

/// `POST assignments`: assign, or take back.
#[utoipa::path(
    post,
    path = "/assignments",
    operation_id = "assignments_assign",
    request_body = Assign,
    responses((status = 200, description = "done", body = Done)),
)]
pub(crate) async fn assign(
    axum::extract::State(shared): State,
    body: Body,
) -> Result<Json<Done>, AsJson> {
    Ok(Json(assign_to(shared, body::json(body).await?).await?))
}

/// Assigns, or takes back.
pub(crate) async fn assign_to(shared: Arc<Shared>, assign: Assign) -> Result<Done, Problem> {
    check(&assign)?;
    finish(async move {
        let (bundle, changed) = shared.store.assign(&assign).await?;
        shared.hub.orders(&changed);
        let state = bundle.as_ref().map(|_| assign.state.unwrap_or_default()).or(assign.state);
        Ok(Done { bundle, state, target: assign.target, machines: changed.len() as u64 })
    })
    .await
}

/// Refuses what contradicts itself.
fn check(assign: &Assign) -> Result<(), Problem> {
    if let Target::Group(name) = &assign.target {
        names::check("group", [name])?;
    }
    if let Some(state) = assign.state {
        check_goal(state, assign.bundle.is_some())?;
    }
    if let Some(Goal { state, bundle }) = &assign.then {
        check_goal(*state, bundle.is_some())?;
    }
    let takes_back = assign.bundle.is_none() && assign.state.is_none();
    if (takes_back || !assign.once) && (assign.then.is_some() || assign.confirm_within_s.is_some())
    {
        return Err(Problem::bad("`then` and `confirm_within_s` are for what is to be done once"));
    }
    if assign.once && assign.bundle.is_none() && !takes_back {
        return Err(Problem::bad("what is to be done once needs a bundle: waiting has no end"));
    }
    match assign.confirm_within_s {
        Some(seconds) if !(1..=MAX_CONFIRM_S).contains(&seconds) => {
            Err(Problem::bad("a confirmation takes from one second to a day"))
        }
        _ => Ok(()),
    }
}

fn check_goal(state: Desired, has_bundle: bool) -> Result<(), Problem> {
    match (state, has_bundle) {
        (Desired::Boot | Desired::Install, false) => {
            Err(Problem::bad(format!("`{}` needs a bundle", state.word())))
        }
        (Desired::Disabled, true) => {
            Err(Problem::bad("`disabled` runs nothing: it takes no bundle"))
        }
        _ => Ok(()),
    }
}
