//! Making a backup.

use super::{
    BackupError, Contents, at,
    list::{Entry, FOLDER, FORMAT, List},
};
use crate::{
    blobs::{BlobError, Blobs, Found},
    home,
    time::now_ms,
};
use http_body_util::BodyExt;
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
    let blobs = Blobs::existing(dir)?;
    let stored = blobs.list().await?;
    write(&members, &blobs, &stored, out).await
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
}

/// What the list says of a blob. It has its digest for a name; whether that is right shows when it is copied.
fn entry(blob: &Found) -> Entry {
    let &Found { digest, size } = blob;
    Entry { path: format!("{}/{digest}", home::BLOBS), size, mode: 0o600, sha256: digest }
}

fn written(source: io::Error) -> BackupError {
    BackupError::Io { path: PathBuf::from("the backup"), source }
}

async fn write(
    members: &[Member],
    blobs: &Blobs,
    stored: &[Found],
    out: impl Write,
) -> Result<Contents, BackupError> {
    let files = members.iter().map(|member| member.entry.clone());
    let files: Vec<Entry> = files.chain(stored.iter().map(entry)).collect();
    let bytes = files.iter().map(|entry| entry.size).sum();
    let (count, made_ms) = (files.len(), now_ms());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let list = serde_json::to_vec(&List { format: FORMAT, version, made_ms, files });
    let list = list.map_err(|e| written(e.into()))?;
    let mut archive = Builder::new(out);
    let name = format!("{FOLDER}{}", Digest::of(&list));
    archive.append_data(&mut header(list.len() as u64, 0o600), name, &*list).map_err(written)?;
    for member in members {
        append(&mut archive, member)?;
    }
    for blob in stored {
        append_blob(&mut archive, blobs, blob).await?;
    }
    archive.into_inner().and_then(|mut out| out.flush()).map_err(written)?;
    Ok(Contents { files: count, bytes, made_ms })
}

fn append(archive: &mut Builder<impl Write>, member: &Member) -> Result<(), BackupError> {
    let Member { file, entry } = member;
    let mut source = File::open(file).map_err(at(file))?;
    source.rewind().map_err(at(file))?;
    let mut hashed = Hashed::new(source.take(entry.size));
    let mut header = header(entry.size, entry.mode);
    archive.append_data(&mut header, &entry.path, &mut hashed).map_err(written)?;
    if hashed.digest() != entry.sha256 {
        let changed = io::Error::other("it was changed while it was copied: try again");
        return Err(at(file)(changed));
    }
    Ok(())
}

/// Appends a blob as it comes from where it is stored.
async fn append_blob(
    archive: &mut Builder<impl Write>,
    blobs: &Blobs,
    found: &Found,
) -> Result<(), BackupError> {
    let &Found { digest, size } = found;
    let damaged = || BackupError::DamagedBlob(digest.to_string());
    let blob = blobs.stored(&digest).await?.filter(|blob| blob.size == size).ok_or_else(damaged)?;
    let mut header = header(size, 0o600);
    header.set_path(entry(found).path).map_err(written)?;
    header.set_cksum();
    let out = archive.get_mut();
    out.write_all(header.as_bytes()).map_err(written)?;
    let mut body = blob.body(0..size).await?;
    let mut hash = Context::new(&SHA256);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| BlobError::Unreadable(digest, e.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        hash.update(&data);
        out.write_all(&data).map_err(written)?;
    }
    if hash.finish().as_ref() != digest.0 {
        return Err(damaged());
    }
    // A member's data ends with a whole block of 512 bytes.
    let rest = usize::try_from(size.next_multiple_of(512) - size).unwrap_or_default();
    out.write_all([0; 512].get(..rest).unwrap_or_default()).map_err(written)
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
