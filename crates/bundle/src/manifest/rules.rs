//! The rules that a manifest keeps, made or received.

use super::{Extension, File, Machines, Manifest, Then};
use crate::{
    cbor::{CborError, Reader},
    limits,
    path::PathError,
};
use std::{cmp::Ordering, collections::HashSet};
use xenoboot_wire::Digest;

/// A manifest is not what the format says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not the deterministic CBOR that is expected.
    #[error("the encoding is not valid")]
    Cbor(#[source] CborError),
    /// Made by a later version.
    #[error("format {0} is not known")]
    Format(u64),
    /// A field that is not known and must not be ignored.
    #[error("field {0} is not known and must not be ignored")]
    UnknownField(i64),
    /// A field is not there.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A value of fixed size has another one.
    #[error("`{0}` has the wrong size")]
    Length(&'static str),
    /// A list has too many items.
    #[error("more than {most} {what}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// The name, or a group's, breaks the rule of names.
    #[error("a name is not 1 to 64 letters, digits, `-`, `_`, `.`")]
    Name,
    /// No machine is named, or by another word than `any`.
    #[error("the machines are not named")]
    Machines,
    /// Machine keys or groups are not in ascending order, each once.
    #[error("machines are not in ascending order, each once")]
    MachineOrder,
    /// A point in time after the year 9999, or an expiry before the making.
    #[error("the times are not in order")]
    Times,
    /// A time limit or delay of zero or more than 30 days.
    #[error("a limit or delay is out of range")]
    Duration,
    /// A memory limit under 1 MiB.
    #[error("the memory limit is too small")]
    Memory,
    /// An unknown action after a run.
    #[error("what to do after the run is not known")]
    Then,
    /// An argument is too long or holds a zero byte.
    #[error("an argument is too long or holds a zero byte")]
    Argument,
    /// A path that is not allowed.
    #[error("a path is not allowed")]
    Path(#[source] PathError),
    /// Files are not in the order of their paths.
    #[error("files are not in the order of their paths")]
    FileOrder,
    /// Two files have the same path.
    #[error("two files have the same path")]
    DuplicatePath,
    /// One file's path is a folder of another's.
    #[error("a file is in the place of a folder")]
    FileAsFolder,
    /// A mode with more than permission bits.
    #[error("a file's mode is more than permission bits")]
    Mode,
    /// The files are larger in total than [`limits::TOTAL`], or one inline larger than [`limits::INLINE`].
    #[error("files are too large")]
    TooLarge,
    /// An inline file's content does not have the size or digest that is stated.
    #[error("an inline file is not what its digest says")]
    Content,
    /// One digest with two sizes.
    #[error("one digest has two sizes")]
    SizeConflict,
    /// The entry is none of the files.
    #[error("the entry is not among the files")]
    EntryMissing,
    /// The entry's mode lacks the owner's execute bit.
    #[error("the entry is not executable")]
    EntryMode,
    /// A need that is not known, or needs that are not in ascending order, each once.
    #[error("what it needs is not known, or not in ascending order")]
    Need,
    /// An extension is too large, not one item, or its key not negative and in order.
    #[error("an extension is not valid")]
    Extension,
}

use ManifestError as Error;

/// Checks everything that the shape alone does not show.
pub(super) fn check(m: &Manifest) -> Result<(), Error> {
    name(&m.name)?;
    machines(&m.machines)?;
    if m.created >= m.not_after || m.not_after > limits::TIME {
        return Err(Error::Times);
    }
    duration(m.time_limit_s)?;
    for then in [m.on_success, m.on_failure] {
        if let Then::RunAgain { after_s } = then {
            duration(after_s)?;
        }
    }
    if m.memory_limit.is_some_and(|bytes| bytes < limits::MEMORY) {
        return Err(Error::Memory);
    }
    args(&m.args)?;
    files(&m.files)?;
    let entry = m.files.binary_search_by(|f| f.path.cmp(&m.entry)).ok();
    let entry = entry.and_then(|i| m.files.get(i)).ok_or(Error::EntryMissing)?;
    if entry.mode & 0o100 == 0 {
        return Err(Error::EntryMode);
    }
    if !m.needs.is_sorted_by(|a, b| a.name() < b.name()) {
        return Err(Error::Need);
    }
    extensions(&m.extensions)
}

fn name(name: &str) -> Result<(), Error> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let begins_well = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let fits = name.len() <= limits::NAME && name.bytes().all(plain) && begins_well;
    if fits { Ok(()) } else { Err(Error::Name) }
}

fn duration(seconds: u64) -> Result<(), Error> {
    if (1..=limits::SECONDS).contains(&seconds) { Ok(()) } else { Err(Error::Duration) }
}

fn machines(machines: &Machines) -> Result<(), Error> {
    let Machines::Listed { keys, groups } = machines else { return Ok(()) };
    if keys.is_empty() && groups.is_empty() {
        return Err(Error::Machines);
    }
    for (what, count, most) in
        [("machines", keys.len(), limits::MACHINES), ("groups", groups.len(), limits::GROUPS)]
    {
        if count > most {
            return Err(Error::TooMany { what, most });
        }
    }
    groups.iter().try_for_each(|g| name(g))?;
    if keys.is_sorted_by(|a, b| a < b) && groups.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(Error::MachineOrder)
    }
}

fn args(args: &[String]) -> Result<(), Error> {
    if args.len() > limits::ARGS {
        return Err(Error::TooMany { what: "arguments", most: limits::ARGS });
    }
    let fits = |a: &String| a.len() <= limits::ARG && !a.contains('\0');
    if args.iter().all(fits) { Ok(()) } else { Err(Error::Argument) }
}

fn files(files: &[File]) -> Result<(), Error> {
    if files.len() > limits::FILES {
        return Err(Error::TooMany { what: "files", most: limits::FILES });
    }
    for pair in files.windows(2) {
        let [before, after] = pair else { continue };
        match before.path.cmp(&after.path) {
            Ordering::Less => {}
            Ordering::Equal => return Err(Error::DuplicatePath),
            Ordering::Greater => return Err(Error::FileOrder),
        }
    }
    let paths: HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
    if files.iter().any(|f| f.path.folders().any(|folder| paths.contains(folder))) {
        return Err(Error::FileAsFolder);
    }
    files.iter().try_for_each(file)?;
    total(files)
}

fn file(file: &File) -> Result<(), Error> {
    if file.mode > 0o777 {
        return Err(Error::Mode);
    }
    let Some(content) = &file.content else { return Ok(()) };
    if content.len() > limits::INLINE {
        return Err(Error::TooLarge);
    }
    let same = content.len() as u64 == file.size && Digest::of(content) == file.digest;
    if same { Ok(()) } else { Err(Error::Content) }
}

fn total(files: &[File]) -> Result<(), Error> {
    let sum = files.iter().try_fold(0u64, |sum, f| sum.checked_add(f.size));
    if sum.is_none_or(|sum| sum > limits::TOTAL) {
        return Err(Error::TooLarge);
    }
    let mut sizes = std::collections::HashMap::new();
    for f in files {
        if *sizes.entry(f.digest).or_insert(f.size) != f.size {
            return Err(Error::SizeConflict);
        }
    }
    Ok(())
}

fn extensions(extensions: &[Extension]) -> Result<(), Error> {
    if extensions.len() > limits::EXTENSIONS {
        return Err(Error::TooMany { what: "extensions", most: limits::EXTENSIONS });
    }
    let one_item = |value: &[u8]| {
        let mut reader = Reader::new(value);
        reader.any(limits::EXTENSION_DEPTH).is_ok() && reader.end().is_ok()
    };
    let fits =
        |e: &Extension| e.key < 0 && e.value.len() <= limits::EXTENSION && one_item(&e.value);
    if extensions.iter().all(fits) && extensions.is_sorted_by(|a, b| a.key > b.key) {
        Ok(())
    } else {
        Err(Error::Extension)
    }
}
