//! Changing an archive that is there: `-r`, `-u`, `-A` and `--delete`.

use super::{
    create::{Creating, Made, removed},
    matching::Matching,
    member::{Blocks, record_size},
};
use crate::{
    applet::{Args, usage_error},
    archive::{Counted, tape::Archive},
    compress::Format,
};
use anyhow::{Context as _, bail};
use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::FileExt as _},
};

/// The archive that is changed, with its name. Only what takes members out wants one that is there.
fn archive<'a>(args: &'a Args, create: bool, why: &str) -> anyhow::Result<(&'a OsStr, File)> {
    let Some(name) = args.value("file").filter(|name| *name != OsStr::new("-")) else {
        return usage_error(format!("{why} -f FILE"));
    };
    let opened = File::options().read(true).write(true).create(create).truncate(false).open(name);
    let file = opened.with_context(|| format!("{}: Cannot open", name.display()))?;
    Ok((name, file))
}

pub(super) fn append(args: &Args) -> anyhow::Result<u8> {
    let (name, mut file) = archive(args, true, "-r and -u need")?;
    let (end, there) = members(&file).with_context(|| name.display().to_string())?;
    file.seek(SeekFrom::Start(end))?;
    let to = BufWriter::with_capacity(1 << 17, file);
    let mut creating = Creating::new(args, to, name, end)?;
    if args.has("update") {
        creating.there = there;
    }
    let Made { mut to, status, remove } = creating.all(args)?;
    to.flush()?;
    // What was padding before may be longer than what is now.
    let mut file = to.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    let end = file.stream_position()?;
    file.set_len(end)?;
    Ok(removed(&remove, status))
}

/// Where the archive's end is, and the times of what is in it.
fn members(file: &File) -> anyhow::Result<(u64, HashMap<OsString, i64>)> {
    let mut from = BufReader::with_capacity(1 << 17, file);
    if Format::of(from.fill_buf()?).is_some() {
        bail!("Cannot update compressed archives");
    }
    let mut archive = Archive::new(Counted { data: from, at: 0 });
    let mut there = HashMap::new();
    while let Some(member) = archive.next().context("This does not look like a tar archive")? {
        there.insert(member.path.into_os_string(), member.mtime);
    }
    Ok((archive.end(), there))
}

/// Adds the members of other archives.
pub(super) fn concatenate(args: &Args) -> anyhow::Result<u8> {
    let (name, mut file) = archive(args, true, "-A needs")?;
    let (end, _) = members(&file).with_context(|| name.display().to_string())?;
    file.seek(SeekFrom::Start(end))?;
    let mut to = Blocks::new(BufWriter::with_capacity(1 << 17, file), end);
    for name in &args.operands {
        let mut from =
            File::open(name).with_context(|| format!("{}: Cannot open", name.display()))?;
        let (end, _) = members(&from).with_context(|| name.display().to_string())?;
        from.rewind()?;
        io::copy(&mut from.take(end), &mut to)?;
    }
    finish(to, record_size(args)?)
}

/// The zeros that an archive ends with, and nothing behind them.
fn finish(mut to: Blocks<BufWriter<File>>, record: u64) -> anyhow::Result<u8> {
    to.write_all(&[0; 1024])?;
    let mut file = to.fill(record)?.into_inner().map_err(io::IntoInnerError::into_error)?;
    let end = file.stream_position()?;
    file.set_len(end)?;
    Ok(0)
}

/// Takes members out of an archive: what is behind them moves forward.
pub(super) fn delete(args: &Args) -> anyhow::Result<u8> {
    let (_, mut file) = archive(args, false, "--delete needs")?;
    let mut how = Matching::MEMBERS;
    args.all().for_each(|(option, _)| how.take(option));
    let mut names: Vec<_> = args.operands.iter().map(|name| (name, false)).collect();
    let kept = kept(&file, |member| {
        let member = member.as_bytes();
        let member = member.strip_suffix(b"/").unwrap_or(member);
        let mut hit = false;
        for (name, found) in &mut names {
            let name = name.as_bytes();
            if how.fits(name.strip_suffix(b"/").unwrap_or(name), member, true) {
                (hit, *found) = (true, true);
            }
        }
        hit
    })?;
    let mut end = 0;
    for (start, stop) in kept {
        let mut at = start;
        let mut buffer = vec![0; 1 << 16];
        while at < stop && start != end {
            let part = usize::try_from(stop - at).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..part).unwrap_or_default();
            file.read_exact_at(part, at)?;
            file.write_all_at(part, end + (at - start))?;
            at += part.len() as u64;
        }
        end += stop - start;
    }
    file.seek(SeekFrom::Start(end))?;
    let to = Blocks::new(BufWriter::new(file), end);
    let mut status = finish(to, record_size(args)?)?;
    for (name, _) in names.iter().filter(|(_, found)| !found) {
        eprintln!("tar: {}: Not found in archive", name.display());
        status = 2;
    }
    if status != 0 {
        eprintln!("tar: Exiting with failure status due to previous errors");
    }
    Ok(status)
}

/// Where the members are that stay: from where to where.
fn kept(
    file: &File,
    mut is_deleted: impl FnMut(&OsStr) -> bool,
) -> anyhow::Result<Vec<(u64, u64)>> {
    let mut from = BufReader::with_capacity(1 << 17, file);
    if Format::of(from.fill_buf()?).is_some() {
        bail!("Cannot update compressed archives");
    }
    let mut archive = Archive::new(Counted { data: from, at: 0 });
    let mut kept = Vec::new();
    let mut start = 0;
    while let Some(member) = archive.next().context("This does not look like a tar archive")? {
        archive.skip()?;
        let stop = archive.end();
        if !is_deleted(member.path.as_os_str()) {
            kept.push((start, stop));
        }
        start = stop;
    }
    Ok(kept)
}
