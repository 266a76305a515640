//! Moving to another file system: a copy that is whole before it takes the target's name.

use super::plain;
use anyhow::{Context as _, bail};
use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Copies with everything that can be kept. What has the target's name then is replaced as by rename(2).
pub(super) fn copy(
    source: &Path,
    from: &Metadata,
    target: &Path,
    copied: &mut HashMap<(u64, u64), PathBuf>,
) -> anyhow::Result<()> {
    if from.is_dir() {
        check_folder(source, target)?;
    }
    let staged = place(target)?;
    let file = (from.dev(), from.ino());
    match copied.get(&file) {
        Some(known) => fs::hard_link(known, &staged).map_err(plain)?,
        None => archive(source, &staged)?,
    }
    let shared = if from.is_dir() { share(source, &staged, target, copied) } else { Ok(()) };
    if let Err(error) = shared.and_then(|()| fs::rename(&staged, target)) {
        remove(&staged);
        return Err(plain(error));
    }
    // With its last name here the file is gone, and its number may be another one's.
    if !from.is_dir() && from.nlink() > 1 {
        copied.insert(file, target.to_owned());
    } else {
        copied.remove(&file);
    }
    Ok(())
}

/// Files of several names, some of which went before, are made one again.
fn share(
    source: &Path,
    staged: &Path,
    target: &Path,
    copied: &mut HashMap<(u64, u64), PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(source)? {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let (staged, target) = (staged.join(&name), target.join(&name));
        let meta = entry.symlink_metadata()?;
        if meta.is_dir() {
            share(&entry, &staged, &target, copied)?;
            continue;
        }
        let file = (meta.dev(), meta.ino());
        let alike = |known: &&PathBuf| {
            let known = known.symlink_metadata();
            known.is_ok_and(|k| {
                (k.len(), k.mtime(), k.mtime_nsec())
                    == (meta.len(), meta.mtime(), meta.mtime_nsec())
            })
        };
        if let Some(known) = copied.get(&file).filter(alike) {
            fs::remove_file(&staged)?;
            fs::hard_link(known, &staged)?;
        } else if meta.nlink() > 1 {
            copied.insert(file, target);
        }
    }
    Ok(())
}

/// What rename(2) would refuse at the end is refused before anything is copied.
fn check_folder(source: &Path, target: &Path) -> anyhow::Result<()> {
    if fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{}", super::reason(&rustix::io::Errno::NOTEMPTY.into()));
    }
    let above = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (above, source) = (fs::canonicalize(above), fs::canonicalize(source));
    if let (Ok(above), Ok(source)) = (above, source)
        && above.starts_with(source)
    {
        bail!("it would be in itself");
    }
    Ok(())
}

/// A name beside the target that nothing has.
fn place(target: &Path) -> anyhow::Result<PathBuf> {
    for number in 0..1000 {
        let name = OsString::from(format!(".mv-{}-{number}", std::process::id()));
        let staged = match target.parent() {
            Some(folder) => folder.join(name),
            None => PathBuf::from(name),
        };
        match staged.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(staged),
            Err(error) => return Err(plain(error)),
            Ok(_) => {}
        }
    }
    bail!("no free name beside it")
}

/// Copies as `cp -a` does.
fn archive(source: &Path, staged: &Path) -> anyhow::Result<()> {
    uucore::locale::setup_localization("cp").context("no messages")?;
    // The status of one copy must not be taken for that of the next one.
    uucore::error::set_exit_code(0);
    let words: [OsString; 6] =
        ["mv".into(), "-a".into(), "-T".into(), "--".into(), source.into(), staged.into()];
    if uu_cp::uumain(words.into_iter()) != 0 {
        remove(staged);
        bail!("it could not be copied");
    }
    Ok(())
}

/// Removes a copy that is not whole or has no name to take.
fn remove(staged: &Path) {
    let folder = staged.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    let _ = if folder { fs::remove_dir_all(staged) } else { fs::remove_file(staged) };
}
