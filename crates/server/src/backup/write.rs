//! Making a backup.

use super::{
    BackupError, Contents, at,
    list::{Entry, FOLDER, FORMAT, List},
};
use crate::{home, time::now_ms};
use ring::digest::{Context, SHA256};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tar::{Builder, Header};
use xenoboot_wire::Digest;

/// For the server to finish what it writes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes a backup of the server's folder `dir` to `out`, whether or not the server runs. `scratch` is a folder of the
/// caller's with room for the database, which nobody else can read.
///
/// # Errors
/// When it is not a server's folder, something cannot be read or written, or a blob is damaged.
pub async fn back_up(dir: &Path, scratch: &Path, out: impl Write) -> Result<Contents, BackupError> {
    if dir.join(home::DATABASE_FILE).is_file() {
        return Err(BackupError::Elsewhere(dir.to_owned()));
    }
    for missing in [home::DATABASE, home::KEY] {
        if !dir.join(missing).is_file() {
            return Err(BackupError::NoServer { dir: dir.to_owned(), missing });
        }
    }
    let snapshot = scratch.join(home::DATABASE);
    copy_database(&dir.join(home::DATABASE), &snapshot).await?;
    // After the database: what it speaks of is there.
    let mut members = vec![Member::read(home::DATABASE, &snapshot, 0o600)?];
    for name in home::SECRETS {
        let path = dir.join(name);
        if path.is_file() {
            members.push(Member::read(name, &path, 0o600)?);
        }
    }
    for path in files(&dir.join(home::PROGRAMS))? {
        let mode = fs::metadata(&path).map_err(at(&path))?.permissions().mode() & 0o777;
        members.push(Member::read(&name_in(home::PROGRAMS, &path), &path, mode)?);
    }
    for path in files(&dir.join(home::BLOBS))? {
        members.push(Member::blob(path)?);
    }
    write(members, out)
}

/// The database as of one moment, in one file.
async fn copy_database(from: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |e: sqlx::Error| BackupError::Database(Box::new(e));
    let options = SqliteConnectOptions::new().filename(from).busy_timeout(PATIENCE);
    let mut database = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    let to = to.to_string_lossy().into_owned();
    sqlx::query("VACUUM INTO $1").bind(to).execute(&mut database).await.map_err(failed)?;
    database.close().await.map_err(failed)
}

/// The regular files in a folder, sorted; none when it is not there.
fn files(dir: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(at(dir))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(at(dir))?.path();
        if fs::symlink_metadata(&path).map_err(at(&path))?.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn name_in(folder: &str, path: &Path) -> String {
    format!("{folder}/{}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// A file with what the list says of it.
struct Member {
    file: PathBuf,
    entry: Entry,
}

impl Member {
    fn read(name: &str, path: &Path, mode: u32) -> Result<Self, BackupError> {
        let mut file = File::open(path).map_err(at(path))?;
        let mut hashed = Hashed::new(&mut file);
        let size = io::copy(&mut hashed, &mut io::sink()).map_err(at(path))?;
        let entry = Entry { path: name.to_owned(), size, mode, sha256: hashed.digest() };
        Ok(Self { file: path.to_owned(), entry })
    }

    /// A blob has its digest for a name; whether that is right shows when it is copied.
    fn blob(path: PathBuf) -> Result<Self, BackupError> {
        let name = name_in(home::BLOBS, &path);
        let digest = name.rsplit('/').next().and_then(|name| name.parse().ok());
        let sha256 = digest.ok_or_else(|| BackupError::DamagedBlob(name.clone()))?;
        let size = fs::metadata(&path).map_err(at(&path))?.len();
        Ok(Self { file: path, entry: Entry { path: name, size, mode: 0o600, sha256 } })
    }
}

fn write(members: Vec<Member>, out: impl Write) -> Result<Contents, BackupError> {
    let written = |e| BackupError::Io { path: PathBuf::from("the backup"), source: e };
    let files: Vec<Entry> = members.iter().map(|member| member.entry.clone()).collect();
    let bytes = files.iter().map(|entry| entry.size).sum();
    let (count, made_ms) = (files.len(), now_ms());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let list = serde_json::to_vec(&List { format: FORMAT, version, made_ms, files });
    let list = list.map_err(|e| written(e.into()))?;
    let mut archive = Builder::new(out);
    let name = format!("{FOLDER}{}", Digest::of(&list));
    archive.append_data(&mut header(list.len() as u64, 0o600), name, &*list).map_err(written)?;
    for Member { file, entry } in members {
        let mut source = File::open(&file).map_err(at(&file))?;
        source.rewind().map_err(at(&file))?;
        let mut hashed = Hashed::new(source.take(entry.size));
        let mut header = header(entry.size, entry.mode);
        archive.append_data(&mut header, &entry.path, &mut hashed).map_err(written)?;
        if hashed.digest() != entry.sha256 {
            return Err(match entry.path.strip_prefix("blobs/") {
                Some(blob) => BackupError::DamagedBlob(blob.to_owned()),
                None => BackupError::Io {
                    path: file,
                    source: io::Error::other("it was changed while it was copied: try again"),
                },
            });
        }
    }
    archive.into_inner().and_then(|mut out| out.flush()).map_err(written)?;
    Ok(Contents { files: count, bytes, made_ms })
}

fn header(size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header
}

/// A reader that knows the digest of what was read.
pub(super) struct Hashed<R> {
    inner: R,
    hash: Context,
}

impl<R: Read> Hashed<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hash: Context::new(&SHA256) }
    }

    pub(super) fn digest(self) -> Digest {
        let mut digest = Digest([0; 32]);
        digest.0.copy_from_slice(self.hash.finish().as_ref());
        digest
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}
