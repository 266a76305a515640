//! What is changed from a page: each form has the token of a page of ours, and each change is in the audit log.

use super::{
    page::{PageError, machine_path},
    session::{self, Session},
};
use crate::{
    api::{Approve, Assign, Desired, MachineDetails, PowerAct, Target},
    handlers::{State, assignments::assign_to, machines, power::switch_as},
    problem::Problem,
    server::Shared,
};
use axum::{Extension, body::Body, extract::Path, response::Redirect};
use serde::Deserialize;
use std::sync::Arc;

/// What forms send, all of them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    name: String,
    groups: String,
    bundle: String,
    state: Option<Desired>,
    once: bool,
    scope: String,
    whom: String,
    power: Option<PowerAct>,
}

fn filled(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// `POST /ui/machines/MACHINE/ACT`.
pub(super) async fn of_machine(
    axum::extract::State(shared): State,
    Extension(session): Extension<Session>,
    Path((machine, act)): Path<(String, String)>,
    body: Body,
) -> Result<Redirect, PageError> {
    let sent: Sent = session::form(&session, body).await?;
    let done = match act.as_str() {
        "approve" => machines::approve_as(shared, machine, approve(&sent)).await?,
        "refuse" => machines::refuse_it(shared, machine).await?,
        "clear" => machines::clear_it(shared, machine).await?,
        "assign" => {
            let assign =
                Assign { state: sent.state, ..assign(&sent, Target::Machine(machine.clone())) };
            assigned(shared, machine, assign).await?
        }
        "withdraw" => {
            let nothing = Sent::default();
            let assign = assign(&nothing, Target::Machine(machine.clone()));
            assigned(shared, machine, assign).await?
        }
        "power" => {
            let act = sent.power.ok_or_else(|| Problem::bad("it is not said what to do"))?;
            switch_as(Arc::clone(&shared), machine.clone(), act).await?;
            shown(&shared, &machine).await?
        }
        _ => return Err(Problem::missing("there is no such act").into()),
    };
    let name = done.machine.name.as_deref().unwrap_or(&done.machine.fingerprint);
    Ok(Redirect::to(&machine_path(name)))
}

fn approve(sent: &Sent) -> Approve {
    let groups = sent.groups.split([',', ' ']).filter_map(filled).collect();
    Approve { name: filled(&sent.name), groups, ..Approve::default() }
}

fn assign(sent: &Sent, target: Target) -> Assign {
    let bundle = filled(&sent.bundle);
    Assign { bundle, target, state: None, once: sent.once, then: None, confirm_within_s: None }
}

async fn assigned(
    shared: Arc<Shared>,
    machine: String,
    assign: Assign,
) -> Result<MachineDetails, Problem> {
    assign_to(Arc::clone(&shared), assign).await?;
    shown(&shared, &machine).await
}

async fn shown(shared: &Shared, machine: &str) -> Result<MachineDetails, Problem> {
    let id = shared.store.find_machine(machine).await?;
    Ok(shared.store.machine(id, &shared.hub).await?)
}

/// `POST /ui/bundles/BUNDLE/assign`.
pub(super) async fn assign_bundle(
    axum::extract::State(shared): State,
    Extension(session): Extension<Session>,
    Path(bundle): Path<String>,
    body: Body,
) -> Result<Redirect, PageError> {
    let sent: Sent = session::form(&session, body).await?;
    let whom = || filled(&sent.whom).ok_or_else(|| Problem::bad("it is not said to which"));
    let target = match sent.scope.as_str() {
        "machine" => Target::Machine(whom()?),
        "group" => Target::Group(whom()?),
        "labels" => Target::Labels(whom()?),
        "default" => Target::Default,
        _ => return Err(Problem::bad("it is not said to whom").into()),
    };
    let assign =
        Assign { bundle: Some(bundle.clone()), state: sent.state, ..assign(&sent, target) };
    assign_to(shared, assign).await?;
    Ok(Redirect::to(&format!("/ui/bundles/{bundle}")))
}
