//! Adding to an archive that is there: `-r` and `-u`.

use super::create::{Creating, Made, removed};
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
    io::{BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _},
};

pub(super) fn append(args: &Args) -> anyhow::Result<u8> {
    let Some(name) = args.value("file").filter(|name| *name != OsStr::new("-")) else {
        return usage_error("-r and -u need -f FILE");
    };
    let shown = || format!("{}: Cannot open", name.display());
    let opened = File::options().read(true).write(true).create(true).truncate(false).open(name);
    let mut file = opened.with_context(shown)?;
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
