//! Machines, for operators.

use super::{State, body, finish, names};
use crate::{
    api::{Approve, Expect, Groups, Machine, MachineDetails},
    problem::{AsJson, Problem},
    server::Shared,
    store::fingerprint_prefix,
};
use axum::{Json, body::Body, extract::Path};
use std::sync::Arc;
use xenoboot_wire::MachineKey;

type Answer<T> = Result<Json<T>, AsJson>;

/// `GET machines`.
pub(crate) async fn list(axum::extract::State(shared): State) -> Answer<Vec<Machine>> {
    let machines = shared.store.machines(None, &shared.hub).await?;
    Ok(Json(machines.into_iter().map(|details| details.machine).collect()))
}

/// `GET machines/MACHINE`.
pub(crate) async fn show(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
) -> Answer<MachineDetails> {
    let id = shared.store.find_machine(&machine).await?;
    Ok(Json(shared.store.machine(id, &shared.hub).await?))
}

/// `POST machines/MACHINE/approve`.
pub(crate) async fn approve(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    body: Body,
) -> Answer<MachineDetails> {
    let approve: Approve = body::json(body).await?;
    names::check("machine", &approve.name)?;
    names::check("group", &approve.groups)?;
    let changed = finish(async move {
        let id = shared.store.approve(&machine, &approve).await;
        let unseen = |problem: Problem| match identify(&machine) {
            Ok(_) => problem.hint("if it has not booted yet, approve it with --key"),
            Err(_) => problem,
        };
        told(&shared, id.map_err(|error| unseen(error.into()))?).await
    });
    Ok(Json(changed.await?))
}

/// `POST machines`.
pub(crate) async fn expect(
    axum::extract::State(shared): State,
    body: Body,
) -> Answer<MachineDetails> {
    let expect: Expect = body::json(body).await?;
    names::check("machine", &expect.name)?;
    names::check("group", &expect.groups)?;
    let (key, fingerprint) = identify(&expect.key)?;
    let approve = Approve { name: expect.name, groups: expect.groups };
    let changed = finish(async move {
        let id = shared.store.expect(key, &fingerprint, &approve).await?;
        told(&shared, id).await
    });
    Ok(Json(changed.await?))
}

/// A whole key or a whole fingerprint.
fn identify(text: &str) -> Result<(Option<MachineKey>, String), Problem> {
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
pub(crate) async fn refuse(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
) -> Answer<MachineDetails> {
    let changed = finish(async move {
        let id = shared.store.refuse(&machine).await?;
        told(&shared, id).await
    });
    Ok(Json(changed.await?))
}

/// `POST machines/MACHINE/groups`.
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

/// Tells a machine that waits, and whoever asked, what it is now.
async fn told(shared: &Arc<Shared>, id: i64) -> Result<MachineDetails, Problem> {
    shared.hub.orders(&[id]);
    Ok(shared.store.machine(id, &shared.hub).await?)
}
