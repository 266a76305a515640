//! All machines at once: switched on, waiting, told of something new; and with a server that dies meanwhile.

use super::{Fleet, failures, number};
use anyhow::{Context, Result};
use qemu_tests::{
    Bundle, Operator,
    figure::{Figure, Limit},
    wait::wait_until,
};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// For all of it.
const LIMIT: &str = "20m";

/// The storm's length, what went wrong, memory while all wait, and the time of a new assignment to the last machine.
pub(super) fn measure(operator: &Operator, machines: u32) -> Result<Vec<Figure>> {
    operator.order(&Bundle::new("storm", "echo hello"))?;
    operator.push(&Bundle::new("news", "echo news"))?;
    let (count, fleet) = (machines.to_string(), operator.fleet());
    let fleet = fleet.to_str().context("the folder's name is no text")?;
    let words = ["--machines", &count, "--enrol", "--runs", "2", "--check", "--for", LIMIT];
    let mut machines = Fleet::start(operator, &[&words[..], &["--fleet", fleet]].concat())?;
    let storm = machines.next()?;
    let (seconds, errors) = (number(&storm, "/elapsed_ms")? / 1000.0, number(&storm, "/errors")?);
    let (waiting, peak) = (operator.server.memory("VmRSS")?, operator.server.memory("VmHWM")?);
    println!(
        "storm: {seconds:.1} s, {errors} failures; the server has {waiting:.0} MB, at most {peak:.0} MB"
    );
    let asked = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    operator.run(&["assign", "news", "--default"])?;
    let news = machines.next()?;
    let delivered = number(&news, "/last_order_unix_ms")? / 1000.0 - asked;
    let waiting = waiting.max(operator.server.memory("VmRSS")?);
    let summary = machines.summary()?;
    let figure = |name, value, unit, limit| Figure { name, value, unit, limit: Limit::Most(limit) };
    Ok(vec![
        figure("storm", seconds, "s", 120.0),
        figure("storm-failures", errors, "failures", 0.0),
        figure("storm-lost", wrong(&summary)?, "lines", 0.0),
        figure("memory-waiting", waiting, "MB", 1000.0),
        figure("assign-to-all", delivered, "s", 15.0),
        figure("all-failures", failures(&summary), "failures", 0.0),
    ])
}

/// Lines that are lost, there twice, or nobody's.
fn wrong(summary: &Value) -> Result<f64> {
    let part = |name: &str| number(summary, &format!("/checked/{name}"));
    Ok(part("lost")? + part("twice")? + part("foreign")?)
}

/// The server is killed with SIGKILL when some have begun.
pub(super) fn killed(operator: &mut Operator, machines: u32) -> Result<Vec<Figure>> {
    operator.order(&Bundle::new("killed", "echo hello"))?;
    let (count, enough) = (machines.to_string(), (machines / 4).min(500));
    let list = ["run", "list", "--limit", &enough.to_string()];
    let words = ["--machines", &count, "--seed", "killed", "--enrol", "--runs", "1", "--check"];
    let fleet = Fleet::start(operator, &[&words[..], &["--for", LIMIT]].concat())?;
    wait_until("some machines to begin", Duration::from_secs(600), || {
        let runs = operator.run(&list)?;
        let of_this = |run: &&Value| run.get("name").and_then(Value::as_str) == Some("killed");
        let begun = runs.as_array().into_iter().flatten().filter(of_this).count();
        Ok((begun >= enough as usize).then_some(()))
    })?;
    operator.server.kill();
    operator.server.start_again()?;
    let summary = fleet.summary()?;
    let back = number(&summary, "/runs")?;
    Ok(vec![
        Figure {
            name: "killed-back",
            value: back,
            unit: "machines",
            limit: Limit::Least(machines.into()),
        },
        Figure {
            name: "killed-lost",
            value: wrong(&summary)?,
            unit: "lines",
            limit: Limit::Most(0.0),
        },
        Figure {
            name: "killed",
            value: number(&summary, "/seconds")?,
            unit: "s",
            limit: Limit::Most(300.0),
        },
    ])
}
