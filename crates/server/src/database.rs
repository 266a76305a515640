//! Which database a server uses: SQLite in its folder, or PostgreSQL.

use crate::home::{Home, HomeError, read_secret};
use serde::Deserialize;
use sqlx::any::AnyConnectOptions;
use std::{
    convert::Infallible,
    fmt::{self, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// What URLs of PostgreSQL begin with.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// Which database a server uses.
#[derive(Clone, Debug, Default)]
pub enum Database {
    /// What `database.toml` in the server's folder names; without that file, SQLite in the folder.
    #[default]
    Folder,
    /// PostgreSQL, by a file like `database.toml`.
    File(PathBuf),
    /// PostgreSQL, by a URL without a password.
    Url(String),
}

impl FromStr for Database {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = text.contains("://");
        Ok(if is_url { Self::Url(text.to_owned()) } else { Self::File(text.into()) })
    }
}

/// What was said of the database cannot be used. No error has the URL in it, which may have a password.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file cannot be read, or others can read it.
    #[error(transparent)]
    File(#[from] HomeError),
    /// The file is not there.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// The file is not valid.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is no URL of a database of PostgreSQL.
    #[error("the database's URL is not valid: {0}; postgresql://USER@HOST/DATABASE is one")]
    Url(String),
    /// A password stands where everybody can read it.
    #[error(
        "the database's URL on the command line has a password, which everybody on this computer can read there: \
         put the URL into a file (mode 600, url = \"...\") and name that, or use PGPASSFILE"
    )]
    Password,
}

/// `database.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseFile {
    /// Where the database is; with the password, if one is needed.
    url: String,
}

/// Of which kind a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Where a database is.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) options: AnyConnectOptions,
}

impl Place {
    /// SQLite in a file, which is made if it is not there.
    pub(crate) fn sqlite(path: &Path) -> Result<Self, DatabaseError> {
        let mut url = "sqlite://".to_owned();
        for byte in path.as_os_str().as_bytes() {
            let plain = byte.is_ascii_alphanumeric() || b"/-_.".contains(byte);
            // Writing to a string cannot fail.
            let _ = if plain { url.write_char(*byte as char) } else { write!(url, "%{byte:02X}") };
        }
        url.push_str("?mode=rwc");
        let options = url.parse().map_err(|e: sqlx::Error| DatabaseError::Url(e.to_string()))?;
        Ok(Self { kind: Kind::Sqlite, options })
    }

    /// PostgreSQL.
    pub(crate) fn postgres(url: &str) -> Result<Self, DatabaseError> {
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(DatabaseError::Url("it does not begin with postgresql://".to_owned()));
        }
        let options: AnyConnectOptions =
            url.parse().map_err(|e: sqlx::Error| DatabaseError::Url(e.to_string()))?;
        Ok(Self { kind: Kind::Postgres, options })
    }

    /// Whether the URL says a password.
    fn has_password(&self) -> bool {
        let url = &self.options.database_url;
        url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password")
    }
}

/// Without user and password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.options.database_url;
        match self.kind {
            Kind::Sqlite => f.write_str(url.path()),
            Kind::Postgres => {
                let asked = url.query_pairs().find(|(key, _)| key == "host" || key == "hostaddr");
                let host = asked.map(|(_, host)| host.into_owned());
                let host = host.or_else(|| url.host_str().map(str::to_owned)).unwrap_or_default();
                write!(f, "PostgreSQL at {host}")?;
                if let Some(port) = url.port() {
                    write!(f, ":{port}")?;
                }
                write!(f, "{}", url.path())
            }
        }
    }
}

impl Database {
    /// Where it is.
    pub(crate) fn place(&self, home: &Home) -> Result<Place, DatabaseError> {
        match self {
            Self::Folder => match named_by(&home.database_file())? {
                Some(place) => Ok(place),
                None => Place::sqlite(&home.database()),
            },
            Self::File(path) => named_by(path)?.ok_or_else(|| DatabaseError::Missing(path.clone())),
            Self::Url(url) => {
                let place = Place::postgres(url)?;
                if place.has_password() { Err(DatabaseError::Password) } else { Ok(place) }
            }
        }
    }
}

/// The database that a file names; `None` when there is no such file.
fn named_by(path: &Path) -> Result<Option<Place>, DatabaseError> {
    let Some(text) = read_secret(path)? else { return Ok(None) };
    let invalid = |reason| DatabaseError::Invalid { path: path.to_owned(), reason };
    // Only what is wrong, not the line, which may have the password.
    let DatabaseFile { url } =
        toml::from_str(&text).map_err(|error| invalid(error.message().to_owned()))?;
    Place::postgres(&url).map(Some).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_password_stands_in_a_file_and_in_no_message() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("server")).unwrap();
        let of = |text: &str| text.parse::<Database>().unwrap().place(&home);
        assert_eq!(Database::default().place(&home).unwrap().kind, Kind::Sqlite);
        for with in ["postgres://u:secret@db/x", "postgresql://u@db/x?password=secret"] {
            assert!(matches!(of(with), Err(DatabaseError::Password)));
        }
        assert!(matches!(of("mysql://db/x"), Err(DatabaseError::Url(_))));
        let place = of("postgres://u@db:5433/x").unwrap();
        assert_eq!(
            (place.kind, place.to_string()),
            (Kind::Postgres, "PostgreSQL at db:5433/x".into())
        );

        let path = home.database_file();
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        write("url = \"postgres://u:secret@db/x\"", 0o600);
        let place = Database::default().place(&home).unwrap();
        assert_eq!(place.to_string(), "PostgreSQL at db/x");
        assert!(of(path.to_str().unwrap()).is_ok());
        write("url = \"postgres://u:secret@db/x\"", 0o644);
        let exposed = Database::default().place(&home);
        assert!(matches!(exposed, Err(DatabaseError::File(HomeError::Exposed { .. }))));
        for bad in [
            "url = \"secret\"",
            "ulr = \"postgres://u:secret@db/x\"",
            "url = \"postgres://u:secret@[",
        ] {
            write(bad, 0o600);
            let error = Database::default().place(&home).map(drop).unwrap_err();
            assert!(matches!(error, DatabaseError::Invalid { .. }));
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
        assert!(matches!(of("nowhere.toml"), Err(DatabaseError::Missing(_))));
    }
}
