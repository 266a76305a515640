//! Machines, for operators.

use super::{State, body, finish, names};
use crate::{
    api::{Approve, Explanation, Groups, Labels, Machine, MachineDetails},
    problem::{AsJson, Problem},
    server::Shared,
    store::fingerprint_prefix,
};
use axum::{Json, body::Body, extract::Path};
use std::sync::Arc;
use xenoboot_wire::MachineKey;

type Answer<T> = Result<Json<T>, AsJson>;

/// `GET machines`.
#[utoipa::path(
    get,
    path = "/machines",
    operation_id = "machines_list",
    responses((status = 200, description = "done", body = Vec<Machine>)),
)]
pub(crate) async fn list(axum::extract::State(shared): State) -> Answer<Vec<Machine>> {
    let machines = shared.store.machines(None, &shared.hub).await?;
    Ok(Json(machines.into_iter().map(|details| details.machine).collect()))
}

/// `GET machines/MACHINE`.
#[utoipa::path(
    get,
    path = "/machines/{machine}",
    operation_id = "machines_show",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    responses((status = 200, description = "done", body = MachineDetails)),
)]
pub(crate) async fn show(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
) -> Answer<MachineDetails> {
    let id = shared.store.find_machine(&machine).await?;
    Ok(Json(shared.store.machine(id, &shared.hub).await?))
}

/// `POST machines/MACHINE/approve`.
#[utoipa::path(
    post,
    path = "/machines/{machine}/approve",
    operation_id = "machines_approve",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    request_body = Approve,
    responses((status = 200, description = "done", body = MachineDetails)),
)]
pub(crate) async fn approve(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    body: Body,
) -> Answer<MachineDetails> {
    Ok(Json(approve_as(shared, machine, body::json(body).await?).await?))
}

/// Approves a machine, or renames it.
pub(crate) async fn approve_as(
    shared: Arc<Shared>,
    machine: String,
    approve: Approve,
) -> Result<MachineDetails, Problem> {
    names::check("machine", &approve.name)?;
    names::check("group", &approve.groups)?;
    names::check_labels(approve.labels.iter().flat_map(|(key, value)| [key, value]))?;
    finish(async move {
        let id = shared.store.approve(&machine, &approve).await;
        let unseen = |problem: Problem| match identify(&machine) {
            Ok(_) => problem.hint("if it has not booted yet, approve it with --key"),
            Err(_) => problem,
        };
        told(&shared, id.map_err(|error| unseen(error.into()))?).await
    })
    .await
}

/// A whole key or a whole fingerprint.
pub(super) fn identify(text: &str) -> Result<(Option<MachineKey>, String), Problem> {
    if let Ok(key) = text.parse::<MachineKey>() {
        return Ok((Some(key), key.fingerprint()));
    }
    let fingerprint = fingerprint_prefix(text);
    let symbol = |b: u8| {
        b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"ILOU".contains(&b)) || b == b'-'
    };
    let symbols = text.chars().filter(|c| *c != '-').count();
    if symbols == 20 && fingerprint.bytes().all(symbol) {
        return Ok((None, fingerprint));
    }
    Err(Problem::bad(format!("`{text}` is neither a machine's key nor a fingerprint"))
        .hint("a key is 64 hexadecimal digits, a fingerprint five groups such as 7ZQ4-0M3K-V9RB-22TC-HX5E"))
}

/// `POST machines/MACHINE/refuse`.
#[utoipa::path(
    post,
    path = "/machines/{machine}/refuse",
    operation_id = "machines_refuse",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    responses((status = 200, description = "done", body = MachineDetails)),
)]
pub(crate) async fn refuse(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
) -> Answer<MachineDetails> {
    Ok(Json(refuse_it(shared, machine).await?))
}

/// Refuses a machine.
pub(crate) async fn refuse_it(
    shared: Arc<Shared>,
    machine: String,
) -> Result<MachineDetails, Problem> {
    finish(async move {
        let id = shared.store.refuse(&machine).await?;
        told(&shared, id).await
    })
    .await
}

/// `POST machines/MACHINE/groups`.
#[utoipa::path(
    post,
    path = "/machines/{machine}/groups",
    operation_id = "machines_groups",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    request_body = Groups,
    responses((status = 200, description = "done", body = MachineDetails)),
)]
pub(crate) async fn groups(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    body: Body,
) -> Answer<MachineDetails> {
    let groups: Groups = body::json(body).await?;
    names::check("group", &groups.add)?;
    let changed = finish(async move {
        let (id, changed) = shared.store.regroup(&machine, &groups).await?;
        shared.hub.orders(&changed);
        Ok(shared.store.machine(id, &shared.hub).await?)
    });
    Ok(Json(changed.await?))
}

/// `POST machines/MACHINE/labels`.
#[utoipa::path(
    post,
    path = "/machines/{machine}/labels",
    operation_id = "machines_labels",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    request_body = Labels,
    responses((status = 200, description = "done", body = MachineDetails)),
)]
pub(crate) async fn labels(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    body: Body,
) -> Answer<MachineDetails> {
    let labels: Labels = body::json(body).await?;
    names::check_labels(labels.set.iter().flat_map(|(key, value)| [key, value]))?;
    let changed = finish(async move {
        let (id, changed) = shared.store.relabel(&machine, &labels).await?;
        shared.hub.orders(&changed);
        Ok(shared.store.machine(id, &shared.hub).await?)
    });
    Ok(Json(changed.await?))
}

/// `POST machines/MACHINE/clear`: what was done because it failed is over.
#[utoipa::path(
    post,
    path = "/machines/{machine}/clear",
    operation_id = "machines_clear",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    responses((status = 200, description = "done", body = MachineDetails)),
)]
pub(crate) async fn clear(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
) -> Answer<MachineDetails> {
    Ok(Json(clear_it(shared, machine).await?))
}

/// What was done because a machine failed is over.
pub(crate) async fn clear_it(
    shared: Arc<Shared>,
    machine: String,
) -> Result<MachineDetails, Problem> {
    finish(async move {
        let (id, changed) = shared.store.clear(&machine).await?;
        shared.hub.orders(&changed);
        Ok(shared.store.machine(id, &shared.hub).await?)
    })
    .await
}

/// `GET machines/MACHINE/explain`.
#[utoipa::path(
    get,
    path = "/machines/{machine}/explain",
    operation_id = "machines_explain",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    responses((status = 200, description = "done", body = Explanation)),
)]
pub(crate) async fn explain(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
) -> Answer<Explanation> {
    let id = shared.store.find_machine(&machine).await?;
    Ok(Json(shared.store.explain(id, &shared.hub).await?))
}

/// Tells a machine that waits, and whoever asked, what it is now.
async fn told(shared: &Arc<Shared>, id: i64) -> Result<MachineDetails, Problem> {
    shared.hub.orders(&[id]);
    Ok(shared.store.machine(id, &shared.hub).await?)
}
