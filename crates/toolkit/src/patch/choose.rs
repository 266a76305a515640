//! Which file a patch means, and whether it is to be applied backwards.

use super::{
    folder::{Folder, Name},
    header::{Absent, Header},
    output::Outputs,
    settings::Settings,
};
use rustix::{
    fs::{FileType, Stat},
    io::Errno,
};
use std::{cell::RefCell, collections::HashSet};

/// How the patch at hand is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) reverse: bool,
    /// Its hunks are only read.
    pub(crate) skip: bool,
}

/// The file that is meant, and what it is.
pub(crate) struct Chosen {
    pub(crate) name: Option<Name>,
    pub(crate) found: Result<Stat, Errno>,
}

/// A name of the header that may be the one.
struct Candidate<'h> {
    bytes: &'h [u8],
    name: Name,
    found: Result<Stat, Errno>,
}

pub(crate) struct Chooser<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) folder: &'a Folder,
    pub(crate) outputs: &'a Outputs<'a>,
    /// Names that were said to be dangerous.
    pub(crate) said: RefCell<HashSet<Vec<u8>>>,
}

impl Chooser<'_> {
    /// The file of a patch that is about files of this type.
    pub(crate) fn choose(&self, header: &Header<'_>, kind: FileType, turn: &mut Turn) -> Chosen {
        if let Some(file) = &self.settings.file {
            let name = Name::of_user(file);
            let found = self.folder.stat(&name);
            if found.as_ref().map_or(true, |found| is(found, kind)) {
                self.maybe_reverse(header, &name, found.as_ref().ok(), turn);
            }
            return Chosen { name: Some(name), found };
        }
        let posix = self.settings.posix;
        let faces = [&header.old.name, &header.new.name];
        let index =
            Some(&header.index).filter(|_| posix || faces.iter().all(|name| name.is_none()));
        let names = faces.into_iter().chain(index).flatten();
        let candidates: Vec<Candidate<'_>> = names.map(|name| self.candidate(name)).collect();
        let there = |candidate: &Candidate<'_>| candidate.found.is_ok();
        let found = if posix {
            let safe =
                |candidate: &&Candidate<'_>| there(candidate) && self.is_safe(candidate.bytes);
            candidates.iter().find(safe)
        } else {
            self.best(candidates.iter().filter(|candidate| there(candidate)).collect())
                .or_else(|| self.missing(header, &candidates, turn))
        };
        if let Some(Candidate { name, found: Ok(stat), .. }) = found
            && !posix
            && is(stat, kind)
        {
            self.maybe_reverse(header, name, Some(stat), turn);
        }
        match found {
            None => Chosen { name: None, found: Err(Errno::NOENT) },
            Some(found) => Chosen { name: Some(found.name.clone()), found: found.found },
        }
    }

    fn candidate<'h>(&self, bytes: &'h [u8]) -> Candidate<'h> {
        let name = Name::of_patch(bytes);
        let gone = self.outputs.is_gone(&name);
        let found = if gone { Err(Errno::NOENT) } else { self.folder.stat(&name) };
        Candidate { bytes, name, found }
    }

    /// Of none that is there: the one that is to be taken away, or the one that is to be made.
    fn missing<'c, 'h>(
        &self,
        header: &Header<'_>,
        candidates: &'c [Candidate<'h>],
        turn: &mut Turn,
    ) -> Option<&'c Candidate<'h>> {
        // Where one is there that is not taken, none is made in its place.
        let last = candidates.last()?;
        if candidates.iter().all(|candidate| candidate.found.is_err())
            && self.maybe_reverse(header, &last.name, None, turn)
        {
            return Some(last).filter(|last| self.is_safe(last.bytes));
        }
        if absent(header, turn.reverse) == Absent::No {
            return None;
        }
        let new_folders = |candidate: &Candidate<'_>| {
            let parents = slashes(candidate.bytes);
            parents.saturating_sub(self.folder.parents_there(&candidate.name))
        };
        let least = candidates.iter().map(new_folders).min()?;
        self.best(candidates.iter().filter(|candidate| new_folders(candidate) == least).collect())
    }

    /// The one with the fewest folders, then the shortest last part, then the shortest; then the first.
    fn best<'c, 'h>(&self, candidates: Vec<&'c Candidate<'h>>) -> Option<&'c Candidate<'h>> {
        let rank = |candidate: &Candidate<'_>| {
            let base = candidate.bytes.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            (slashes(candidate.bytes), base.len(), candidate.bytes.len())
        };
        let least = candidates.iter().map(|candidate| rank(candidate)).min()?;
        let mut least = candidates.into_iter().filter(|candidate| rank(candidate) == least);
        least.find(|candidate| self.is_safe(candidate.bytes))
    }

    /// Whether a name leads nowhere else; says so, once, if it does.
    pub(crate) fn is_safe(&self, name: &[u8]) -> bool {
        let safe = self.folder.is_safe(name);
        if !safe && self.said.borrow_mut().insert(name.to_vec()) {
            let name = self.settings.show(&Name::of_patch(name).path);
            self.settings.say(&format!("Ignoring potentially dangerous file name {name}\n"));
        }
        safe
    }

    /// Asks, in its way, whether a patch that would make what is there or take away what is not is meant backwards.
    /// Whether it looked so.
    fn maybe_reverse(
        &self,
        header: &Header<'_>,
        name: &Name,
        found: Option<&Stat>,
        turn: &mut Turn,
    ) -> bool {
        let (missing, empty) = (found.is_none(), found.is_none_or(|found| found.st_size == 0));
        // A file is empty where it is none: nothing is wrong about that.
        let from_to =
            (absent(header, turn.reverse != missing), absent(header, turn.reverse == missing));
        if empty && from_to == (Absent::Empty, Absent::Yes) {
            return false;
        }
        let side = absent(header, turn.reverse != empty);
        let looks = if empty { side > Absent::No } else { side > Absent::Empty };
        if !looks {
            return false;
        }
        let (would, is) = if missing {
            ("delete", "does not exist")
        } else if empty {
            ("empty out", "is already empty")
        } else {
            ("create", "already exists")
        };
        let when = if turn.reverse { ", when reversed," } else { "" };
        let name = self.settings.show(&name.path);
        let text = format!("The next patch{when} would {would} the file {name},\nwhich {is}!");
        turn.reverse ^= may_reverse(self.settings, turn, &text);
        true
    }
}

/// Says what looks as if a patch was meant backwards, and what follows of it: nothing is ever asked, the answer to each
/// question is the one that GNU's proposes.
pub(crate) fn may_reverse(settings: &Settings, turn: &mut Turn, text: &str) -> bool {
    if settings.forward || !(settings.force && settings.voice < super::settings::Voice::Normal) {
        settings.say(text);
    }
    if settings.forward {
        settings.say("  Skipping patch.\n");
        turn.skip = true;
        return false;
    }
    if settings.force {
        settings.tell("  Applying it anyway.\n");
        return false;
    }
    if settings.batch {
        settings.say(if turn.reverse { "  Ignoring -R.\n" } else { "  Assuming -R.\n" });
        return true;
    }
    settings.say(if turn.reverse { "  Ignore -R? [n] \n" } else { "  Assume -R? [n] \n" });
    settings.say("Apply anyway? [n] \n");
    settings.tell("Skipping patch.\n");
    turn.skip = true;
    false
}

/// What a patch says of the side that it is applied to, or of the other one.
fn absent(header: &Header<'_>, new: bool) -> Absent {
    if new { header.new.absent } else { header.old.absent }
}

fn is(found: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(found.st_mode) == kind
}

/// How many folders a name leads through.
fn slashes(name: &[u8]) -> usize {
    name.chunk_by(|a, b| a == b && *a == b'/').filter(|run| run.first() == Some(&b'/')).count()
}
