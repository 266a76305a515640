//! Everything that must outlive the process, behind one type. SQLite in WAL mode with `synchronous = FULL`:
//! what has been committed is on the disk.
//!
//! There is one connection that writes, so each writing transaction sees the result of the one before,
//! and several that read. What machines say is written many at a time (`group`). The SQL keeps to what PostgreSQL has too, but for the schema.

mod assignments;
pub(crate) mod audit;
mod bundles;
mod counts;
mod ends;
mod events;
mod explain;
mod failing;
mod fleet;
mod group;
mod machines;
mod notices;
mod policy;
pub(crate) mod power;
mod retention;
mod runs;
mod sessions;
mod timeline;
mod tokens;

pub(crate) use bundles::AssignedTo;
pub(crate) use ends::Confirmed;
pub(crate) use fleet::{FLEET_PAGE, Fleet, FleetRow, Wanted};
pub(crate) use machines::{Boot, Expected, Standing, fingerprint_prefix};
pub(crate) use retention::Removed;
pub(crate) use runs::LogPage;
pub(crate) use timeline::PowerOn;

use group::Group;
use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{error::Error, path::Path, time::Duration};

/// From every release to this one.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How many connections read.
const READERS: u32 = 4;

/// Shortest beginning of an identifier that is taken for it.
const MIN_PREFIX: usize = 4;

/// The database cannot do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the database cannot be brought up to date")]
    Migrate(#[from] MigrateError),
    #[error("the database holds {0}, which is not valid")]
    Corrupt(&'static str),
    #[error("there is no {what} `{wanted}`")]
    NotFound { what: &'static str, wanted: String, near: Vec<String> },
    #[error("`{wanted}` is the beginning of more than one {what}")]
    Ambiguous { what: &'static str, wanted: String, found: Vec<String> },
    #[error("another machine is called `{0}`")]
    NameTaken(String),
    #[error("there is a token `{0}` already")]
    TokenExists(String),
    #[error("the key {0} was revoked")]
    KeyRevoked(String),
    #[error("the key {0} is another machine's")]
    KeyTaken(String),
    #[error("the database did not take it")]
    NotWritten,
    #[error(transparent)]
    Selector(#[from] crate::selector::NotATerm),
}

impl StoreError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { near, .. } if !near.is_empty() => {
                Some(format!("did you mean {}?", near.join(" or ")))
            }
            Self::Ambiguous { found, .. } => Some(format!("it could be {}", found.join(" or "))),
            _ => None,
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, StoreError>;
type Tx = Transaction<'static, Sqlite>;

/// The database.
#[derive(Clone)]
pub(crate) struct Store {
    reader: SqlitePool,
    writer: SqlitePool,
    group: Group,
}

impl Store {
    /// Opens the database, makes it if it is not there, brings it up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(30));
        let writer =
            SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        MIGRATIONS.run(&writer).await?;
        let options = options.create_if_missing(false).pragma("query_only", "ON");
        let reader =
            SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?;
        let group = Group::start(writer.clone());
        Ok(Self { reader, writer, group })
    }

    /// Ends all connections; nothing can be asked after that.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Begins to write. A transaction that is dropped has changed nothing.
    async fn begin(&self) -> Result<Tx> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Whether a file is a database that is whole and that this release can bring up to date.
pub(crate) async fn check(path: &Path) -> std::result::Result<(), Box<dyn Error + Send + Sync>> {
    let options = SqliteConnectOptions::new().filename(path);
    let mut database = SqliteConnection::connect_with(&options).await?;
    let found: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut database).await?;
    let newest: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(&mut database)
        .await?;
    database.close().await?;
    if found != "ok" {
        return Err(found.into());
    }
    let known = MIGRATIONS.iter().map(|migration| migration.version).max();
    if newest > known { Err("a newer xenoboot made it".into()) } else { Ok(()) }
}

/// Of rows that begin with what was wanted, the only one.
fn only<T>(
    what: &'static str,
    wanted: &str,
    mut rows: Vec<T>,
    show: impl Fn(&T) -> String,
) -> Result<Option<T>> {
    match rows.len() {
        0 | 1 => Ok(rows.pop()),
        _ => {
            let found = rows.iter().take(4).map(show).collect();
            Err(StoreError::Ambiguous { what, wanted: wanted.to_owned(), found })
        }
    }
}

/// Whether `text` can be the beginning of a hexadecimal identifier; then it has no special characters of LIKE.
fn is_hex_prefix(text: &str) -> bool {
    text.len() >= MIN_PREFIX
        && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests;
