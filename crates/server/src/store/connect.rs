//! Connections to the database, of either kind: one that writes, and several that read.

use super::{MIGRATIONS, POSTGRES_MIGRATIONS, Result, StoreError, Tx};
use crate::database::{Kind, Place};
use sqlx::{
    AnyConnection, AnyPool, AssertSqlSafe, Connection,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
};
use std::{
    borrow::Cow,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// How many connections read.
const READERS: u32 = 4;
/// How long a server that starts waits for its database.
const PATIENCE: Duration = Duration::from_secs(60);
/// And between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a request waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// What PostgreSQL is told of each connection. Whoever waits to write, or writes and then says no more, does not hold
/// the others up for ever; what is committed is on the disk, whatever the database's default is.
pub(super) const POSTGRES: &str = "SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'; \
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
    SET client_min_messages = 'warning'; \
    SELECT 1 FROM set_config('synchronous_commit', 'on', FALSE) WHERE current_setting('synchronous_commit') = 'off'";

/// What PostgreSQL is told of the connection that writes, on which each of its sessions holds this lock: two servers of one
/// database would each switch machines and tell people. The number is `xenoboot` in ASCII. A session that was lost leaves
/// the next one to get the lock again: whoever does not have it cannot write.
const HOLD: &str = "DO $$ BEGIN IF NOT pg_try_advisory_lock(x'78656e6f626f6f74'::bigint) THEN \
    RAISE EXCEPTION 'in use by another server' USING ERRCODE = 'object_in_use'; END IF; END $$";

/// `object_in_use`, as the lock says it.
const IN_USE: &str = "55006";

/// What SQLite is told of each connection: what has been committed is on the disk.
const SQLITE: &str = "PRAGMA busy_timeout = 30000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA foreign_keys = ON";

impl Kind {
    /// Reads the strings of a JSON array in `$2`.
    pub(super) fn strings(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT value FROM json_each($2)",
            Self::Postgres => "SELECT json_array_elements_text($2::json)",
        }
    }

    /// Placeholders for rows of values. SQLite takes numbers too, but then looks each up in a list of all of them, whenever
    /// such a query is prepared and run.
    pub(super) fn rows(self, rows: usize, columns: usize) -> String {
        let value = |row: usize, column: usize| match self {
            Self::Sqlite => "?".to_owned(),
            Self::Postgres => format!("${}", row * columns + column),
        };
        let row = |row| {
            let values: Vec<_> = (1..=columns).map(|column| value(row, column)).collect();
            format!("({})", values.join(", "))
        };
        (0..rows).map(row).collect::<Vec<_>>().join(", ")
    }
}

/// The connection that writes.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) pool: AnyPool,
    pub(super) kind: Kind,
}

impl Writer {
    /// Begins to write, when all others that write have ended: each sees what those before it have done.
    pub(super) async fn begin(&self) -> sqlx::Result<Tx> {
        let begin = match self.kind {
            Kind::Sqlite => "BEGIN IMMEDIATE",
            Kind::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        };
        self.pool.begin_with(begin).await
    }
}

/// Connects, when no other server uses the database, and brings it up to date.
pub(super) async fn connect(place: &Place) -> Result<(AnyPool, Writer)> {
    install_default_drivers();
    let (to_write, to_read) = match place.kind {
        Kind::Sqlite => (SQLITE.to_owned(), format!("{SQLITE}; PRAGMA query_only = ON")),
        Kind::Postgres => {
            let to_write = format!("{POSTGRES}; {HOLD}");
            wait_for(place, &to_write).await?;
            (to_write, format!("{POSTGRES}; SET default_transaction_read_only = ON"))
        }
    };
    let writer = pool(1, &place.options, to_write).await?;
    match place.kind {
        Kind::Sqlite => MIGRATIONS.run(&writer).await?,
        Kind::Postgres => POSTGRES_MIGRATIONS.run(&writer).await?,
    }
    let reader = pool(READERS, &place.options, to_read).await?;
    Ok((reader, Writer { pool: writer, kind: place.kind }))
}

async fn pool(most: u32, options: &AnyConnectOptions, told: String) -> sqlx::Result<AnyPool> {
    let pool = AnyPoolOptions::new().max_connections(most).acquire_timeout(ACQUIRE);
    let pool = pool.after_connect(move |connection, _| {
        let told = sqlx::raw_sql(AssertSqlSafe(told.clone()));
        Box::pin(async move { told.execute(connection).await.map(drop) })
    });
    pool.connect_with(options.clone()).await
}

/// Waits until the database can be reached, which may start at the same time as the server, and until no other server
/// holds it: one that was killed is noticed only when its connections have ended.
async fn wait_for(place: &Place, to_write: &str) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut said = false;
    loop {
        let Err(error) = attempt(place, to_write).await else { return Ok(()) };
        let in_use = code(&error).as_deref() == Some(IN_USE);
        let passes = in_use || may_pass(&error);
        let cause = if in_use { String::new() } else { format!(": {error}") };
        let error =
            if in_use { StoreError::InUse(place.to_string()) } else { unreachable(place, error) };
        if !passes || Instant::now() > until {
            return Err(error);
        }
        if !said {
            said = true;
            tracing::warn!("{error}{cause}; trying again for {} s", PATIENCE.as_secs());
        }
        sleep(PAUSE).await;
    }
}

/// A connection as the one that writes, for a moment.
async fn attempt(place: &Place, to_write: &str) -> sqlx::Result<()> {
    let mut connection = AnyConnection::connect_with(&place.options).await?;
    sqlx::raw_sql(AssertSqlSafe(to_write.to_owned())).execute(&mut connection).await?;
    connection.close().await
}

fn unreachable(place: &Place, source: sqlx::Error) -> StoreError {
    StoreError::Unreachable { place: place.to_string(), source }
}

/// Whether it may be better in a moment: the network, a database that starts or has all the connections that it may.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        _ => matches!(code(error).as_deref(), Some("57P03" | "53300")),
    }
}

/// The database's own code of an error.
fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
