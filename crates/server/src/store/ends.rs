//! What is to be done once: when it is over for a machine, and how the system that a run started confirms it.

use super::{
    Result, Store, StoreError, Tx,
    assignments::{By, New, refresh},
    audit,
    failing::flag,
    power,
};
use crate::{api::Desired, time::now_ms};
use serde_json::json;
use sqlx::FromRow;
use xenoboot_wire::{Digest, RunId};

/// How long a token may be used, milliseconds; an assignment may say less.
const TOKEN_MS: i64 = 24 * 3_600_000;

/// Most tokens of one machine that are kept.
const MAX_TOKENS: i64 = 100;

/// How something that was to be done once ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Confirmed,
    Unconfirmed,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Confirmed => "confirmed",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

#[derive(FromRow)]
struct Once {
    id: i64,
    then_state: Option<String>,
    then_bundle: Option<i64>,
    confirm_s: Option<i64>,
}

/// A state as the database has it.
pub(super) fn desired(text: &str) -> Result<Desired> {
    match text {
        "boot" => Ok(Desired::Boot),
        "install" => Ok(Desired::Install),
        "rescue" => Ok(Desired::Rescue),
        "disabled" => Ok(Desired::Disabled),
        _ => Err(StoreError::Corrupt("a desired state")),
    }
}

/// A run of a machine has succeeded. What was to be done once is over then, or waits for its confirmation.
pub(super) async fn succeeded(tx: &mut Tx, machine: i64, run: i64) -> Result<bool> {
    let once = sqlx::query_as(
        "SELECT a.id, a.then_state, a.then_bundle, a.confirm_s FROM runs r JOIN assignments a ON a.id = r.assignment \
         WHERE r.id = $1 AND a.once",
    );
    let once: Option<Once> = once.bind(run).fetch_optional(&mut **tx).await?;
    let Some(once) = once else { return Ok(false) };
    let Some(seconds) = once.confirm_s else {
        return end(tx, machine, &once, Outcome::Done).await;
    };
    // The system may be quicker than the report of the run that started it.
    let confirmed = sqlx::query_scalar(
        "SELECT 1 FROM runs r JOIN confirmations c ON c.machine = r.machine AND c.run = r.run \
         WHERE r.id = $1 AND c.used_ms IS NOT NULL LIMIT 1",
    );
    let confirmed: Option<i64> = confirmed.bind(run).fetch_optional(&mut **tx).await?;
    if confirmed.is_some() {
        return end(tx, machine, &once, Outcome::Confirmed).await;
    }
    let wait = sqlx::query("UPDATE machines SET confirm_ms = $3 WHERE id = $1 AND assignment = $2");
    let wait = wait.bind(machine).bind(once.id).bind(now_ms() + seconds * 1000);
    if wait.execute(&mut **tx).await?.rows_affected() > 0 {
        return Ok(false);
    }
    // Another assignment has taken its place meanwhile.
    end(tx, machine, &once, Outcome::Done).await
}

/// Notes that it is over; whether the machine's order changed by that.
async fn end(tx: &mut Tx, machine: i64, once: &Once, outcome: Outcome) -> Result<bool> {
    let note = sqlx::query(
        "INSERT INTO assignment_ends (assignment, machine, outcome, at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    );
    let note = note.bind(once.id).bind(machine).bind(outcome.word()).bind(now_ms());
    if note.execute(&mut **tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let detail = json!({ "assignment": once.id, "outcome": outcome.word() });
    audit::note_of(tx, machine, "assignment.end", detail).await?;
    if outcome != Outcome::Unconfirmed
        && let Some(state) = &once.then_state
    {
        let machine = Some(machine);
        let new = New::of("machine", desired(state)?, once.then_bundle);
        New { machine, reason: Some("what was to be done once is done"), ..new }
            .replace_lasting(tx)
            .await?;
    }
    Ok(!refresh(tx, By::Itself, Some(machine)).await?.is_empty())
}

/// The system that was started has not said in time that it is up: the assignment before is in force again.
pub(super) async fn unconfirmed(tx: &mut Tx, machine: i64, why: &str) -> Result<bool> {
    let once = sqlx::query_as(
        "SELECT a.id, a.then_state, a.then_bundle, a.confirm_s FROM machines m JOIN assignments a ON a.id = m.assignment \
         WHERE m.id = $1 AND m.confirm_ms IS NOT NULL",
    );
    let once: Option<Once> = once.bind(machine).fetch_optional(&mut **tx).await?;
    let clear = sqlx::query("UPDATE machines SET confirm_ms = NULL WHERE id = $1");
    clear.bind(machine).execute(&mut **tx).await?;
    let Some(once) = once else { return Ok(false) };
    flag(tx, machine, "unconfirmed", why).await?;
    end(tx, machine, &once, Outcome::Unconfirmed).await
}

/// What became of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// The system is up; whether the order of this machine changed by it.
    Now { machine: i64, changed: bool },
    /// There is no such token.
    Unknown,
    /// It was used before.
    Used,
    /// It is too late.
    Expired,
}

impl Store {
    /// Keeps a token's digest for a run of a machine.
    pub(crate) async fn add_confirmation(
        &self,
        machine: i64,
        run: RunId,
        token: &str,
    ) -> Result<()> {
        let now = now_ms();
        let mut tx = self.begin().await?;
        let old = sqlx::query(
            "DELETE FROM confirmations WHERE machine = $1 AND hash NOT IN (SELECT hash FROM confirmations \
             WHERE machine = $1 AND expires_ms > $2 ORDER BY created_ms DESC LIMIT $3)",
        );
        old.bind(machine).bind(now).bind(MAX_TOKENS - 1).execute(&mut *tx).await?;
        let new = sqlx::query(
            "INSERT INTO confirmations (hash, machine, run, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5)",
        );
        let new = new.bind(Digest::of(token.as_bytes()).to_string()).bind(machine);
        new.bind(run.to_string()).bind(now).bind(now + TOKEN_MS).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Uses a token up.
    pub(crate) async fn confirm(&self, token: &str) -> Result<Confirmed> {
        let (hash, now) = (Digest::of(token.as_bytes()).to_string(), now_ms());
        let known = sqlx::query_as(
            "SELECT c.machine, c.run, c.expires_ms, c.used_ms, m.state FROM confirmations c \
             JOIN machines m ON m.id = c.machine WHERE c.hash = $1",
        );
        let mut tx = self.begin().await?;
        let known: Option<(i64, String, i64, Option<i64>, String)> =
            known.bind(&hash).fetch_optional(&mut *tx).await?;
        let (machine, run) = match known {
            None => return Ok(Confirmed::Unknown),
            Some((.., Some(_), _)) => return Ok(Confirmed::Used),
            Some((machine, run, expires, None, state)) if expires > now && state == "approved" => {
                (machine, run)
            }
            Some(_) => return Ok(Confirmed::Expired),
        };
        let once = sqlx::query_as(
            "SELECT a.id, a.then_state, a.then_bundle, a.confirm_s FROM runs r JOIN assignments a ON a.id = r.assignment \
             WHERE r.machine = $1 AND r.run = $2 AND a.once AND a.confirm_s IS NOT NULL",
        );
        let once: Option<Once> = once.bind(machine).bind(&run).fetch_optional(&mut *tx).await?;
        if let Some(once) = &once
            && ended_unconfirmed(&mut tx, machine, once.id).await?
        {
            return Ok(Confirmed::Expired);
        }
        let used = sqlx::query("UPDATE confirmations SET used_ms = $2 WHERE hash = $1");
        used.bind(&hash).bind(now).execute(&mut *tx).await?;
        let booted = sqlx::query(
            "UPDATE machines SET booted_ms = $2, seen_ms = $2, confirm_ms = NULL WHERE id = $1",
        );
        booted.bind(machine).bind(now).execute(&mut *tx).await?;
        let flags = sqlx::query("DELETE FROM flags WHERE machine = $1 AND kind = 'unconfirmed'");
        flags.bind(machine).execute(&mut *tx).await?;
        let changed = match &once {
            Some(once) => end(&mut tx, machine, once, Outcome::Confirmed).await?,
            None => false,
        };
        tx.commit().await?;
        Ok(Confirmed::Now { machine, changed })
    }

    /// Ends the wait for confirmations that are overdue; returns the machines whose order changed.
    pub(crate) async fn expire_confirmations(&self) -> Result<Vec<i64>> {
        let due = sqlx::query_scalar("SELECT id FROM machines WHERE confirm_ms <= $1");
        let due: Vec<i64> = due.bind(now_ms()).fetch_all(&self.reader).await?;
        let mut changed = Vec::new();
        for machine in due {
            let mut tx = self.begin().await?;
            // It may have confirmed meanwhile.
            let still =
                sqlx::query_scalar("SELECT 1 FROM machines WHERE id = $1 AND confirm_ms <= $2");
            let still: Option<i64> =
                still.bind(machine).bind(now_ms()).fetch_optional(&mut *tx).await?;
            if still.is_some() {
                power::missing(&mut tx, machine).await?;
            }
            if still.is_some()
                && unconfirmed(
                    &mut tx,
                    machine,
                    "the system that was started did not say in time that it is up",
                )
                .await?
            {
                changed.push(machine);
            }
            tx.commit().await?;
        }
        Ok(changed)
    }
}

async fn ended_unconfirmed(tx: &mut Tx, machine: i64, assignment: i64) -> Result<bool> {
    let ended = sqlx::query_scalar(
        "SELECT 1 FROM assignment_ends WHERE machine = $1 AND assignment = $2 AND outcome = 'unconfirmed'",
    );
    let ended: Option<i64> = ended.bind(machine).bind(assignment).fetch_optional(&mut **tx).await?;
    Ok(ended.is_some())
}
