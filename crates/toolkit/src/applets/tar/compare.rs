//! `tar -d`: what in an archive is no longer as the files are.

use super::read::Reading;
use crate::archive::{Kind, Member, words};
use std::{
    fs::{self, File, Metadata},
    io::{self, BufRead, BufReader, Read as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

/// Says how the file of a member differs from it; whether it does.
pub(super) fn compare(
    reading: &Reading,
    member: &Member,
    base: &Path,
    data: &mut dyn BufRead,
) -> anyhow::Result<(bool, Vec<u8>)> {
    let path = base.join(member.path.strip_prefix("/").unwrap_or(&member.path));
    let shown = member.path.display().to_string();
    let shown = shown.strip_suffix('/').unwrap_or(&shown);
    let meta = match fs::symlink_metadata(&path) {
        Ok(meta) => meta,
        Err(error) => {
            eprintln!("tar: {shown}: Warning: Cannot stat: {}", words(&error.into()));
            return Ok((true, Vec::new()));
        }
    };
    let found = match differences(reading, member, &meta, &path, base, data) {
        Ok(found) => found,
        Err(error) => {
            eprintln!("tar: {shown}: Cannot open: {}", words(&error.into()));
            return Ok((true, Vec::new()));
        }
    };
    let lines: String = found.iter().map(|what| format!("{shown}: {what}\n")).collect();
    Ok((!found.is_empty(), lines.into_bytes()))
}

fn differences(
    reading: &Reading,
    member: &Member,
    meta: &Metadata,
    path: &Path,
    base: &Path,
    data: &mut dyn BufRead,
) -> io::Result<Vec<String>> {
    let kind = meta.file_type();
    let device = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
    let same_kind = match &member.kind {
        Kind::File => kind.is_file(),
        Kind::Folder => kind.is_dir(),
        Kind::Symlink(_) => kind.is_symlink(),
        Kind::Hardlink(_) => true,
        Kind::Char(..) => kind.is_char_device(),
        Kind::Block(..) => kind.is_block_device(),
        Kind::Fifo => kind.is_fifo(),
    };
    if !same_kind {
        return Ok(vec!["File type differs".into()]);
    }
    let mut found = Vec::new();
    match &member.kind {
        Kind::Hardlink(first) => {
            let other = fs::symlink_metadata(base.join(first));
            if !other.is_ok_and(|other| (other.dev(), other.ino()) == (meta.dev(), meta.ino())) {
                found.push(format!("Not linked to {}", first.display()));
            }
            return Ok(found);
        }
        Kind::Symlink(target) => {
            if fs::read_link(path)? != *target {
                found.push("Symlink differs".into());
            }
            return Ok(found);
        }
        Kind::Char(major, minor) | Kind::Block(major, minor) if device != (*major, *minor) => {
            found.push("Device number differs".into());
        }
        _ => {}
    }
    if meta.permissions().mode() & 0o7777 != member.mode & 0o7777 {
        found.push("Mode differs".into());
    }
    if member.kind != Kind::File {
        return Ok(found);
    }
    let later = member.nanos != 0 && i64::from(member.nanos) != meta.mtime_nsec();
    let attributes = [
        ("Uid differs", meta.uid() != member.uid),
        ("Gid differs", meta.gid() != member.gid),
        ("Mod time differs", meta.mtime() != member.mtime || later),
        ("Size differs", meta.size() != member.size),
    ];
    let differs = attributes
        .into_iter()
        .filter(|(what, differs)| *differs && !(what.starts_with('M') && reading.ignores_times()));
    found.extend(differs.map(|(what, _)| what.to_owned()));
    if meta.size() == member.size && !same_data(data, File::open(path)?)? {
        found.push("Contents differ".into());
    }
    Ok(found)
}

fn same_data(data: &mut dyn BufRead, file: File) -> io::Result<bool> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let got = data.read(&mut buffer)?;
        let read = buffer.get(..got).unwrap_or_default();
        if read.is_empty() {
            return Ok(file.fill_buf()?.is_empty());
        }
        let mut other = Vec::with_capacity(got);
        (&mut file).take(got as u64).read_to_end(&mut other)?;
        if other != read {
            return Ok(false);
        }
    }
}
