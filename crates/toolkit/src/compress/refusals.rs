//! What is not done, and how it is said.

use super::{
    Format,
    command::{Family, Task},
    gzip::Fault,
};
use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

/// A file that is left alone: the command goes on, with another status in the end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Skipped(pub(super) String, pub(super) Why);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Exists,
    /// The new file cannot be made.
    Unmade,
    NoFile,
    Folder,
    /// It is compressed already.
    Packed,
    /// Nothing says which file to make of it.
    Ending,
    /// It is no file that may be replaced.
    Unfit,
}

/// Refuses what `gzip` does not replace by another file; some of it does when it is forced to.
pub(super) fn check(path: &Path, force: bool) -> anyhow::Result<()> {
    let refuse = |text: &str| Err(Skipped(text.to_owned(), Why::Unfit).into());
    let look = if force { fs::metadata(path) } else { fs::symlink_metadata(path) };
    let Ok(meta) = look else { return Ok(()) };
    let links = meta.nlink();
    match meta.mode() {
        _ if meta.is_symlink() => {
            Err(Skipped("Too many levels of symbolic links".into(), Why::NoFile).into())
        }
        _ if meta.is_dir() => Ok(()),
        _ if !meta.is_file() => refuse("is not a directory or a regular file - ignored"),
        mode if mode & 0o4000 != 0 => refuse("is set-user-ID on execution - ignored"),
        mode if mode & 0o2000 != 0 => refuse("is set-group-ID on execution - ignored"),
        mode if mode & 0o1000 != 0 => refuse("has the sticky bit set - file ignored"),
        _ if links > 1 && !force => {
            let s = if links > 2 { "s" } else { "" };
            refuse(&format!("has {} other link{s} -- file ignored", links - 1))
        }
        _ => Ok(()),
    }
}

/// The fault in an error, if it is one of the data.
fn fault(error: &anyhow::Error) -> Option<Fault> {
    error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()).and_then(Fault::of)
}

/// Whether all of the data was good, and only something behind it was not.
pub(super) fn is_garbage(error: &anyhow::Error) -> bool {
    fault(error) == Some(Fault::Garbage)
}

/// Prints what was wrong with a file; the status that it means.
pub(super) fn complain(
    family: &Family,
    quiet: bool,
    task: Task,
    file: &Path,
    error: &anyhow::Error,
) -> u8 {
    let gzip = family.format == Format::Gzip;
    let stdin = file == Path::new("-");
    let shown = if stdin { "stdin".into() } else { file.display().to_string() };
    let skipped = error.downcast_ref::<Skipped>().map(|skipped| skipped.1);
    let fault = fault(error).filter(|_| gzip && task != Task::Pack && skipped.is_none());
    let warning = fault == Some(Fault::Garbage)
        || skipped.is_some_and(|why| !matches!(why, Why::NoFile | Why::Unmade));
    // That nothing was written is said in any case.
    let said = gzip && skipped == Some(Why::Exists);
    if said || !(quiet && warning) {
        let name = family.name;
        match (skipped, fault) {
            (Some(Why::Unmade), _) => eprintln!("{name}: {error:#}"),
            (Some(Why::Exists), _) if gzip => eprintln!("{name}: {error:#}"),
            (Some(Why::Folder | Why::Packed | Why::Unfit), _) if gzip => {
                eprintln!("{name}: {shown} {error:#}");
            }
            (None, Some(fault)) => faulty(name, &shown, fault),
            _ => eprintln!("{name}: {shown}: {error:#}"),
        }
    }
    match skipped {
        Some(Why::NoFile | Why::Unmade) => 1,
        // An error to xz; the others only warn.
        Some(Why::Exists) if family.format == Format::Xz => 1,
        Some(Why::Packed) if gzip => 0,
        Some(Why::Ending) if gzip && quiet => 0,
        Some(_) => family.skipped,
        None if fault == Some(Fault::Garbage) => 2,
        None => family.damaged,
    }
}

/// Names a fault as GNU's does; those of the data begin on a new line.
fn faulty(name: &str, shown: &str, fault: Fault) {
    match fault {
        Fault::Encrypted | Fault::Flags(_) => eprintln!("{name}: {shown} {fault}"),
        Fault::Method(_) | Fault::HeaderCrc(..) => eprintln!("{name}: {shown}: {fault}"),
        Fault::CrcAndLength => {
            faulty(name, shown, Fault::Crc);
            faulty(name, shown, Fault::Length);
        }
        _ => eprintln!("\n{name}: {shown}: {fault}"),
    }
}
