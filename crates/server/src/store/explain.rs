//! Why a machine gets what it gets.

use super::{
    Result, Store,
    assignments::{APPLIES, ONCE, ORDER},
    policy::Stored,
};
use crate::{
    api::{Explanation, MachineDetails, State, Step, Verdict},
    hub::Hub,
    selector::Selector,
};
use sqlx::FromRow;
use std::collections::BTreeMap;

#[derive(FromRow)]
struct Row {
    id: i64,
    scope: String,
    group_name: Option<String>,
    selector: Option<String>,
    state: String,
    once: i64,
    confirm_s: Option<i64>,
    reason: Option<String>,
    bundle: Option<String>,
    serial: Option<i64>,
    ended: Option<String>,
    applies: i64,
    for_it: i64,
}

impl Row {
    fn what(&self) -> String {
        let whom = match (self.scope.as_str(), &self.group_name, &self.selector) {
            ("rescue", ..) => "because it failed".to_owned(),
            ("machine", ..) => "to this machine".to_owned(),
            (_, Some(group), _) => format!("to group {group}"),
            (_, _, Some(selector)) => format!("to labels {selector}"),
            _ => "by default".to_owned(),
        };
        let bundle = match (&self.bundle, self.serial) {
            (Some(name), Some(serial)) => format!(" {name} serial {serial}"),
            _ => String::new(),
        };
        let once = match (self.once, self.confirm_s) {
            (0, _) => String::new(),
            (_, None) => ", once".to_owned(),
            (_, Some(seconds)) => format!(", once, to be confirmed within {seconds} s"),
        };
        format!("{}{bundle} {whom}{once}", self.state)
    }

    fn why(&self, labels: &BTreeMap<String, String>, winner: Option<&Row>) -> (Verdict, String) {
        if let Some(ended) = &self.ended {
            let why = match ended.as_str() {
                "confirmed" => "it was done, and the system that it started confirmed that",
                "unconfirmed" => "the system that it started did not confirm in time",
                _ => "it was done",
            };
            return (Verdict::Passed, why.to_owned());
        }
        let selector = self.selector.as_deref().and_then(|text| Selector::parse(text).ok());
        if let Some(term) = selector.as_ref().and_then(|selector| selector.unmet(labels)) {
            return (Verdict::Passed, format!("its labels do not meet {term}"));
        }
        match winner {
            Some(winner) if winner.id == self.id => {
                let why = self.reason.clone();
                (Verdict::InForce, why.unwrap_or_else(|| "the most specific".to_owned()))
            }
            Some(winner) => (Verdict::Overridden, format!("goes after {}", winner.what())),
            None => (Verdict::Passed, "it is not for this machine".to_owned()),
        }
    }
}

impl Store {
    /// Why a machine gets what it gets.
    pub(crate) async fn explain(&self, id: i64, hub: &Hub) -> Result<Explanation> {
        let details = self.machine(id, hub).await?;
        // What concerns the machine, with what would but for its labels or because it is over.
        let sql = format!(
            "SELECT a.id, a.scope, a.group_name, a.selector, a.state, {ONCE}, a.confirm_s, a.reason, b.name AS bundle, \
             b.serial, (SELECT e.outcome FROM assignment_ends e WHERE e.assignment = a.id AND e.machine = m.id) AS ended, \
             CASE WHEN {APPLIES} THEN 1 ELSE 0 END AS applies, CASE WHEN a.scope = 'labels' OR a.machine = m.id OR \
             a.scope = 'default' OR a.group_name IN (SELECT g.name FROM machine_groups g WHERE g.machine = m.id) THEN 1 ELSE 0 END AS for_it \
             FROM machines m JOIN assignments a ON a.machine IS NULL OR a.machine = m.id \
             LEFT JOIN bundles b ON b.id = a.bundle WHERE m.id = $1 ORDER BY {ORDER}"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id);
        let rows: Vec<Row> = rows.fetch_all(&self.reader).await?;
        let (failures, place, retry_ms): (i64, Option<String>, Option<i64>) =
            sqlx::query_as("SELECT failures, place, retry_ms FROM machines WHERE id = $1")
                .bind(id)
                .fetch_one(&self.reader)
                .await?;
        let mut steps = vec![standing(&details)];
        let winner = rows.iter().find(|row| row.applies != 0);
        steps.extend(rows.iter().filter(|row| row.for_it != 0).map(|row| {
            let (verdict, why) = row.why(&details.machine.labels, winner);
            Step { what: row.what(), verdict, why }
        }));
        if winner.is_none() {
            let why = "xenoboot assign BUNDLE --machine NAME".to_owned();
            steps.push(Step {
                what: "no assignment is for it".into(),
                verdict: Verdict::Note,
                why,
            });
        }
        steps.extend(failing(failures, place, retry_ms, &self.stored_policy().await?));
        steps.extend(details.machine.flags.iter().map(|flag| Step {
            what: format!("flag {}", flag.kind),
            verdict: Verdict::Note,
            why: flag.reason.clone(),
        }));
        let machine = details.machine;
        Ok(Explanation {
            order: order(&machine.state, machine.assigned.as_ref()),
            machine: machine.name.unwrap_or(machine.fingerprint),
            steps,
            generation: machine.generation,
            observed: machine.observed,
        })
    }
}

fn standing(details: &MachineDetails) -> Step {
    let machine = &details.machine;
    let (verdict, why) = match machine.state {
        State::Pending => (Verdict::InForce, "an operator must approve it first"),
        State::Refused => (Verdict::InForce, "an operator refused it: it gets nothing"),
        State::Approved => (Verdict::Note, "it may have what is assigned to it"),
    };
    let state = match machine.state {
        State::Pending => "pending",
        State::Refused => "refused",
        State::Approved => "approved",
    };
    let what = format!("the machine {} is {state}", machine.fingerprint);
    Step { what, verdict, why: why.to_owned() }
}

fn failing(
    failures: i64,
    place: Option<String>,
    retry_ms: Option<i64>,
    policy: &Stored,
) -> Option<Step> {
    let place = place.filter(|_| failures > 0)?;
    let limit = match policy.failures {
        0 => "it never goes to rescue for that".to_owned(),
        most => format!("after {most} it goes to rescue"),
    };
    let seconds = retry_ms.map(|at| (at - crate::time::now_ms()).max(0) / 1000);
    let retry = seconds.map(|seconds| format!("; it tries again in {seconds} s"));
    let what = format!("it failed {failures} times in a row: {place}");
    Some(Step { what, verdict: Verdict::Note, why: limit + &retry.unwrap_or_default() })
}

fn order(state: &State, assigned: Option<&crate::api::Assigned>) -> String {
    match (state, assigned) {
        (State::Pending, _) => "to wait for approval".to_owned(),
        (State::Refused, _) => "nothing".to_owned(),
        (State::Approved, Some(assigned)) => match (&assigned.name, assigned.serial) {
            (Some(name), Some(serial)) => {
                format!("to run {name} serial {serial}, for {}", assigned.state.word())
            }
            _ => format!("to wait, for {}", assigned.state.word()),
        },
        (State::Approved, None) => "to wait: nothing is assigned".to_owned(),
    }
}
