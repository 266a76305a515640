//! Writing a file so that it is never half written.

use super::{files::Lines, text::Text};
use rustix::{
    fs::{FallocateFlags, Gid, Mode, Uid, fchmod, fchown, fstatvfs, llistxattr},
    io::Errno,
};
use std::{
    ffi::OsString,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Writes all to a file and waits until it is on the disk.
pub(super) fn fill(text: &Text, lines: Lines, file: &File, whole: bool) -> io::Result<u64> {
    let mut out = BufWriter::with_capacity(64 * 1024, file);
    let length = text.write(&mut out, lines.start, lines.end, whole)?;
    out.flush()?;
    match file.sync_all() {
        // A device or a pipe has nothing to wait for.
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
        _ => Ok(length),
    }
}

/// Writes lines to a file that is there (`facts`) or not.
///
/// # Errors
/// When that fails; then a file that is there is as it was, unless it was being written in place.
pub(super) fn store(
    text: &Text,
    lines: Lines,
    path: &Path,
    facts: Option<&Metadata>,
    whole: bool,
) -> io::Result<u64> {
    let Some(facts) = facts else { return create(text, lines, path, whole) };
    // What the path leads to is replaced, not a link to it.
    let target = fs::canonicalize(path)?;
    if facts.is_file() && facts.nlink() == 1 && !has_attributes(&target) {
        match beside(&target, facts)? {
            None => {}
            Some((file, temporary)) => {
                let done = fill(text, lines, &file, whole).and_then(|length| {
                    fs::rename(&temporary, &target)?;
                    Ok(length)
                });
                match done {
                    Ok(_) => sync_folder(&target),
                    Err(_) => fs::remove_file(&temporary)?,
                }
                return done;
            }
        }
    }
    in_place(text, lines, &target, facts, whole)
}

fn create(text: &Text, lines: Lines, path: &Path, whole: bool) -> io::Result<u64> {
    let file = match OpenOptions::new().write(true).create_new(true).open(path) {
        // A link to a file that is not there yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            return fill(text, lines, &file, whole);
        }
        file => file?,
    };
    let done = fill(text, lines, &file, whole);
    match done {
        Ok(_) => sync_folder(path),
        Err(_) => fs::remove_file(path)?,
    }
    done
}

/// A file beside another, with its owner and mode; `None` where that cannot be.
fn beside(target: &Path, facts: &Metadata) -> io::Result<Option<(File, PathBuf)>> {
    let Some(name) = target.file_name() else { return Ok(None) };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".vi-{}", std::process::id()));
    let temporary = target.with_file_name(hidden);
    let Ok(file) = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)
    else {
        return Ok(None);
    };
    let (uid, gid) = (Uid::from_raw(facts.uid()), Gid::from_raw(facts.gid()));
    let kept = fchown(&file, Some(uid), Some(gid))
        .and_then(|()| fchmod(&file, Mode::from_raw_mode(facts.mode() & 0o7777)));
    if kept.is_err() {
        fs::remove_file(&temporary)?;
        return Ok(None);
    }
    Ok(Some((file, temporary)))
}

/// Access lists, labels, capabilities: a new file would lack them.
fn has_attributes(path: &Path) -> bool {
    let mut names = [0_u8; 4096];
    llistxattr(path, &mut names[..]).is_ok_and(|length| length > 0)
}

fn in_place(
    text: &Text,
    lines: Lines,
    target: &Path,
    facts: &Metadata,
    whole: bool,
) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).open(target)?;
    if !facts.is_file() {
        return fill(text, lines, &file, whole);
    }
    let needed = text.write(&mut io::sink(), lines.start, lines.end, whole)?;
    let free = fstatvfs(&file)?;
    let held = facts.blocks() * 512;
    if needed > held && (needed - held) > free.f_bavail.saturating_mul(free.f_frsize) {
        return Err(Errno::NOSPC.into());
    }
    // The blocks are taken before a byte of the old text is gone.
    let taken = rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, needed.max(1));
    // Not every file system can.
    if taken == Err(Errno::NOSPC) {
        return Err(Errno::NOSPC.into());
    }
    let length = fill(text, lines, &file, whole)?;
    file.set_len(length)?;
    file.sync_all()?;
    Ok(length)
}

/// So that the new name outlives a cut of power; where that cannot be, the file is written all the same.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
}
