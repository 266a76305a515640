//! The server's folder: who may use it, its key, and the file that lets the operator in.

use crate::{
    power::{Sealer, from_hex},
    tls,
};
use rcgen::{KeyPair, PKCS_ED25519};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use xenoboot_wire::{Digest, Pin};

/// The database's file.
pub(crate) const DATABASE: &str = "xenoboot.sqlite";
/// The server's key.
pub(crate) const KEY: &str = "server.key";
/// The key and the certificates for browsers.
const WEB: &str = "web.pem";
/// What encrypts passwords in the database.
const SEALER: &str = "power.key";
/// How mail is sent.
const MAIL: &str = "mail.toml";
/// Who else may say who somebody is.
const OIDC: &str = "oidc.toml";
/// Where the database is, if not in the folder.
pub(crate) const DATABASE_FILE: &str = "database.toml";
/// Where blobs are, if not in the folder.
pub(crate) const BLOBS_FILE: &str = "blobs.toml";
/// What lets the operator in.
const OPERATOR: &str = "operator.toml";
/// Files that only the owner may read.
pub(crate) const SECRETS: [&str; 7] = [KEY, WEB, SEALER, MAIL, OIDC, BLOBS_FILE, OPERATOR];
/// The folder of blobs and envelopes.
pub(crate) const BLOBS: &str = "blobs";
/// The folder of programs that switch machines on and off.
pub(crate) const PROGRAMS: &str = "power.d";

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process serves the folder.
    #[error("another xenoboot serves {} already", .0.display())]
    InUse(PathBuf),
    /// `server.key` is not an Ed25519 key in PKCS#8, PEM.
    #[error("{} is not an Ed25519 key in PKCS#8", .0.display())]
    Key(PathBuf),
    /// `power.key` is not 32 bytes in hexadecimal.
    #[error("{} is not 32 bytes in hexadecimal; the passwords of power drivers cannot be read without it", .0.display())]
    Sealer(PathBuf),
    /// A secret can be read by others.
    #[error("{} can be read by others (mode {mode:o}): chmod 600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// `operator.toml` is not what we write.
    #[error("{} is not valid; without it the server makes a new one", path.display())]
    Operator {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// What the operator's commands need to reach the server, as `operator.toml` has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorFile {
    pub(crate) url: String,
    pub(crate) pin: Pin,
    pub(crate) token: String,
}

/// The folder, ours until this is dropped.
pub(crate) struct Home {
    dir: PathBuf,
    _lock: File,
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, HomeError> {
    result.map_err(|source| HomeError::Io { path: path.to_owned(), source })
}

impl Home {
    /// Makes the folder (mode 0700) if it is not there, and takes it.
    pub(crate) fn open(dir: &Path) -> Result<Self, HomeError> {
        at(dir, DirBuilder::new().recursive(true).mode(0o700).create(dir))?;
        let path = dir.join("lock");
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = at(&path, lock)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(HomeError::InUse(dir.to_owned())),
            Err(TryLockError::Error(source)) => Err(HomeError::Io { path, source }),
        }
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// The file that names another database; an operator's.
    pub(crate) fn database_file(&self) -> PathBuf {
        self.dir.join(DATABASE_FILE)
    }

    fn operator_file(&self) -> PathBuf {
        self.dir.join(OPERATOR)
    }

    /// The server's key; made on the first start.
    pub(crate) fn key(&self) -> Result<KeyPair, HomeError> {
        let path = self.dir.join(KEY);
        let bad = |_| HomeError::Key(path.clone());
        if let Some(pem) = read_secret(&path)? {
            return KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_ED25519).map_err(bad);
        }
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(|_| HomeError::Random)?;
        write_secret(&path, key.serialize_pem().as_bytes())?;
        Ok(key)
    }

    /// The key and the certificates for browsers, PEM; made on the first start, and the operator's own if he puts them there.
    pub(crate) fn web(&self) -> Result<String, HomeError> {
        let path = self.dir.join(WEB);
        if let Some(pem) = read_secret(&path)? {
            return Ok(pem);
        }
        let pem = tls::web_identity().map_err(|_| HomeError::Random)?;
        write_secret(&path, pem.as_bytes())?;
        Ok(pem)
    }

    /// The file that says how mail is sent; an operator's.
    pub(crate) fn mail(&self) -> PathBuf {
        self.dir.join(MAIL)
    }

    /// The file that names a provider of OpenID Connect; an operator's.
    pub(crate) fn oidc(&self) -> PathBuf {
        self.dir.join(OIDC)
    }

    /// The folder of programs that switch machines on and off.
    pub(crate) fn power_programs(&self) -> PathBuf {
        self.dir.join(PROGRAMS)
    }

    /// What encrypts passwords in the database; made on the first start.
    pub(crate) fn sealer(&self) -> Result<Sealer, HomeError> {
        let path = self.dir.join(SEALER);
        let text = match read_secret(&path)? {
            Some(text) => text,
            None => {
                let text = new_token()?;
                write_secret(&path, text.as_bytes())?;
                text
            }
        };
        let key = from_hex(text.trim()).ok_or_else(|| HomeError::Sealer(path.clone()))?;
        Sealer::new(&key).map_err(|_| HomeError::Sealer(path))
    }

    /// What servers of one database must have in common: a digest of their keys, of which nothing can be told.
    pub(crate) fn keys(&self, key: &KeyPair, token: &str) -> Result<Digest, HomeError> {
        let sealer = read_secret(&self.dir.join(SEALER))?.unwrap_or_default();
        let mut text = b"xenoboot: the keys of servers that share a database\0".to_vec();
        text.extend(key.public_key_raw());
        text.extend(sealer.trim().as_bytes());
        text.extend(token.as_bytes());
        Ok(Digest::of(&text))
    }

    /// The token of `operator.toml`; a new one when there is no such file.
    pub(crate) fn token(&self) -> Result<String, HomeError> {
        let path = self.operator_file();
        let Some(text) = read_secret(&path)? else { return new_token() };
        let parsed: Result<OperatorFile, _> = toml::from_str(&text);
        Ok(parsed.map_err(|source| HomeError::Operator { path, source: Box::new(source) })?.token)
    }

    /// Writes `operator.toml`.
    pub(crate) fn write_operator(&self, operator: &OperatorFile) -> Result<(), HomeError> {
        let OperatorFile { url, pin, token } = operator;
        let text = format!(
            "# Lets an operator in: xenoboot ... --operator FILE, or XENOBOOT_OPERATOR=FILE. Keep it secret.\n\
             # The server writes it anew when it starts, with the same token; removed, it makes a new token.\n\
             url = \"{url}\"\npin = \"{pin}\"\ntoken = \"{token}\"\n"
        );
        let path = self.operator_file();
        if read_secret(&path)?.as_deref() == Some(text.as_str()) {
            return Ok(());
        }
        write_secret(&path, text.as_bytes())
    }
}

/// A token of 256 random bits.
pub(crate) fn new_token() -> Result<String, HomeError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| HomeError::Random)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Reads a file that only its owner may read; `None` when it is not there.
pub(crate) fn read_secret(path: &Path) -> Result<Option<String>, HomeError> {
    let mode = match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => at(path, other)?.permissions().mode() & 0o777,
    };
    if mode & 0o077 != 0 {
        return Err(HomeError::Exposed { path: path.to_owned(), mode });
    }
    at(path, fs::read_to_string(path)).map(Some)
}

/// Writes a file that only its owner may read, at once and durably.
fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let half = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
        // An older file of that name keeps its permissions: they are set before anything secret is in it.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&half, path)?;
        match path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    };
    at(path, write())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_master_and_secrets_stay_secret() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("a/server");
        let home = Home::open(&dir).unwrap();
        assert!(matches!(Home::open(&dir), Err(HomeError::InUse(_))));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);

        let first = home.key().unwrap().serialize_der();
        assert_eq!(home.key().unwrap().serialize_der(), first);
        assert_eq!(mode(&dir.join("server.key")), 0o600);
        fs::set_permissions(dir.join("server.key"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(home.key(), Err(HomeError::Exposed { mode: 0o640, .. })));

        let token = home.token().unwrap();
        assert_eq!(token.len(), 64);
        let operator =
            OperatorFile { url: "https://[::1]:1".into(), pin: Pin::of_spki(b""), token };
        home.write_operator(&operator).unwrap();
        assert_eq!(mode(&dir.join("operator.toml")), 0o600);
        assert_eq!(home.token().unwrap(), operator.token);
        drop(home);
        Home::open(&dir).unwrap();
    }
}
