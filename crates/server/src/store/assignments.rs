//! What machines are assigned: by machine, by group, or by default; the most specific is in force.

use super::{Result, Store, StoreError, Tx};
use crate::{
    api::{self, Target},
    time::now_ms,
};

/// Brings `machines.assignment` up to date and counts their generations up where it changed. Ids of
/// assignments are never used twice, so assigning the same bundle again is a change too.
const REFRESH: &str = "\
    UPDATE machines SET generation = generation + 1, assignment = force.assignment FROM ( \
        SELECT m.id AS machine, ( \
            SELECT a.id FROM assignments a \
            WHERE a.machine = m.id OR a.scope = 'default' OR a.group_name IN \
                (SELECT g.name FROM machine_groups g WHERE g.machine = m.id) \
            ORDER BY CASE a.scope WHEN 'machine' THEN 0 WHEN 'group' THEN 1 ELSE 2 END, a.id DESC LIMIT 1 \
        ) AS assignment FROM machines m \
    ) AS force \
    WHERE machines.id = force.machine AND machines.state = 'approved' \
        AND machines.assignment IS DISTINCT FROM force.assignment \
    RETURNING id";

/// Brings all machines' orders up to date; returns those that changed.
pub(super) async fn refresh(tx: &mut Tx) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(REFRESH).fetch_all(&mut **tx).await?)
}

impl Store {
    /// Assigns a bundle, or takes an assignment back; returns the machines whose order changed.
    pub(crate) async fn assign(
        &self,
        assign: &api::Assign,
    ) -> Result<(Option<api::Bundle>, Vec<i64>)> {
        let bundle = match &assign.bundle {
            Some(wanted) => Some(self.find_bundle(wanted).await?),
            None => None,
        };
        let machine = match &assign.target {
            Target::Machine(wanted) => Some(self.find_machine(wanted).await?),
            Target::Group(_) | Target::Default => None,
        };
        let (scope, group) = match &assign.target {
            Target::Machine(_) => ("machine", None),
            Target::Group(name) => ("group", Some(name)),
            Target::Default => ("default", None),
        };
        let mut tx = self.begin().await?;
        let removed = sqlx::query(
            "DELETE FROM assignments WHERE scope = $1 \
             AND machine IS NOT DISTINCT FROM $2 AND group_name IS NOT DISTINCT FROM $3",
        );
        let removed =
            removed.bind(scope).bind(machine).bind(group).execute(&mut *tx).await?.rows_affected();
        match &bundle {
            None if removed == 0 => {
                let wanted = format!("{:?}", assign.target).to_lowercase();
                return Err(StoreError::NotFound {
                    what: "assignment for",
                    wanted,
                    near: Vec::new(),
                });
            }
            None => {}
            Some(bundle) => {
                sqlx::query(
                    "INSERT INTO assignments (scope, machine, group_name, bundle, assigned_ms) \
                     VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(scope)
                .bind(machine)
                .bind(group)
                .bind(bundle.id)
                .bind(now_ms())
                .execute(&mut *tx)
                .await?;
            }
        }
        let changed = refresh(&mut tx).await?;
        tx.commit().await?;
        Ok((bundle.map(Into::into), changed))
    }
}
