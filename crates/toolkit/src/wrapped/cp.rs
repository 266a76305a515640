//! `cp`: links that are named with `-RH`, and the modes and times of folders.

use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps};
use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

/// The bits of a mode that a folder does not hand on to its copy.
const SET_IDS: u32 = 0o6000;

/// What matters here of a command line.
#[derive(Default)]
struct Line {
    /// The letters of short options, and those of long ones that mean the same.
    letters: Vec<u8>,
    folder: Option<PathBuf>,
    keeps_mode: bool,
    keeps_times: bool,
    parents: bool,
    /// Where in the arguments the operands are.
    operands: Vec<usize>,
}

impl Line {
    fn read(args: &[OsString]) -> Self {
        let mut line = Self::default();
        let mut rest = args.iter().enumerate().skip(1);
        while let Some((at, arg)) = rest.next() {
            match arg.as_bytes() {
                b"--" => line.operands.extend(rest.by_ref().map(|(at, _)| at)),
                [b'-', b'-', long @ ..] => line.long(long, || rest.next().map(|(_, arg)| arg)),
                [b'-', short @ ..] if !short.is_empty() => {
                    line.short(short, || rest.next().map(|(_, arg)| arg));
                }
                _ => line.operands.push(at),
            }
        }
        line
    }

    fn short<'a>(&mut self, letters: &[u8], mut next: impl FnMut() -> Option<&'a OsString>) {
        for (at, letter) in letters.iter().enumerate() {
            self.letters.push(*letter);
            match letter {
                b'a' | b'p' => (self.keeps_mode, self.keeps_times) = (true, true),
                b'S' | b't' => {
                    let attached = letters.get(at + 1..).filter(|rest| !rest.is_empty());
                    let value =
                        attached.map(OsStr::from_bytes).or_else(|| Some(next()?.as_os_str()));
                    if *letter == b't' {
                        self.folder = value.map(PathBuf::from);
                    }
                    return;
                }
                _ => {}
            }
        }
    }

    fn long<'a>(&mut self, long: &[u8], mut next: impl FnMut() -> Option<&'a OsString>) {
        let at = long.iter().position(|byte| *byte == b'=');
        let (name, value) = long.split_at(at.unwrap_or(long.len()));
        let mut value = value.get(1..).map(|value| OsStr::from_bytes(value).to_owned());
        let begins =
            |whole: &str, least: usize| name.len() >= least && whole.as_bytes().starts_with(name);
        let valued = begins("suffix", 2) || begins("sparse", 2) || begins("target-directory", 1);
        if value.is_none() && (valued || begins("no-preserve", 4)) {
            value = next().cloned();
        }
        let of_list = |word: &str| {
            let list = value.as_deref().unwrap_or(OsStr::new("mode,timestamps")).as_bytes();
            list.split(|byte| *byte == b',').any(|part| part == word.as_bytes() || part == b"all")
        };
        if begins("target-directory", 1) {
            self.folder = value.map(PathBuf::from);
        } else if begins("preserve", 2) {
            self.keeps_mode |= of_list("mode");
            self.keeps_times |= of_list("timestamps");
        } else if begins("no-preserve", 4) {
            // Then uutils makes folders as the mask says.
            self.keeps_mode |= of_list("mode");
        } else if begins("archive", 2) {
            (self.keeps_mode, self.keeps_times) = (true, true);
            self.letters.push(b'R');
        } else if begins("recursive", 3) {
            self.letters.push(b'R');
        } else if begins("link", 1) {
            self.letters.push(b'l');
        } else if begins("no-target-directory", 4) {
            self.letters.push(b'T');
        } else if begins("parents", 2) {
            self.parents = true;
        }
    }

    fn has(&self, letters: &[u8]) -> bool {
        self.letters.iter().any(|letter| letters.contains(letter))
    }
}

/// A folder that is going to be copied.
struct Folder {
    from: PathBuf,
    to: PathBuf,
}

/// uutils' `cp`, and what it leaves to do.
pub(crate) fn main(mut args: Vec<OsString>) -> i32 {
    let line = Line::read(&args);
    let recursive = line.has(b"rRa");
    if recursive && line.has(b"H") && !line.has(b"LP") {
        follow(&mut args, &line);
    }
    let mask = rustix::process::umask(Mode::empty());
    rustix::process::umask(mask);
    let mask = if line.keeps_mode { 0 } else { mask.as_raw_mode() | SET_IDS };
    // Links to files change the times of the folder they are made in, which uutils has set before.
    let times = line.has(b"l") && line.keeps_times;
    let folders = if recursive { folders(&args, &line, mask, times) } else { Vec::new() };
    let status = uu_cp::uumain(args.into_iter());
    for folder in folders.iter().rev() {
        // A folder that cannot be changed is one that could not be copied, which was said.
        let Ok(now) = folder.to.symlink_metadata() else { continue };
        let mode = now.mode() & 0o7777;
        let wanted = mode & !mask | inherited(&folder.to);
        if mask != 0 && mode != wanted {
            let _ = fs::set_permissions(&folder.to, fs::Permissions::from_mode(wanted));
        }
        if let (true, Ok(from)) = (times, folder.from.metadata()) {
            let of = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
            let times = Timestamps {
                last_access: of(from.atime(), from.atime_nsec()),
                last_modification: of(from.mtime(), from.mtime_nsec()),
            };
            let _ = rustix::fs::utimensat(CWD, &folder.to, &times, AtFlags::SYMLINK_NOFOLLOW);
        }
    }
    status
}

/// What a new folder gets from the one that it is in.
fn inherited(folder: &Path) -> u32 {
    let above = folder.parent().filter(|path| !path.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new(".")).metadata();
    above.map_or(0, |above| above.mode() & 0o2000)
}

/// With `cp -RH` a link to a folder that is named stands for the folder; uutils wants to write it to a file.
fn follow(args: &mut [OsString], line: &Line) {
    let sources = line.operands.len().saturating_sub(usize::from(line.folder.is_none()));
    for at in line.operands.iter().take(sources) {
        if let Some(arg) = args.get_mut(*at)
            && Path::new(arg).is_symlink()
            && Path::new(arg).is_dir()
        {
            arg.push("/");
        }
    }
}

/// The folders that `cp` will make and whose modes have what the mask forbids (uutils gives a new
/// folder its original's mode, whatever the mask says), or all of them for their times.
fn folders(args: &[OsString], line: &Line, mask: u32, times: bool) -> Vec<Folder> {
    let operands: Vec<&OsString> = line.operands.iter().filter_map(|at| args.get(*at)).collect();
    let (target, sources) = match (&line.folder, operands.split_last()) {
        (Some(folder), _) => (folder.clone(), operands.as_slice()),
        (None, Some((last, sources))) => (PathBuf::from(last), sources),
        (None, None) => return Vec::new(),
    };
    let into = !line.has(b"T") && target.is_dir();
    let mut found = Vec::new();
    for source in sources {
        let from = PathBuf::from(source);
        let to = match (into, line.parents, from.file_name()) {
            (true, true, _) => target.join(from.strip_prefix("/").unwrap_or(&from)),
            (true, false, Some(name)) if !source.as_bytes().ends_with(b"/.") => target.join(name),
            _ => target.clone(),
        };
        let mut waiting = vec![Folder { from, to }];
        while let Some(folder) = waiting.pop() {
            let Ok(meta) = folder.from.symlink_metadata() else { continue };
            for entry in fs::read_dir(&folder.from).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    let to = folder.to.join(entry.file_name());
                    waiting.push(Folder { from: entry.path(), to });
                }
            }
            let concerned = times || meta.mode() & mask != 0;
            if concerned && meta.is_dir() && folder.to.symlink_metadata().is_err() {
                found.push(folder);
            }
        }
    }
    found
}
