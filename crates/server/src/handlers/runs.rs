//! Runs and their logs, for operators.

use super::State;
use crate::{
    api::{Log, Run, RunDetails, RunState},
    hub::{News, Topic},
    problem::{AsJson, Problem},
    server::Shared,
    store::LogPage,
};
use axum::{
    Json,
    extract::{Path, Query},
};
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
pub(crate) async fn list(
    axum::extract::State(shared): State,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Run>>, AsJson> {
    let machine = match which.machine {
        Some(machine) => Some(shared.store.find_machine(&machine).await?),
        None => None,
    };
    Ok(Json(shared.store.runs(machine, which.limit.unwrap_or(LIST)).await?))
}

/// `GET runs/RUN`.
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
pub(crate) async fn of_machine(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    Query(wanted): Query<OfMachine>,
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
pub(crate) async fn log(
    axum::extract::State(shared): State,
    Path(run): Path<String>,
    Query(from): Query<From>,
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
