//! A database of a test's own: in the PostgreSQL that XENOBOOT_POSTGRESQL names, if it does, else a file of SQLite. So the
//! same tests are run with both. `cargo xtask test` starts a PostgreSQL for that.

use std::{
    env, process,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// The lock of whoever writes.
const LOCK: i64 = 0x7865_6e6f_626f_6f74;

/// A database of PostgreSQL, gone when this is dropped.
pub(crate) struct Scratch {
    cluster: String,
    name: String,
}

impl Scratch {
    /// A new one; `None` when tests are to use SQLite.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let cluster = env::var("XENOBOOT_POSTGRESQL").ok()?;
        let name = format!("xb_{}_{}", process::id(), COUNT.fetch_add(1, Relaxed));
        let this = Self { cluster, name };
        this.administer(&format!("CREATE DATABASE {}", this.name));
        Some(this)
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.cluster, self.name)
    }

    /// Everything that is in it.
    #[allow(dead_code, reason = "not of use to every program that has this file")]
    pub(crate) fn dump(&self) -> Vec<u8> {
        let done = Command::new("pg_dump").arg("--inserts").arg(self.url()).output();
        let done = done.expect("pg_dump");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// Ends all connections to it.
    #[allow(dead_code, reason = "not of use to every program that has this file")]
    pub(crate) fn cut(&self) {
        let connections = format!("FROM pg_stat_activity WHERE datname = '{}'", self.name);
        self.administer(&format!("SELECT pg_terminate_backend(pid) {connections}"));
    }

    /// Becomes who may write to it, in the place of the server that does, until all connections are ended.
    #[allow(dead_code, reason = "not of use to every program that has this file")]
    pub(crate) fn take(&self) -> Child {
        let mut psql = Command::new("psql");
        psql.args(["-Xq", "-c", &format!("SELECT pg_advisory_lock({LOCK})")]);
        let psql = psql.args(["-c", "SELECT pg_sleep(3600)"]).arg(self.url());
        let child = psql.stdout(Stdio::null()).spawn().expect("psql");
        let locks = |granted| {
            format!(
                "FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                 WHERE d.datname = '{}' AND l.locktype = 'advisory' AND l.granted = {granted}",
                self.name
            )
        };
        // It waits first: so it is the next.
        let waits = format!(
            "DO $$ BEGIN WHILE NOT EXISTS (SELECT 1 {}) LOOP \
             PERFORM pg_sleep(0.02); END LOOP; END $$",
            locks(false)
        );
        self.administer(&waits);
        self.administer(&format!("SELECT pg_terminate_backend(l.pid) {}", locks(true)));
        child
    }

    /// Has the PostgreSQL do something.
    fn administer(&self, sql: &str) {
        let mut psql = Command::new("psql");
        psql.args(["-Xqb", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-c", sql]);
        let status = psql.arg(format!("{}/postgres", self.cluster)).status().expect("psql");
        assert!(status.success(), "psql: {sql}");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.administer(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
