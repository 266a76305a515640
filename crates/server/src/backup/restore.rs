//! Restoring a backup: everything is checked before the folder gets its name.

use super::{
    BackupError, Contents, at,
    list::{Entry, FOLDER, List, MAX_LIST},
    write::Hashed,
};
use crate::{home, store};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};
use tar::{Archive, Entry as Member, EntryType};
use xenoboot_wire::Digest;

/// Restores a backup into the folder `dir`, which must be empty or not there. `scratch` is an empty folder on the same
/// file system: it is filled, checked, and becomes `dir`.
///
/// # Errors
/// When the backup is not whole, or the folder cannot be written.
pub async fn restore(
    backup: impl Read,
    scratch: &Path,
    dir: &Path,
) -> Result<Contents, BackupError> {
    ensure_empty(dir)?;
    let contents = unpack(backup, scratch)?;
    store::check(&scratch.join(home::DATABASE)).await.map_err(BackupError::Database)?;
    File::open(scratch).and_then(|folder| folder.sync_all()).map_err(at(scratch))?;
    // Replaces an empty folder, and nothing else.
    fs::rename(scratch, dir).map_err(at(dir))?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(at(parent))?;
    Ok(contents)
}

fn ensure_empty(dir: &Path) -> Result<(), BackupError> {
    match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(at(dir)(e)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(BackupError::NotEmpty(dir.to_owned())),
        },
    }
}

fn unpack(backup: impl Read, dir: &Path) -> Result<Contents, BackupError> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(at(dir))?;
    let mut archive = Archive::new(backup);
    let mut members = archive.entries().map_err(|e| BackupError::NoBackup(e.to_string()))?;
    let first = members.next().transpose().map_err(|e| BackupError::NoBackup(e.to_string()))?;
    let first = first.ok_or_else(|| BackupError::NoBackup("it is empty".to_owned()))?;
    let list = read_list(first)?;
    for folder in [home::BLOBS, home::PROGRAMS] {
        let path = dir.join(folder);
        DirBuilder::new().mode(0o700).create(&path).map_err(at(&path))?;
    }
    let mut bytes = 0;
    for entry in &list.files {
        let member = members.next().ok_or_else(|| BackupError::Cut(entry.path.clone()))?;
        let member = member.map_err(|e| broken(&entry.path, &e))?;
        copy(member, entry, dir)?;
        bytes += entry.size;
    }
    if members.next().is_some() {
        return Err(BackupError::Damaged("it has more than its list says".to_owned()));
    }
    for folder in [home::BLOBS, home::PROGRAMS] {
        let path = dir.join(folder);
        File::open(&path).and_then(|folder| folder.sync_all()).map_err(at(&path))?;
    }
    Ok(Contents { files: list.files.len(), bytes, made_ms: list.made_ms })
}

/// What an error in the middle of the archive means.
fn broken(path: &str, error: &io::Error) -> BackupError {
    // The library has no kind for them.
    let ends = ["unexpected EOF", "failed to read entire block"];
    let text = error.to_string();
    if error.kind() == io::ErrorKind::UnexpectedEof || ends.iter().any(|end| text.contains(end)) {
        return BackupError::Cut(path.to_owned());
    }
    BackupError::Damaged(format!("{path}: {text}"))
}

fn read_list(member: Member<'_, impl Read>) -> Result<List, BackupError> {
    let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
    let digest = name.strip_prefix(FOLDER).and_then(|digest| digest.parse::<Digest>().ok());
    let Some(digest) = digest else {
        return Err(BackupError::NoBackup("it does not begin with a list".to_owned()));
    };
    if member.size() > MAX_LIST {
        return Err(BackupError::Damaged("its list is too long".to_owned()));
    }
    let size = member.size();
    let mut bytes = Vec::new();
    member.take(size).read_to_end(&mut bytes).map_err(|e| broken("its list", &e))?;
    if bytes.len() as u64 != size {
        return Err(BackupError::Cut("its list".to_owned()));
    }
    if Digest::of(&bytes) != digest {
        return Err(BackupError::Damaged("its list has another digest".to_owned()));
    }
    List::parse(&bytes)
}

/// Writes one file, durably; its header says nothing that its list has not said.
fn copy(member: Member<'_, impl Read>, entry: &Entry, dir: &Path) -> Result<(), BackupError> {
    let damaged = |why: &str| BackupError::Damaged(format!("{} {why}", entry.path));
    let named = *member.path_bytes() == *entry.path.as_bytes();
    if !named || member.size() != entry.size || member.header().entry_type() != EntryType::Regular {
        return Err(damaged("is not as its list says"));
    }
    let path = dir.join(&entry.path);
    let mut file = OpenOptions::new();
    let file = file.write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.map_err(at(&path))?;
    let mut source = Hashed::new(member.take(entry.size));
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        let n = source.read(&mut buffer).map_err(|e| broken(&entry.path, &e))?;
        if n == 0 {
            break;
        }
        size += n as u64;
        let read = buffer.get(..n).unwrap_or_default();
        io::Write::write_all(&mut file, read).map_err(at(&path))?;
    }
    if size != entry.size {
        return Err(BackupError::Cut(entry.path.clone()));
    }
    if source.digest() != entry.sha256 {
        return Err(damaged("has another digest"));
    }
    let mode = fs::Permissions::from_mode(entry.mode);
    file.set_permissions(mode).and_then(|()| file.sync_all()).map_err(at(&path))
}
