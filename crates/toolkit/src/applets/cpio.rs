//! `cpio`: archives in the form of the initramfs (kernel: Documentation/driver-api/early-userspace/
//! buffer-format.rst), "newc" and, when reading, also POSIX's "odc".

mod create;
mod list;
mod pass;

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    archive::{Counted, Extractor, Kind, Member, words},
    compress, glob, names,
};
use anyhow::{Context as _, bail, ensure};
use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead, BufWriter, Read, Write},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::MetadataExt as _,
    },
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
        value('H', "format", "FORMAT", "newc, the only one that is written"),
        flag('d', "make-directories", "make folders; those within FOLDER are made always"),
        flag('m', "preserve-modification-time", "extract times too"),
        flag('u', "unconditional", "replace newer files too"),
        flag('v', "verbose", "print names; with -t also modes, owners, sizes, times"),
        flag('0', "null", "names end with a zero byte"),
        value('F', "file", "ARCHIVE", "instead of standard input or output"),
        value('D', "directory", "DIR", "in this folder"),
        flag('\0', "quiet", "do not say how many blocks it was"),
        flag('\0', "no-absolute-filenames", "understood: so always"),
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
    let done = if args.has("create") {
        create::create(args)
    } else if args.has("pass-through") {
        pass::pass(args)
    } else if args.has("extract") || args.has("list") {
        read(args)
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

fn blocks(args: &Args, bytes: u64) {
    if !args.has("quiet") {
        let blocks = bytes.div_ceil(512);
        eprintln!("{blocks} block{}", if blocks == 1 { "" } else { "s" });
    }
}

/// The next `count` bytes.
fn take_bytes(input: &mut impl Read, count: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(count).read_to_end(&mut bytes)?;
    ensure!(u64::try_from(bytes.len())? == count, "premature end of file");
    Ok(bytes)
}

/// Goes on to the next multiple of 4, where newc continues.
fn align<R: BufRead>(input: &mut Counted<R>, odc: bool) -> anyhow::Result<()> {
    let rest = if odc { 0 } else { (4 - input.at % 4) % 4 };
    take_bytes(input, rest).map(drop)
}

/// A member with the numbers that links are found by.
struct Entry {
    member: Member,
    inode: (u64, u64),
    links: u64,
    odc: bool,
}

/// Names are at most this long.
const LONGEST: u64 = 4096;

fn number(field: &[u8], radix: u32) -> anyhow::Result<u64> {
    let text = std::str::from_utf8(field).ok();
    text.and_then(|text| u64::from_str_radix(text, radix).ok()).context("a damaged header")
}

fn next(input: &mut Counted<impl BufRead>, names: &names::Names) -> anyhow::Result<Option<Entry>> {
    let magic = take_bytes(input, 6)?;
    let odc = match magic.as_slice() {
        b"070701" | b"070702" => false,
        b"070707" => true,
        _ => bail!("this is no cpio archive of a form that is known"),
    };
    let widths: &[usize] = if odc { &[6, 6, 6, 6, 6, 6, 6, 11, 6, 11] } else { &[8; 13] };
    let radix = if odc { 8 } else { 16 };
    let mut fields = Vec::new();
    for width in widths {
        fields.push(number(&take_bytes(input, u64::try_from(*width)?)?, radix)?);
    }
    let field = |at: usize| fields.get(at).copied().unwrap_or(0);
    // The order of the fields: odc dev ino mode uid gid nlink rdev mtime namesize filesize; newc ino
    // mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check.
    let place: [usize; 9] =
        if odc { [1, 2, 3, 4, 5, 7, 9, 6, 8] } else { [0, 1, 2, 3, 4, 5, 6, 9, 11] };
    let [inode, mode, uid, gid, links, mtime, size, rdev, length] = place.map(field);
    let device = if odc { field(0) } else { field(7) << 32 | field(8) };
    let (major, minor) = if odc { (rdev >> 8, rdev & 0xff) } else { (rdev, field(10)) };
    ensure!((1..=LONGEST).contains(&length), "a name is too long");
    let mut name = take_bytes(input, length)?;
    name.pop();
    align(input, odc)?;
    if name == b"TRAILER!!!" {
        return Ok(None);
    }
    let small = |number: u64| u32::try_from(number).context("a damaged header");
    let kind = match mode & 0o170_000 {
        0o040_000 => Kind::Folder,
        0o120_000 => {
            ensure!(size <= LONGEST, "a link is too long");
            let target = take_bytes(input, size)?;
            align(input, odc)?;
            Kind::Symlink(OsString::from_vec(target))
        }
        0o020_000 => Kind::Char(small(major)?, small(minor)?),
        0o060_000 => Kind::Block(small(major)?, small(minor)?),
        0o010_000 => Kind::Fifo,
        _ => Kind::File,
    };
    let (uid, gid) = (small(uid)?, small(gid)?);
    let member = Member {
        path: PathBuf::from(OsString::from_vec(name)),
        size: if kind == Kind::File { size } else { 0 },
        kind,
        mode: small(mode)?,
        uid,
        gid,
        user: names.user(uid).unwrap_or("").to_owned(),
        group: names.group(gid).unwrap_or("").to_owned(),
        mtime: i64::try_from(mtime)?,
        ..Member::default()
    };
    Ok(Some(Entry { member, inode: (device, inode), links, odc }))
}

fn read(args: &Args) -> anyhow::Result<u8> {
    let data: Box<dyn Read> = match args.value("file") {
        Some(name) => Box::new(File::open(name).with_context(|| name.display().to_string())?),
        None => Box::new(io::stdin()),
    };
    let mut input = Counted { data: compress::plain(data)?, at: 0 };
    let mut extractor = Extractor::new(folder(args))?;
    extractor.times = args.has("preserve-modification-time");
    // As they were packed, for everyone.
    extractor.modes = true;
    let owner = Owner::of(args)?;
    extractor.owners |= owner.is_given();
    let (names, now) = (names::Names::read(), jiff::Timestamp::now().as_second());
    let mut out = BufWriter::new(io::stdout().lock());
    // With newc the data of a file with several names comes with the last.
    let mut linked: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let mut waiting: HashMap<(u64, u64), Vec<Member>> = HashMap::new();
    let mut status = 0;
    while let Some(entry) = next(&mut input, &names)? {
        let Entry { mut member, inode, links, odc } = entry;
        if !args.has("list") {
            owner.give(&mut member, &names);
        }
        let (path, member_size) = (member.path.clone(), member.size);
        let globs = &args.operands;
        let hit =
            |pattern: &OsString| glob::matches(pattern.as_bytes(), path.as_os_str().as_bytes());
        let mut body = (&mut input).take(member.size);
        if globs.is_empty() || globs.iter().any(hit) {
            let result = if args.has("list") {
                let plain = [path.as_os_str().as_bytes(), b"\n"].concat();
                let numeric = args.has("numeric-uid-gid");
                let line = match args.has("verbose") {
                    true => list::line(&member, links, numeric, now),
                    false => plain,
                };
                out.write_all(&line).map_err(anyhow::Error::from)
            } else if !unwanted(args, &extractor.root, &member) {
                if args.has("verbose") {
                    eprintln!("{}", path.display());
                }
                extract(
                    &mut extractor,
                    member,
                    (inode, links, odc),
                    &mut linked,
                    &mut waiting,
                    &mut body,
                )
            } else {
                eprintln!("cpio: {} not created: newer or same age version exists", path.display());
                Ok(())
            };
            if let Err(error) = result {
                eprintln!("cpio: {}: {}", path.display(), words(&error));
                status = 2;
            }
        }
        // The data of a file that is wanted may come with a name that is not.
        if member_size > 0
            && let Some(first) = waiting.get(&inode).and_then(|all| all.first()).cloned()
        {
            let first = Member { size: member_size, ..first };
            let numbers = (inode, links, odc);
            let others = waiting.get_mut(&inode).map(|all| all.split_off(1)).unwrap_or_default();
            waiting.insert(inode, others);
            extract(&mut extractor, first, numbers, &mut linked, &mut waiting, &mut body)?;
        }
        io::copy(&mut body, &mut io::sink())?;
        ensure!(body.limit() == 0, "premature end of file");
        align(&mut input, odc)?;
    }
    // Those without any data: the first is the file, the others are links to it.
    for members in waiting.into_values() {
        let mut first = None;
        for member in members {
            let kind = first.clone().map_or(Kind::File, Kind::Hardlink);
            first.get_or_insert_with(|| member.path.clone());
            extractor.extract(&Member { kind, ..member }, &mut io::empty())?;
        }
    }
    extractor.finish()?;
    out.flush()?;
    blocks(args, input.at);
    Ok(status)
}

/// Whether a file that is there is newer, and stays.
fn unwanted(args: &Args, root: &Path, member: &Member) -> bool {
    let there = fs::symlink_metadata(root.join(&member.path));
    let newer = there.is_ok_and(|there| !there.is_dir() && there.mtime() >= member.mtime);
    newer && !args.has("unconditional")
}

type Inode = (u64, u64);

fn extract(
    to: &mut Extractor,
    member: Member,
    (inode, links, odc): (Inode, u64, bool),
    linked: &mut HashMap<Inode, PathBuf>,
    waiting: &mut HashMap<Inode, Vec<Member>>,
    data: &mut dyn BufRead,
) -> anyhow::Result<()> {
    if links < 2 || member.kind != Kind::File {
        return to.extract(&member, data);
    }
    if let Some(first) = linked.get(&inode) {
        return to.extract(&Member { kind: Kind::Hardlink(first.clone()), ..member }, data);
    }
    if member.size == 0 && !odc {
        waiting.entry(inode).or_default().push(member);
        return Ok(());
    }
    to.extract(&member, data)?;
    for other in waiting.remove(&inode).unwrap_or_default() {
        to.extract(
            &Member { kind: Kind::Hardlink(member.path.clone()), ..other },
            &mut io::empty(),
        )?;
    }
    linked.insert(inode, member.path);
    Ok(())
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

/// A file that cannot be read: the others still can.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreadable(io::Error);

/// The names on standard input.
fn wanted(args: &Args) -> io::Result<Vec<Vec<u8>>> {
    let mut list = Vec::new();
    io::stdin().read_to_end(&mut list)?;
    let end = if args.has("null") { 0 } else { b'\n' };
    let names = list.split(|byte| *byte == end).filter(|name| !name.is_empty());
    Ok(names.map(<[u8]>::to_vec).collect())
}
