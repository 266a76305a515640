//! Connections to the database, of either kind: one that writes, and several that read.

use super::{MIGRATIONS, POSTGRES_MIGRATIONS, Result, StoreError, Tx};
use crate::database::{Kind, Place};
use sqlx::{
    AnyConnection, AnyPool, AssertSqlSafe, Connection,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
};
use std::time::{Duration, Instant};
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

/// How a transaction begins to write to PostgreSQL: when it has the lock by which all that write take turns, of whichever
/// server. The number is `xenoboot` in ASCII.
const TURN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(x'78656e6f626f6f74'::bigint)";

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
            Kind::Postgres => TURN,
        };
        self.pool.begin_with(begin).await
    }
}

/// Connects, and brings the database up to date.
pub(super) async fn connect(place: &Place) -> Result<(AnyPool, Writer)> {
    install_default_drivers();
    let (each, to_read) = match place.kind {
        Kind::Sqlite => (SQLITE, "PRAGMA query_only = ON"),
        Kind::Postgres => {
            wait_for(place).await?;
            (POSTGRES, "SET default_transaction_read_only = ON")
        }
    };
    let writer = pool(1, &place.options, each.to_owned()).await?;
    match place.kind {
        Kind::Sqlite => MIGRATIONS.run(&writer).await?,
        Kind::Postgres => POSTGRES_MIGRATIONS.run(&writer).await?,
    }
    let reader = pool(READERS, &place.options, format!("{each}; {to_read}")).await?;
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

/// Waits until the database can be reached, which may start at the same time as the server.
async fn wait_for(place: &Place) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut said = false;
    loop {
        let error = match AnyConnection::connect_with(&place.options).await {
            Ok(connection) => return Ok(connection.close().await?),
            Err(error) => error,
        };
        if !may_pass(&error) || Instant::now() > until {
            return Err(StoreError::Unreachable { place: place.to_string(), source: error });
        }
        if !said {
            said = true;
            tracing::warn!(
                "{place} cannot be used: {error}; trying again for {} s",
                PATIENCE.as_secs()
            );
        }
        sleep(PAUSE).await;
    }
}

/// Whether it may be better in a moment: the network, a database that starts or has all the connections that it may.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}
