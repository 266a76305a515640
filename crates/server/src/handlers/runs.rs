//! Runs and their logs, for operators.

use super::{State, params::Params};
use crate::{
    api::{Log, Run, RunDetails, RunState},
    hub::{News, Topic},
    problem::{AsJson, Problem},
    server::Shared,
    store::LogPage,
};
use axum::{Json, extract::Path};
use serde::Deserialize;
use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Longest that a question is held.
const HOLD_S: u64 = 50;

/// How many runs a list has, unless told otherwise.
const LIST: i64 = 50;

/// Which runs to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    machine: Option<String>,
    limit: Option<i64>,
}

/// `GET runs?machine=MACHINE&limit=N`.
#[utoipa::path(
    get,
    path = "/runs",
    operation_id = "runs_list",
    params(("machine" = Option<String>, Query, description = "only those of this machine"), ("limit" = Option<i64>, Query, description = "at most so many")),
    responses((status = 200, description = "done", body = Vec<Run>)),
)]
pub(crate) async fn list(
    axum::extract::State(shared): State,
    Params(which): Params<Which>,
) -> Result<Json<Vec<Run>>, AsJson> {
    let machine = match which.machine {
        Some(machine) => Some(shared.store.find_machine(&machine).await?),
        None => None,
    };
    Ok(Json(shared.store.runs(machine, which.limit.unwrap_or(LIST)).await?))
}

/// `GET runs/RUN`.
#[utoipa::path(
    get,
    path = "/runs/{run}",
    operation_id = "runs_show",
    params(("run" = String, Path, description = "its id, or the beginning of it")),
    responses((status = 200, description = "done", body = RunDetails)),
)]
pub(crate) async fn show(
    axum::extract::State(shared): State,
    Path(run): Path<String>,
) -> Result<Json<RunDetails>, AsJson> {
    let (id, _) = shared.store.find_run(&run).await?;
    Ok(Json(shared.store.run(id).await?))
}

/// Which run of a machine.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfMachine {
    /// Only one of what the machine is assigned now, begun after it was assigned.
    #[serde(default)]
    current: bool,
    /// Only another one than this.
    other_than: Option<String>,
    /// With none, wait so long for one.
    #[serde(default)]
    wait_s: u64,
}

/// `GET machines/MACHINE/run?current=BOOL&other_than=RUN&wait_s=S`: the machine's last run; `null` when there is none.
#[utoipa::path(
    get,
    path = "/machines/{machine}/run",
    operation_id = "runs_of_machine",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two"), ("current" = Option<bool>, Query, description = "only one of what was assigned last, begun after that"), ("other_than" = Option<String>, Query, description = "only another one than this"), ("wait_s" = Option<u64>, Query, description = "with none, wait so long for one, at most 50 s")),
    responses((status = 200, description = "done", body = Option<Run>)),
)]
pub(crate) async fn of_machine(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    Params(wanted): Params<OfMachine>,
) -> Result<Json<Option<Run>>, AsJson> {
    let id = shared.store.find_machine(&machine).await?;
    let news = shared.hub.listen(Topic::Events(id));
    let found = held(&shared, news, wanted.wait_s, || async {
        let run = shared.store.last_run(id, wanted.current).await?;
        Ok(run.filter(|run| Some(&run.run) != wanted.other_than.as_ref()))
    });
    Ok(Json(found.await?))
}

/// Which part of a log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct From {
    /// Only events with higher numbers.
    #[serde(default)]
    after: i64,
    /// With none, wait so long for one.
    #[serde(default)]
    wait_s: u64,
}

/// `GET runs/RUN/log?after=N&wait_s=S`.
#[utoipa::path(
    get,
    path = "/runs/{run}/log",
    operation_id = "runs_log",
    params(("run" = String, Path, description = "its id, or the beginning of it"), ("after" = Option<i64>, Query, description = "only events with higher numbers"), ("wait_s" = Option<u64>, Query, description = "with none, wait so long for one, at most 50 s")),
    responses((status = 200, description = "done", body = Log)),
)]
pub(crate) async fn log(
    axum::extract::State(shared): State,
    Path(run): Path<String>,
    Params(from): Params<From>,
) -> Result<Json<Log>, AsJson> {
    let (run, machine) = shared.store.find_run(&run).await?;
    let news = shared.hub.listen(Topic::Events(machine));
    let page = LogPage { run, after: from.after };
    let found = held(&shared, news, from.wait_s, || async {
        let log = shared.store.log(page).await?;
        let is_news = !log.events.is_empty() || log.run.state != RunState::Running;
        Ok(is_news.then_some(log))
    });
    match found.await? {
        Some(log) => Ok(Json(log)),
        None => Ok(Json(shared.store.log(page).await?)),
    }
}

/// Asks until there is an answer, each time that there is news, for at most `wait_s` seconds.
async fn held<T, F>(
    shared: &Shared,
    mut news: News,
    wait_s: u64,
    ask: impl Fn() -> F,
) -> Result<Option<T>, Problem>
where
    F: Future<Output = Result<Option<T>, Problem>>,
{
    let until = Instant::now() + Duration::from_secs(wait_s.min(HOLD_S));
    loop {
        if let Some(answer) = ask().await? {
            return Ok(Some(answer));
        }
        tokio::select! {
            () = news.wait() => {}
            () = sleep_until(until) => return Ok(None),
            () = shared.stopping() => return Ok(None),
        }
    }
}
