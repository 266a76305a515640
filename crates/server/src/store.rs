//! Everything that must outlive the process, behind one type: SQLite or PostgreSQL. What has been committed is on the disk.
//!
//! There is one connection that writes, and several that read (`connect`); several servers of one PostgreSQL take turns. So
//! each writing transaction sees the result of the one before. What machines say is written many at a time (`group`).
//! Each query has one text, of what both databases have; the schema alone has two.

mod assignments;
pub(crate) mod audit;
mod bundles;
mod connect;
mod counts;
mod ends;
mod events;
mod explain;
mod failing;
pub(crate) mod fellows;
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
pub(crate) use sessions::Who;
pub(crate) use timeline::PowerOn;

use crate::database::Place;
use connect::Writer;
use group::Group;
use sqlx::{
    Any, AnyPool, Connection, SqliteConnection, Transaction,
    migrate::{MigrateError, Migrator},
    sqlite::SqliteConnectOptions,
};
use std::{error::Error, path::Path};

/// From every release to this one.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgresql");

/// Shortest beginning of an identifier that is taken for it.
const MIN_PREFIX: usize = 4;

/// The database cannot do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("{place} cannot be used")]
    Unreachable { place: String, source: sqlx::Error },
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
type Tx = Transaction<'static, Any>;

/// The database.
#[derive(Clone)]
pub(crate) struct Store {
    reader: AnyPool,
    writer: Writer,
    group: Group,
}

impl Store {
    /// Opens the database, makes it if it is not there, brings it up to date.
    pub(crate) async fn open(place: &Place) -> Result<Self> {
        let (reader, writer) = connect::connect(place).await?;
        let group = Group::start(writer.clone());
        Ok(Self { reader, writer, group })
    }

    /// Ends all connections; nothing can be asked after that.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.pool.close().await;
    }

    /// Begins to write. A transaction that is dropped has changed nothing.
    async fn begin(&self) -> Result<Tx> {
        Ok(self.writer.begin().await?)
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

/// A text without NULs, which PostgreSQL neither keeps nor compares with: each is a question mark.
fn without_nul(text: &str) -> String {
    text.replace('\0', "?")
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
