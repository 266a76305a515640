//! What machines are assigned: by machine, by group, by labels, or by default; the most specific is in force.

use super::{Result, Store, StoreError, Tx, audit};
use crate::{
    api::{self, Desired, Target},
    selector::Selector,
    time::now_ms,
};
use serde_json::json;

/// Whether assignment `a` is for machine `m`, and not over for it.
pub(super) const APPLIES: &str = "\
    (a.machine = m.id OR a.scope = 'default' \
     OR a.group_name IN (SELECT g.name FROM machine_groups g WHERE g.machine = m.id) \
     OR (a.scope = 'labels' AND NOT EXISTS (SELECT 1 FROM assignment_terms t WHERE t.assignment = a.id \
         AND t.wanted <> (SELECT COUNT(*) FROM machine_labels l WHERE l.machine = m.id AND l.key = t.key \
             AND (t.value IS NULL OR l.value = t.value))))) \
    AND NOT EXISTS (SELECT 1 FROM assignment_ends e WHERE e.assignment = a.id AND e.machine = m.id)";

/// Whether assignment `a` is for one time, as a number: what reads rows of either database has no truth values of SQLite.
pub(super) const ONCE: &str = "CASE WHEN a.once THEN 1 ELSE 0 END AS once";

/// Which of those is in force: the first.
pub(super) const ORDER: &str = "\
    CASE a.scope WHEN 'rescue' THEN 0 WHEN 'machine' THEN 1 WHEN 'group' THEN 2 WHEN 'labels' THEN 3 ELSE 4 END, \
    a.terms DESC, a.once DESC, a.id DESC";

/// Who brings it about that orders change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// An operator: machines begin anew, without their failures, and what is in force then is what he waits for.
    Operator,
    /// Something that a machine did or did not do.
    Itself,
}

/// Brings orders up to date, of one machine or of all: `machines.assignment`, and the generation where it changed.
/// Ids of assignments are never used twice, so assigning the same bundle again is a change too. Returns the
/// machines whose order changed.
pub(super) async fn refresh(tx: &mut Tx, by: By, only: Option<i64>) -> Result<Vec<i64>> {
    let anew = match by {
        By::Operator => ", asked = force.assignment, failures = 0, place = NULL",
        By::Itself => "",
    };
    let only_one = if only.is_some() { "WHERE m.id = $1" } else { "WHERE $1 = 0" };
    let sql = format!(
        "UPDATE machines SET generation = generation + 1, assignment = force.assignment, confirm_ms = NULL, \
         retry_ms = NULL{anew} FROM ( \
            SELECT m.id AS machine, (SELECT a.id FROM assignments a WHERE {APPLIES} ORDER BY {ORDER} LIMIT 1) \
            AS assignment FROM machines m {only_one} \
         ) AS force \
         WHERE machines.id = force.machine AND machines.state = 'approved' \
            AND machines.assignment IS DISTINCT FROM force.assignment \
         RETURNING id"
    );
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(only.unwrap_or_default());
    Ok(query.fetch_all(&mut **tx).await?)
}

/// An assignment that is to be made.
pub(super) struct New<'a> {
    pub(super) scope: &'a str,
    pub(super) machine: Option<i64>,
    pub(super) group: Option<&'a str>,
    pub(super) selector: Option<&'a Selector>,
    pub(super) state: Desired,
    pub(super) bundle: Option<i64>,
    pub(super) once: bool,
    pub(super) then: Option<(Desired, Option<i64>)>,
    pub(super) confirm_s: Option<i64>,
    pub(super) reason: Option<&'a str>,
}

impl<'a> New<'a> {
    /// Of nothing yet, for a target of this scope.
    pub(super) fn of(scope: &'a str, state: Desired, bundle: Option<i64>) -> Self {
        Self {
            scope,
            machine: None,
            group: None,
            selector: None,
            state,
            bundle,
            once: false,
            then: None,
            confirm_s: None,
            reason: None,
        }
    }

    /// Takes away what the target has: all of it, or only what is or is not for one time. Returns how many that were.
    async fn remove_others(&self, tx: &mut Tx, once: Option<bool>) -> Result<u64> {
        let remove = sqlx::query(
            "DELETE FROM assignments WHERE scope = $1 AND machine IS NOT DISTINCT FROM $2 \
             AND group_name IS NOT DISTINCT FROM $3 AND selector IS NOT DISTINCT FROM $4 AND ($5 IS NULL OR once = $5)",
        );
        let remove = remove.bind(self.scope).bind(self.machine).bind(self.group);
        let remove = remove.bind(self.selector.map(ToString::to_string)).bind(once);
        Ok(remove.execute(&mut **tx).await?.rows_affected())
    }

    async fn insert(&self, tx: &mut Tx) -> Result<i64> {
        let terms = self.selector.map_or(&[][..], Selector::terms);
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO assignments (scope, machine, group_name, selector, terms, state, bundle, once, then_state, \
             then_bundle, confirm_s, reason, assigned_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id",
        )
        .bind(self.scope)
        .bind(self.machine)
        .bind(self.group)
        .bind(self.selector.map(ToString::to_string))
        .bind(i64::try_from(terms.len()).unwrap_or(i64::MAX))
        .bind(self.state.word())
        .bind(self.bundle)
        .bind(self.once)
        .bind(self.then.map(|(state, _)| state.word()))
        .bind(self.then.and_then(|(_, bundle)| bundle))
        .bind(self.confirm_s)
        .bind(self.reason)
        .bind(now_ms())
        .fetch_one(&mut **tx)
        .await?;
        for term in terms {
            let insert = sqlx::query(
                "INSERT INTO assignment_terms (assignment, key, value, wanted) VALUES ($1, $2, $3, $4)",
            );
            let insert = insert.bind(id).bind(&term.key).bind(&term.value);
            insert.bind(i64::from(term.wanted)).execute(&mut **tx).await?;
        }
        Ok(id)
    }

    /// Puts it in the place of what the target has: a lasting one in the place of all, one for one time over the
    /// lasting one.
    pub(super) async fn replace(&self, tx: &mut Tx) -> Result<()> {
        self.remove_others(tx, self.once.then_some(true)).await?;
        self.insert(tx).await.map(drop)
    }

    /// Puts it in the place of the lasting one of its target.
    pub(super) async fn replace_lasting(&self, tx: &mut Tx) -> Result<()> {
        self.remove_others(tx, Some(false)).await?;
        self.insert(tx).await.map(drop)
    }
}

/// What an operator wants to be assigned, with everything found that it names.
struct Wanted {
    target: Target,
    machine: Option<i64>,
    selector: Option<Selector>,
    bundle: Option<super::bundles::Row>,
    then: Option<(Desired, Option<i64>)>,
}

impl Wanted {
    fn entry(&self, state: Desired) -> New<'_> {
        let (scope, group) = match &self.target {
            Target::Machine(_) => ("machine", None),
            Target::Group(name) => ("group", Some(name.as_str())),
            Target::Labels(_) => ("labels", None),
            Target::Default => ("default", None),
        };
        let selector = self.selector.as_ref();
        let bundle = self.bundle.as_ref().map(|bundle| bundle.id);
        New { machine: self.machine, group, selector, ..New::of(scope, state, bundle) }
    }

    /// For whom, in words.
    fn target(&self) -> String {
        match &self.target {
            Target::Machine(name) => format!("machine {name}"),
            Target::Group(name) => format!("group {name}"),
            Target::Labels(selector) => format!("labels {selector}"),
            Target::Default => "default".to_owned(),
        }
    }

    fn missing(&self) -> StoreError {
        let wanted = self.target();
        StoreError::NotFound { what: "assignment for", wanted, near: Vec::new() }
    }
}

impl Store {
    async fn wanted(&self, assign: &api::Assign) -> Result<Wanted> {
        let bundle = match &assign.bundle {
            Some(wanted) => Some(self.find_bundle(wanted).await?),
            None => None,
        };
        let then = match &assign.then {
            None => None,
            Some(goal) => {
                let bundle = match &goal.bundle {
                    Some(wanted) => Some(self.find_bundle(wanted).await?.id),
                    None => None,
                };
                Some((goal.state, bundle))
            }
        };
        let machine = match &assign.target {
            Target::Machine(wanted) => Some(self.find_machine(wanted).await?),
            _ => None,
        };
        let selector = match &assign.target {
            Target::Labels(text) => Some(Selector::parse(text)?),
            _ => None,
        };
        Ok(Wanted { target: assign.target.clone(), machine, selector, bundle, then })
    }

    /// Assigns a bundle, or takes an assignment back; returns the machines whose order changed.
    pub(crate) async fn assign(
        &self,
        assign: &api::Assign,
    ) -> Result<(Option<api::Bundle>, Vec<i64>)> {
        let wanted = self.wanted(assign).await?;
        let mut tx = self.begin().await?;
        if let Some(machine) = wanted.machine {
            // Whoever names the machine has decided: what was done because it failed is over.
            super::failing::lift(&mut tx, machine).await?;
        }
        let state = assign.state.unwrap_or_default();
        let new = wanted.entry(state);
        let takes_back = assign.bundle.is_none() && assign.state.is_none();
        if takes_back {
            if new.remove_others(&mut tx, assign.once.then_some(true)).await? == 0 {
                return Err(wanted.missing());
            }
        } else {
            let confirm_s = assign.confirm_within_s.map(i64::from);
            New { once: assign.once, then: wanted.then, confirm_s, ..new }.replace(&mut tx).await?;
        }
        let changed = refresh(&mut tx, By::Operator, None).await?;
        let action = if takes_back { "assignment.clear" } else { "assignment.set" };
        let bundle = wanted.bundle.as_ref().map(|bundle| bundle.digest.clone());
        let detail = json!({ "bundle": bundle, "state": assign.state, "once": assign.once, "then": assign.then,
            "confirm_within_s": assign.confirm_within_s, "machines": changed.len() });
        audit::note(&mut tx, action, &wanted.target(), detail).await?;
        tx.commit().await?;
        Ok((wanted.bundle.map(Into::into), changed))
    }
}
