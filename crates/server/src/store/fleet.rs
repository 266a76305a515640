//! The fleet at a glance: how many machines do what, and a page of those that are looked for. The database sorts,
//! filters and cuts, so that ten thousand machines are no more work than fifty.

use super::{Result, Store};
use crate::{hub::Hub, time::now_ms};
use sqlx::{AssertSqlSafe, FromRow};

/// Machines on a page.
pub(crate) const FLEET_PAGE: i64 = 50;

/// What machines do, in one word each: `pending` and `refused` of those that get nothing; of the others `booted`, `never`,
/// `silent`, `failed`, `working` or `waiting`. The same distinctions as in `observed`, in SQL; a test holds them together.
/// `$1`: before when a machine must have been heard of to be silent; `$2`: the keys that are connected, as JSON, which
/// `strings` reads.
fn fleet(strings: &str) -> String {
    format!(
        "\
    WITH fleet AS (SELECT m.*, CASE \
      WHEN m.state <> 'approved' THEN m.state \
      WHEN m.booted_ms IS NOT NULL THEN 'booted' \
      WHEN m.seen_ms IS NULL THEN 'never' \
      WHEN m.confirm_ms IS NULL AND m.seen_ms < $1 \
        AND (m.key IS NULL OR m.key NOT IN ({strings})) THEN 'silent' \
      WHEN m.failure_ms >= COALESCE(p.first_ms, 0) AND m.failure_ms >= COALESCE(m.phase_ms, 0) THEN 'failed' \
      WHEN m.phase = 'network' THEN 'working' \
      WHEN r.state = 'lost' AND COALESCE(m.phase, 'wait') NOT IN ('contact', 'verify', 'fetch') THEN 'waiting' \
      WHEN r.state = 'lost' OR (r.state IS NULL AND COALESCE(m.phase, 'wait') <> 'wait') THEN 'working' \
      WHEN r.state IS NULL THEN 'waiting' \
      WHEN r.state = 'running' OR m.phase IN ('verify', 'fetch') THEN 'working' \
      WHEN r.state = 'failed' THEN 'failed' \
      ELSE 'waiting' END AS doing \
    FROM machines m LEFT JOIN boots p ON p.id = m.boot \
    LEFT JOIN runs r ON r.id = (SELECT MAX(l.id) FROM runs l WHERE l.machine = m.id) AND r.boot = m.boot) "
    )
}

/// `$3`: a word of those above, or `flagged`, or nothing; `$4`: a pattern, or nothing.
const WHERE: &str = "\
    WHERE ($3 = '' OR f.doing = $3 OR ($3 = 'flagged' AND EXISTS (SELECT 1 FROM flags x WHERE x.machine = f.id))) \
    AND ($4 = '' OR LOWER(f.name) LIKE $4 ESCAPE '!' OR LOWER(f.suggested_name) LIKE $4 ESCAPE '!' OR LOWER(f.fingerprint) LIKE $4 ESCAPE '!' \
      OR LOWER(f.address) LIKE $4 ESCAPE '!' \
      OR EXISTS (SELECT 1 FROM machine_groups g WHERE g.machine = f.id AND LOWER(g.name) LIKE $4 ESCAPE '!') \
      OR EXISTS (SELECT 1 FROM machine_labels l WHERE l.machine = f.id AND LOWER(l.key || '=' || l.value) LIKE $4 ESCAPE '!')) ";

const COLUMNS: &str = "\
    SELECT f.name, f.suggested_name, f.fingerprint, f.key, f.doing, f.seen_ms, f.phase, f.failure, a.state AS desired, \
    b.name AS bundle, r.run, r.name AS run_name, r.state AS run_state, r.code, r.progress_percent AS percent, \
    (SELECT string_agg(x.kind, ', ') FROM flags x WHERE x.machine = f.id) AS flags, \
    (SELECT string_agg(g.name, ', ') FROM machine_groups g WHERE g.machine = f.id) AS groups \
    FROM fleet f LEFT JOIN assignments a ON a.id = f.assignment LEFT JOIN bundles b ON b.id = a.bundle \
    LEFT JOIN runs r ON r.id = (SELECT MAX(l.id) FROM runs l WHERE l.machine = f.id) ";

const ORDER: &str = "\
    ORDER BY CASE f.state WHEN 'pending' THEN 0 WHEN 'approved' THEN 1 ELSE 2 END, f.name NULLS FIRST, f.id LIMIT $5 OFFSET $6";

/// Which machines.
pub(crate) struct Wanted<'a> {
    /// Those that do this, or are `flagged`; empty: all.
    pub(crate) doing: &'a str,
    /// Those with this in their name, fingerprint, address, groups or labels; empty: all.
    pub(crate) search: &'a str,
    /// Which page of them, from 0.
    pub(crate) page: i64,
}

/// A machine in the list.
#[derive(FromRow)]
pub(crate) struct FleetRow {
    pub(crate) name: Option<String>,
    pub(crate) suggested_name: Option<String>,
    pub(crate) fingerprint: String,
    pub(crate) key: Option<String>,
    pub(crate) doing: String,
    pub(crate) seen_ms: Option<i64>,
    pub(crate) phase: Option<String>,
    pub(crate) failure: Option<String>,
    pub(crate) desired: Option<String>,
    pub(crate) bundle: Option<String>,
    pub(crate) run: Option<String>,
    pub(crate) run_name: Option<String>,
    pub(crate) run_state: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) percent: Option<i64>,
    pub(crate) flags: Option<String>,
    pub(crate) groups: Option<String>,
}

/// A page of the fleet.
pub(crate) struct Fleet {
    /// How many machines do what; without those of which there is none.
    pub(crate) counts: Vec<(String, i64)>,
    /// How many have a flag.
    pub(crate) flagged: i64,
    /// How many are wanted.
    pub(crate) found: i64,
    /// Those of the page.
    pub(crate) rows: Vec<FleetRow>,
}

/// The text as a pattern of LIKE that finds it anywhere in what is in lower case. No text has a NUL.
fn pattern(search: &str) -> String {
    let mut pattern = String::with_capacity(search.len() + 2);
    if search.is_empty() {
        return pattern;
    }
    pattern.push('%');
    for c in search.to_ascii_lowercase().chars().filter(|c| *c != '\0') {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

impl Store {
    /// The fleet's counts, and a page of machines.
    pub(crate) async fn fleet(&self, wanted: &Wanted<'_>, hub: &Hub) -> Result<Fleet> {
        let before = now_ms() - i64::from(self.stored_policy().await?.silent_s) * 1000;
        let online: Vec<String> = hub.online_keys().iter().map(ToString::to_string).collect();
        let online = serde_json::Value::from(online).to_string();
        let fleet = fleet(self.writer.kind.strings());
        let counts = format!("{fleet} SELECT doing, COUNT(*) FROM fleet GROUP BY doing");
        let counts = sqlx::query_as(AssertSqlSafe(counts)).bind(before).bind(&online);
        let counts: Vec<(String, i64)> = counts.fetch_all(&self.reader).await?;
        let flagged = sqlx::query_scalar("SELECT COUNT(DISTINCT machine) FROM flags");
        let pattern = pattern(wanted.search);
        let found = format!("{fleet} SELECT COUNT(*) FROM fleet f {WHERE}");
        let found = sqlx::query_scalar(AssertSqlSafe(found)).bind(before).bind(&online);
        let found = found.bind(wanted.doing).bind(&pattern).fetch_one(&self.reader).await?;
        let rows = sqlx::query_as(AssertSqlSafe(format!("{fleet} {COLUMNS} {WHERE} {ORDER}")));
        let rows = rows.bind(before).bind(&online).bind(wanted.doing).bind(&pattern);
        let rows = rows.bind(FLEET_PAGE).bind(wanted.page.saturating_mul(FLEET_PAGE));
        Ok(Fleet {
            counts,
            flagged: flagged.fetch_one(&self.reader).await?,
            found,
            rows: rows.fetch_all(&self.reader).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Observed;
    use crate::store::tests::Scratch;
    use std::collections::HashMap;

    /// The word for what the API says.
    fn word(observed: &Observed) -> &'static str {
        match observed {
            Observed::Never => "never",
            Observed::Silent { .. } => "silent",
            Observed::Booted { .. } => "booted",
            Observed::Failed { .. } => "failed",
            Observed::Network | Observed::Running { .. } => "working",
            Observed::Seen | Observed::Succeeded { .. } | Observed::Waiting => "waiting",
        }
    }

    /// Machines in every state that bears on what they do.
    const EVERY: &str = "\
        WITH booted (b) AS (VALUES (NULL), (1)), seen (s) AS (VALUES (NULL), (5000), ($1)), \
          confirm (c) AS (VALUES (NULL), (9000)), failed (f) AS (VALUES (NULL), (500), (1500), (3000)), \
          phase (p) AS (VALUES (NULL), ('network'), ('contact'), ('verify'), ('fetch'), ('run'), ('report'), ('wait')), \
          run (r) AS (VALUES (NULL), ('running'), ('succeeded'), ('failed'), ('lost'), ('elsewhere')) \
        INSERT INTO machines (fingerprint, name, state, created_ms, booted_ms, seen_ms, confirm_ms, failure, failure_ms, \
          phase, phase_ms, place) \
        SELECT n, n, 'approved', 0, b, s, c, 'XB-NET-03 x', f, p, CASE WHEN p IS NULL THEN NULL ELSE 2000 END, r FROM \
          (SELECT 'm' || ROW_NUMBER() OVER () AS n, * FROM booted, seen, confirm, failed, phase, run) AS every_one";

    #[tokio::test]
    async fn the_list_says_what_the_machine_says() {
        let scratch = Scratch::new();
        let store = scratch.store().await;
        sqlx::query(EVERY).bind(now_ms()).execute(&store.writer.pool).await.unwrap();
        for more in [
            "INSERT INTO boots (machine, boot, first_ms) SELECT id, name, 1000 FROM machines",
            "INSERT INTO boots (machine, boot, first_ms) SELECT id, 'other', 500 FROM machines",
            "UPDATE machines SET boot = (SELECT id FROM boots WHERE boots.boot = machines.name)",
            "INSERT INTO runs (machine, boot, run, state, started_ms, started_at_ms, first_number) \
             SELECT m.id, CASE m.place WHEN 'elsewhere' THEN b.id ELSE m.boot END, 'a', \
             CASE m.place WHEN 'elsewhere' THEN 'running' ELSE m.place END, 0, 0, 1 \
             FROM machines m JOIN boots b ON b.machine = m.id AND b.boot = 'other' WHERE m.place IS NOT NULL",
        ] {
            sqlx::query(more).execute(&store.writer.pool).await.unwrap();
        }
        let hub = Hub::default();
        let all = store.machines(None, &hub).await.unwrap().into_iter();
        let all: HashMap<_, _> = all.map(|m| (m.machine.fingerprint, m.machine.observed)).collect();
        let fleet = fleet(store.writer.kind.strings());
        let sql = format!("{fleet} SELECT fingerprint, doing FROM fleet");
        let rows = sqlx::query_as(AssertSqlSafe(sql)).bind(now_ms() - 180_000).bind("[]");
        let rows: Vec<(String, String)> = rows.fetch_all(&store.reader).await.unwrap();
        assert_eq!(rows.len(), 2 * 3 * 2 * 4 * 8 * 6);
        for (machine, doing) in rows {
            assert_eq!(doing, word(&all[&machine]), "{machine}: {:?}", all[&machine]);
        }
    }

    #[test]
    fn patterns_are_text() {
        assert_eq!(pattern(""), "");
        assert_eq!(pattern("A_1%!\0"), "%a!_1!%!!%");
    }
}
