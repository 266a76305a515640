//! `cpio`: archives in the form of the initramfs (kernel: Documentation/driver-api/early-userspace/
//! buffer-format.rst), "newc", and in the others that GNU's knows.

mod create;
mod layout;
mod list;
mod parse;
mod pass;
mod read;
mod write;

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    archive::{Member, words},
    names,
};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use std::{
    ffi::OsStr,
    fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "cpio",
    summary: "Makes, lists and extracts archives, such as an initramfs.",
    usage: "-o [OPTION]... < NAMES > ARCHIVE\n-i [OPTION]... [GLOB]... < ARCHIVE\n-t [OPTION]... [GLOB]... < ARCHIVE\n-p [OPTION]... FOLDER < NAMES",
    options: &[
        flag('o', "create", "make an archive of the files that standard input names"),
        flag('i', "extract", "take files out of one"),
        flag('t', "list", "print what is in one"),
        flag('p', "pass-through", "copy the files that standard input names into a folder"),
        flag('A', "append", "add to the archive of -F"),
        value(
            'H',
            "format",
            "FORMAT",
            "bin (so it is), odc, newc, crc, tar, ustar, hpbin or hpodc",
        ),
        flag('c', "portable", "the same as -H odc"),
        flag('d', "make-directories", "make the folders that are missing"),
        flag('m', "preserve-modification-time", "extract times too"),
        flag('u', "unconditional", "replace newer files too"),
        flag('v', "verbose", "print names; with -t also modes, owners, sizes, times"),
        flag('V', "dot", "print a point for each file"),
        flag('0', "null", "names end with a zero byte"),
        value('F', "file", "ARCHIVE", "instead of standard input or output"),
        value('I', "input", "ARCHIVE", "instead of standard input"),
        value('O', "output", "ARCHIVE", "instead of standard output"),
        value('D', "directory", "DIR", "in this folder"),
        value('E', "pattern-file", "FILE", "more GLOBs, one a line"),
        flag('f', "nonmatching", "only what no GLOB fits"),
        flag('\0', "to-stdout", "extract to standard output"),
        flag('\0', "only-verify-crc", "only check the sums of an archive of -H crc"),
        flag('\0', "sparse", "what is extracted has holes instead of blocks of zeros"),
        flag('a', "reset-access-time", "files that were read keep their time of access"),
        flag('l', "link", "with -p: link files instead of copying, where that can be"),
        flag('L', "dereference", "take what links lead to"),
        flag('\0', "quiet", "do not say how many blocks it was"),
        flag('B', "io-size-5120", "the archive's length is a multiple of 5120"),
        value('C', "io-size", "BYTES", "of so many bytes"),
        value('\0', "block-size", "N", "of N times 512 bytes"),
        flag('\0', "renumber-inodes", "number files from 0"),
        flag('\0', "ignore-devno", "write no numbers of devices"),
        flag('\0', "reproducible", "both: the same files, the same archive"),
        flag('\0', "device-independent", "the same"),
        flag('\0', "no-absolute-filenames", "understood: so always"),
        flag('\0', "no-preserve-owner", "do not extract owners"),
        flag('\0', "force-local", "understood: so always"),
        flag('k', "understood", "understood, without effect"),
        flag('n', "numeric-uid-gid", "with -tv numbers instead of names"),
        value(
            'R',
            "owner",
            "UID:GID",
            "everything belongs to this user and group, by numbers or names",
        ),
    ],
    notes: "What is compressed is found out when reading. A file is never extracted outside of the folder.",
    example: "cd root && find . | cpio -o -H newc --quiet | gzip > ../initrd.gz",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    block_size(args)?;
    let done = if args.has("create") {
        create::create(args)
    } else if args.has("pass-through") {
        pass::pass(args)
    } else if args.has("extract") || args.has("list") {
        read::read(args)
    } else {
        return usage_error("one of -o, -i, -t, -p is needed");
    };
    done.or_else(|error| {
        if error.is::<crate::applet::UsageError>() {
            return Err(error);
        }
        eprintln!("cpio: {}", words(&error));
        Ok(2)
    })
}

fn folder(args: &Args) -> PathBuf {
    args.value("directory").unwrap_or(OsStr::new(".")).into()
}

/// The archive's length is a multiple of so many bytes.
fn block_size(args: &Args) -> anyhow::Result<u64> {
    for (option, unit) in [("io-size", 1), ("block-size", 512)] {
        match args.number::<u64>(option)? {
            None => {}
            Some(count @ 1..=0x20_0000) => return Ok(count * unit),
            Some(_) => return usage_error("invalid block size"),
        }
    }
    Ok(if args.has("io-size-5120") { 5120 } else { 512 })
}

/// What `-v` and `-V` say of a file.
fn tell(args: &Args, name: &str) {
    if args.has("verbose") {
        eprintln!("{name}");
    } else if args.has("dot") {
        eprint!(".");
    }
}

/// What is said in the end: how many blocks it was.
fn blocks(args: &Args, bytes: u64) -> anyhow::Result<()> {
    if args.has("dot") {
        eprintln!();
    }
    if !args.has("quiet") {
        let blocks = bytes.div_ceil(block_size(args)?);
        eprintln!("{blocks} block{}", if blocks == 1 { "" } else { "s" });
    }
    Ok(())
}

/// The archive of -F, or of the option for this direction.
fn archive<'a>(args: &'a Args, option: &str) -> Option<&'a OsStr> {
    args.value("file").or_else(|| args.value(option)).filter(|name| *name != OsStr::new("-"))
}

/// A file as it is, or with `-L` what it leads to.
fn metadata(args: &Args, path: &Path) -> io::Result<fs::Metadata> {
    if args.has("dereference") { fs::metadata(path) } else { fs::symlink_metadata(path) }
}

/// Gives a file that was read its time of access back, with `-a`.
fn keep_time(args: &Args, path: &Path, meta: &fs::Metadata) -> io::Result<()> {
    if args.has("reset-access-time") && meta.is_file() {
        let omitted = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
        let used = Timespec { tv_sec: meta.atime(), tv_nsec: meta.atime_nsec() };
        let times = Timestamps { last_access: used, last_modification: omitted };
        rustix::fs::utimensat(CWD, path, &times, AtFlags::empty())?;
    }
    Ok(())
}

/// Whether a file that is there is newer, and stays.
fn unwanted(args: &Args, root: &Path, member: &Member) -> bool {
    let there = fs::symlink_metadata(root.join(&member.path));
    let newer = there.is_ok_and(|there| !there.is_dir() && there.mtime() >= member.mtime);
    newer && !args.has("unconditional")
}

/// Whom everything is given to, where `-R` says it: a user, a group, or both.
#[derive(Clone, Copy, Default)]
struct Owner {
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Owner {
    fn of(args: &Args) -> anyhow::Result<Self> {
        let Some(text) = args.text("owner")? else { return Ok(Self::default()) };
        let (user, group) = text.split_once([':', '.']).unwrap_or((text, ""));
        let number = |name: &str, known: fn(&str) -> Option<u32>, what| match name {
            "" => Ok(None),
            name => match name.parse().ok().or_else(|| known(name)) {
                Some(id) => Ok(Some(id)),
                None => usage_error(format!("there is no {what} {name:?}")),
            },
        };
        Ok(Self {
            uid: number(user, names::uid, "user")?,
            gid: number(group, names::gid, "group")?,
        })
    }

    fn is_given(self) -> bool {
        self.uid.is_some() || self.gid.is_some()
    }

    /// The member's numbers; the names that belong to other numbers go.
    fn give(self, member: &mut Member, names: &names::Names) {
        if let Some(uid) = self.uid {
            member.user = names.user(uid).unwrap_or("").to_owned();
            member.uid = uid;
        }
        if let Some(gid) = self.gid {
            member.group = names.group(gid).unwrap_or("").to_owned();
            member.gid = gid;
        }
    }
}

/// The names on standard input.
fn wanted(args: &Args) -> io::Result<Vec<Vec<u8>>> {
    let mut list = Vec::new();
    io::stdin().read_to_end(&mut list)?;
    let end = if args.has("null") { 0 } else { b'\n' };
    let names = list.split(|byte| *byte == end).filter(|name| !name.is_empty());
    Ok(names.map(<[u8]>::to_vec).collect())
}
