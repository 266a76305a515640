//! A database of a test's own: in the PostgreSQL that XENOBOOT_POSTGRESQL names, if it does, else a file of SQLite. So the
//! same tests are run with both. `cargo xtask test` starts a PostgreSQL for that.

use std::{
    env, process,
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

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

    /// Has the PostgreSQL do something.
    fn administer(&self, sql: &str) -> String {
        let mut psql = Command::new("psql");
        psql.args(["-XqAtb", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        let done = psql.arg(format!("{}/postgres", self.cluster)).output().expect("psql");
        assert!(done.status.success(), "psql: {sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// How many processes of it hold or await the lock of that number.
    #[allow(dead_code, reason = "not of use to every program that has this file")]
    pub(crate) fn holders(&self, lock: i64) -> usize {
        let count = self.administer(&format!(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
             WHERE d.datname = '{}' AND l.locktype = 'advisory' AND l.granted \
             AND (l.classid::bigint << 32) + l.objid::bigint = {lock}",
            self.name
        ));
        count.trim().parse().expect("a number")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.administer(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
