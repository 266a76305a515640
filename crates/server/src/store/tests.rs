//! Databases of releases before this one are brought up to date with what is in them; and a database of a test's own.

#[path = "../../tests/routes/scratch.rs"]
mod scratch;

use super::*;
use crate::{
    api::{self, Desired},
    hub::Hub,
};
use sqlx::Row;
use std::fs;
use tempfile::TempDir;

/// An empty database, gone when this is dropped.
pub(super) struct Scratch {
    dir: TempDir,
    postgres: Option<scratch::Scratch>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), postgres: scratch::Scratch::new() }
    }

    pub(super) async fn store(&self) -> Store {
        let place = match &self.postgres {
            Some(postgres) => Place::postgres(&postgres.url()),
            None => Place::sqlite(&self.dir.path().join("a %41?#file")),
        };
        Store::open(&place.unwrap()).await.unwrap()
    }
}

/// A database as a release with this many migrations made it.
async fn of_release(dir: &Path, migrations: usize) -> (std::path::PathBuf, SqliteConnection) {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let theirs = dir.join("migrations");
    fs::create_dir_all(&theirs).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(&ours).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(names.len() >= migrations);
    for name in names.iter().take(migrations) {
        fs::copy(ours.join(name), theirs.join(name)).unwrap();
    }
    let path = dir.join("xenoboot.sqlite");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    Migrator::new(theirs).await.unwrap().run(&mut connection).await.unwrap();
    (path, connection)
}

const FIRST: &str = "\
    INSERT INTO tokens VALUES ('admin', 'aa', 1); \
    INSERT INTO machines (id, key, fingerprint, name, state, generation, assignment, created_ms, seen_ms) \
        VALUES (1, 'k1', 'f1', 'one', 'approved', 4, 3, 1, 2), (2, 'k2', 'f2', NULL, 'pending', 0, NULL, 1, 2), \
        (3, NULL, 'f3', 'three', 'approved', 1, 5, 1, NULL); \
    INSERT INTO machine_groups VALUES (1, 'attic'); \
    INSERT INTO bundles VALUES (1, 'd1', 'repair', 7, 'f', 9, 1, 1, 1, 1); \
    INSERT INTO assignments VALUES (3, 'group', NULL, 'attic', 1, 5), (5, 'default', NULL, NULL, 1, 6), \
        (9, 'machine', 1, NULL, 1, 7); \
    DELETE FROM assignments WHERE id = 9; \
    INSERT INTO boots VALUES (1, 1, 'b1', 3, 2), (2, 1, 'b2', 4, 2); \
    INSERT INTO runs (id, machine, boot, run, bundle, name, serial, state, started_ms, started_at_ms, first_number) \
        VALUES (1, 1, 2, 'abcd', 'd1', 'repair', 7, 'succeeded', 6, 6, 1); \
    INSERT INTO reports VALUES (1, 'disk', 'sda'); \
    INSERT INTO events VALUES (2, 1, 5, 6, 1, 'line', '{\"line\":{\"source\":\"stdout\",\"text\":\"hello\"}}'), \
        (2, 2, 5, 6, NULL, 'phase', '{\"phase\":{\"name\":\"wait\"}}');";

#[tokio::test]
async fn a_database_of_the_first_release_keeps_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let (path, mut connection) = of_release(dir.path(), 1).await;
    sqlx::raw_sql(FIRST).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let place = Place::sqlite(&path).unwrap();
    let store = Store::open(&place).await.unwrap();
    let hub = Hub::default();
    let machines = store.machines(None, &hub).await.unwrap();
    assert_eq!(machines.len(), 3);
    let one = store.machine(1, &hub).await.unwrap().machine;
    let assigned = one.assigned.unwrap();
    assert_eq!((assigned.state, assigned.name.as_deref()), (Desired::Boot, Some("repair")));
    assert_eq!(assigned.by, api::Target::Group("attic".into()));
    assert_eq!((one.generation, one.groups.as_slice()), (4, &["attic".to_owned()][..]));
    assert!(store.last_run(1, true).await.unwrap().is_some(), "it is of what was asked for");
    let details = store.run(1).await.unwrap();
    assert_eq!((details.lines, details.reports["disk"].as_str()), (1, "sda"));

    // Nothing changes by itself, and what is assigned next is new.
    let assign = api::Assign {
        bundle: Some("repair".into()),
        target: api::Target::Machine("one".into()),
        state: None,
        once: false,
        then: None,
        confirm_within_s: None,
    };
    let (_, changed) = store.assign(&assign).await.unwrap();
    assert_eq!(changed, [1]);
    let id = sqlx::query("SELECT MAX(id) FROM assignments").fetch_one(&store.reader).await.unwrap();
    assert!(id.get::<i64, _>(0) > 9, "an id of an assignment that is gone is used again");
    // Opened again it is as it was.
    store.close().await;
    assert_eq!(Store::open(&place).await.unwrap().machines(None, &hub).await.unwrap().len(), 3);
}

#[tokio::test]
async fn who_has_logged_in_stays_so_when_the_server_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (path, mut connection) = of_release(dir.path(), 7).await;
    let digest = |text: &str| xenoboot_wire::Digest::of(text.as_bytes()).to_string();
    let expires = crate::time::now_ms() + 3_600_000;
    let rows = format!(
        "INSERT INTO tokens (name, hash, created_ms) VALUES ('alice', '{}', 1); INSERT INTO sessions VALUES ('{}', '{}', {expires});",
        digest("token"),
        digest("cookie"),
        digest("token"),
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = Store::open(&Place::sqlite(&path).unwrap()).await.unwrap();
    let who = store.session("cookie", None).await.unwrap().unwrap();
    assert_eq!((&*who.name, who.role), ("alice", api::Role::Admin));
    assert_eq!(store.sessions().await.unwrap()[0].begun_ms, expires - 12 * 3_600_000);
}

#[tokio::test]
async fn old_logs_go_and_those_of_today_stay() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    let day = 86_400_000;
    let now = crate::time::now_ms();
    // Three power-ons of one machine: long ago, begun long ago and going on, and of today; 1 MiB of lines in each.
    let setup = format!(
        "INSERT INTO machines (id, fingerprint, state, created_ms, boot) VALUES (1, 'f', 'approved', 0, 2); \
         INSERT INTO boots (id, machine, boot, first_ms, last_ms, through, bytes) VALUES \
            (1, 1, 'a', 0, 1, 2, 1048576), (2, 1, 'b', 2, {now}, 2, 1048576), (3, 1, 'c', {now}, {now}, 1, 1048576); \
         INSERT INTO runs (id, machine, boot, run, state, started_ms, started_at_ms, first_number, ended_ms) VALUES \
            (1, 1, 1, 'ra', 'succeeded', 0, 0, 1, 1), (2, 1, 2, 'rb', 'running', 2, 0, 1, NULL), \
            (3, 1, 3, 'rc', 'failed', {now}, 0, 1, {now}); \
         INSERT INTO events VALUES (1, 1, 0, 0, 1, 'line', '{{}}'), (1, 2, 0, 1, NULL, 'phase', '{{}}'), \
            (2, 1, 0, 2, 2, 'line', '{{}}'), (2, 2, 0, 2, NULL, 'phase', '{{}}'), (2, 3, 0, {now}, NULL, 'phase', '{{}}'), \
            (3, 1, 0, {now}, 3, 'line', '{{}}');"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(setup)).execute(&store.writer.pool).await.unwrap();
    let policy = |keep_days, keep_mb| api::Policy { keep_days, keep_mb, ..api::Policy::default() };
    store.set_policy(&policy(0, 0)).await.unwrap();
    assert_eq!(store.tidy().await.unwrap(), Removed::default());
    store.set_policy(&policy(1, 0)).await.unwrap();
    assert!(now > 2 * day);
    // What the run that goes on has said stays.
    assert_eq!(store.tidy().await.unwrap(), Removed { events: 3, runs: 1, boots: 1 });
    assert_eq!(store.tidy().await.unwrap(), Removed::default());
    // Then by size: not the power-on that the machine is in.
    sqlx::query("UPDATE boots SET bytes = 1048576").execute(&store.writer.pool).await.unwrap();
    store.set_policy(&policy(0, 1)).await.unwrap();
    assert_eq!(store.tidy().await.unwrap(), Removed { events: 1, runs: 1, boots: 1 });
    store.set_policy(&policy(0, 1)).await.unwrap();
    assert_eq!(store.tidy().await.unwrap(), Removed::default());
    let left: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM boots").fetch_all(&store.reader).await.unwrap();
    assert_eq!(left, [2]);
    let audit = store.audit(0).await.unwrap();
    assert_eq!(audit.iter().filter(|entry| entry.action == "logs.tidy").count(), 2);
}
