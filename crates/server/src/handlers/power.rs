//! Switching machines on and off, for operators.

use super::{State, body, finish};
use crate::{
    api::{NewPower, Power, PowerAct, PowerDriver, Switch, Switched},
    notify, power,
    problem::{AsJson, Problem},
    server::Shared,
    store::power::Kept,
};
use axum::{Json, body::Body, extract::Path, http::StatusCode};
use std::sync::Arc;

/// Most attempts to bring a machine back, and longest wait between them, seconds.
const MAX_ATTEMPTS: u32 = 10;
const MAX_WAIT_S: u32 = 86_400;
/// Longest text in settings, bytes.
const MAX_TEXT: usize = 1024;

/// `GET machines/MACHINE/power`.
#[utoipa::path(
    get,
    path = "/machines/{machine}/power",
    operation_id = "power_show",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    responses((status = 200, description = "done", body = Power)),
)]
pub(crate) async fn show(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
) -> Result<Json<Power>, AsJson> {
    let id = shared.store.find_machine(&machine).await?;
    Ok(Json(shared.store.power(id).await?))
}

/// `PUT machines/MACHINE/power`.
#[utoipa::path(
    put,
    path = "/machines/{machine}/power",
    operation_id = "power_set",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    request_body = NewPower,
    responses((status = 200, description = "done", body = Power)),
)]
pub(crate) async fn set(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    body: Body,
) -> Result<Json<Power>, AsJson> {
    let new: NewPower = body::json(body).await?;
    check(&new)?;
    let set = finish(async move {
        let id = shared.store.find_machine(&machine).await?;
        let (driver, address) = power::address(&new.by);
        let text = serde_json::to_vec(&new.by).map_err(|error| Problem::internal(&error))?;
        let sealed = shared.sealer.seal(id, &text).map_err(|error| Problem::internal(&error))?;
        let (attempts, wait_s) = (new.attempts, new.wait_s);
        let kept = Kept { driver, address: &address, sealed: &sealed, attempts, wait_s };
        shared.store.set_power(id, &kept).await?;
        Ok(shared.store.power(id).await?)
    });
    Ok(Json(set.await?))
}

/// Refuses what cannot work, and texts that could be taken for something else than they are.
fn check(new: &NewPower) -> Result<(), Problem> {
    if new.attempts > MAX_ATTEMPTS || !(1..=MAX_WAIT_S).contains(&new.wait_s) {
        let error =
            "a machine is brought back in at most ten attempts, with one second to a day between";
        return Err(Problem::bad(error));
    }
    let url =
        |url: &str| notify::check(url).map_err(|error| Problem::bad(format!("the URL is {error}")));
    let texts: Vec<&str> = match &new.by {
        PowerDriver::Redfish { url: base, user, password, system, pin } => {
            url(base)?;
            let more = [system, pin].into_iter().flatten().map(String::as_str);
            [base.as_str(), user, password].into_iter().chain(more).collect()
        }
        PowerDriver::Ipmi { host, user, password, cipher_suite, .. } => {
            if cipher_suite.is_some_and(|suite| !power::CIPHER_SUITES.contains(&suite)) {
                return Err(Problem::bad("cipher_suite is 3, 8, 12 or 17: others do not encrypt"));
            }
            // Neither may look like an option of the program that gets it.
            if host.is_empty() || [host, user].into_iter().any(|text| text.starts_with('-')) {
                return Err(Problem::bad(
                    "host and user do not begin with `-`, and there must be a host",
                ));
            }
            vec![host, user, password]
        }
        PowerDriver::Outlet { on, off, status, is_on, user, password, pin } => {
            for wanted in [Some(on), Some(off), status.as_ref()].into_iter().flatten() {
                url(wanted)?;
            }
            let more = [status, is_on, user, password, pin].into_iter().flatten();
            [on, off].into_iter().chain(more).map(String::as_str).collect()
        }
        PowerDriver::Snmp(outlet) => {
            power::check_snmp(outlet).map_err(Problem::bad)?;
            let secrets = [&outlet.community, &outlet.user, &outlet.auth_password];
            let more = secrets.into_iter().chain([&outlet.privacy_password]).flatten();
            [&outlet.host, &outlet.oid].into_iter().chain(more).map(String::as_str).collect()
        }
        PowerDriver::Command { program } if power::is_program(program) => Vec::new(),
        PowerDriver::Command { .. } => {
            return Err(Problem::bad("a program is a file's name in the server's folder power.d"));
        }
    };
    let bad = |text: &&str| text.len() > MAX_TEXT || text.chars().any(char::is_control);
    if texts.iter().any(bad) {
        return Err(Problem::bad(format!(
            "a text has control characters, or more than {MAX_TEXT} bytes"
        )));
    }
    Ok(())
}

/// `DELETE machines/MACHINE/power`.
#[utoipa::path(
    delete,
    path = "/machines/{machine}/power",
    operation_id = "power_forget",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    responses((status = 204, description = "done")),
)]
pub(crate) async fn forget(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
) -> Result<StatusCode, AsJson> {
    finish(async move {
        let id = shared.store.find_machine(&machine).await?;
        Ok(shared.store.forget_power(id).await?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST machines/MACHINE/power`.
#[utoipa::path(
    post,
    path = "/machines/{machine}/power",
    operation_id = "power_switch",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    request_body = Switch,
    responses((status = 200, description = "done", body = Switched)),
)]
pub(crate) async fn switch(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    body: Body,
) -> Result<Json<Switched>, AsJson> {
    let Switch { act } = body::json(body).await?;
    Ok(Json(switch_as(shared, machine, act).await?))
}

/// Switches a machine.
pub(crate) async fn switch_as(
    shared: Arc<Shared>,
    machine: String,
    act: PowerAct,
) -> Result<Switched, Problem> {
    finish(async move {
        let id = shared.store.find_machine(&machine).await?;
        // Whoever has no driver gets no entry.
        shared.store.power(id).await?;
        if act != PowerAct::Status {
            shared.store.note_power(id, act.word()).await?;
        }
        Ok(Switched { on: power::switch(&shared, id, act).await? })
    })
    .await
}
