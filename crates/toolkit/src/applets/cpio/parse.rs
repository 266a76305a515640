//! Headers as they are read, of whatever format.

use super::{
    create::added,
    layout::{Fields, Layout, TRAILER},
};
use crate::{
    archive::{Counted, Kind, Member, tape::Archive},
    names::Names,
};
use anyhow::{Context as _, ensure};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    os::unix::ffi::OsStringExt as _,
    path::PathBuf,
};

/// Names and links are at most this long.
const LONGEST: u64 = 4096;

/// Where the end of an archive that is added to is, and how it is written.
pub(super) fn end(file: &File) -> anyhow::Result<(u64, Layout)> {
    let mut input = Input::new(Box::new(BufReader::new(file)))?;
    let (names, mut layout) = (Names::default(), Layout::Ustar);
    loop {
        let start = input.at();
        let Some(entry) = input.next(&names)? else {
            let end = match &input {
                Input::Cpio(_) => start,
                Input::Tape(archive) => archive.end(),
            };
            return Ok((end, layout));
        };
        layout = entry.layout;
        skip(&mut input, &entry)?;
    }
}

/// A member with what links are found by.
pub(super) struct Entry {
    pub(super) member: Member,
    pub(super) layout: Layout,
    /// Device and inode.
    pub(super) file: (u64, u64),
    pub(super) links: u64,
    /// Bytes of data that are still to be read, and of what fills them up.
    pub(super) size: u64,
    pub(super) padding: u64,
    /// What the sum of these has to be.
    pub(super) check: Option<u32>,
}

pub(super) enum Input<'a> {
    Cpio(Counted<Box<dyn BufRead + 'a>>),
    Tape(Archive<Counted<Box<dyn BufRead + 'a>>>),
}

impl<'a> Input<'a> {
    pub(super) fn new(mut data: Box<dyn BufRead + 'a>) -> io::Result<Self> {
        let mut first = Vec::new();
        (&mut data).take(512).read_to_end(&mut first)?;
        let tape = is_tape(&first);
        let data: Box<dyn BufRead> = Box::new(Cursor::new(first).chain(data));
        let data = Counted { data, at: 0 };
        Ok(if tape { Self::Tape(Archive::new(data)) } else { Self::Cpio(data) })
    }

    pub(super) fn at(&self) -> u64 {
        match self {
            Self::Cpio(input) => input.at,
            Self::Tape(archive) => archive.end(),
        }
    }

    pub(super) fn next(&mut self, names: &Names) -> anyhow::Result<Option<Entry>> {
        match self {
            Self::Cpio(input) => next(input, names),
            Self::Tape(archive) => Ok(archive.next()?.map(|mut member| {
                // Before POSIX there were numbers only.
                if member.user.is_empty() && member.group.is_empty() {
                    member.user = names.user(member.uid).unwrap_or("").to_owned();
                    member.group = names.group(member.gid).unwrap_or("").to_owned();
                }
                Entry {
                    size: member.size,
                    padding: 0,
                    member,
                    layout: Layout::Ustar,
                    file: (0, 0),
                    links: 1,
                    check: None,
                }
            })),
        }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Cpio(input) => input.read(out),
            Self::Tape(archive) => archive.read(out),
        }
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Cpio(input) => input.fill_buf(),
            Self::Tape(archive) => archive.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        match self {
            Self::Cpio(input) => input.consume(amount),
            Self::Tape(archive) => archive.consume(amount),
        }
    }
}

/// Whether an archive begins as those of `tar`: with a header whose sum is right.
fn is_tape(first: &[u8]) -> bool {
    let Some(field) = first.get(148..156).filter(|_| first.len() == 512) else { return false };
    let digits = field.iter().skip_while(|byte| **byte == b' ').take_while(|b| b.is_ascii_digit());
    let digits = String::from_utf8(digits.copied().collect());
    let said = digits.ok().and_then(|digits| u32::from_str_radix(&digits, 8).ok());
    let spaces = 8 * u32::from(b' ');
    said.is_some_and(|said| said == (added(0, first) - added(0, field)).wrapping_add(spaces))
}

/// The next `count` bytes.
fn take_bytes(input: &mut impl Read, count: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(count).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 == count, "premature end of file");
    Ok(bytes)
}

/// Goes behind the data of a member, and what fills it up.
pub(super) fn skip(input: &mut Input<'_>, entry: &Entry) -> anyhow::Result<()> {
    let mut rest = (&mut *input).take(entry.size + entry.padding);
    io::copy(&mut rest, &mut io::sink())?;
    ensure!(rest.limit() == 0, "premature end of file");
    Ok(())
}

/// The first bytes of the next header, whatever is before it.
fn magic(input: &mut Counted<impl BufRead>) -> anyhow::Result<(Layout, Vec<u8>)> {
    let mut magic = take_bytes(input, 6)?;
    let mut junk = 0_u64;
    let layout = loop {
        match magic.as_slice() {
            b"070701" => break Layout::Newc,
            b"070702" => break Layout::Crc,
            b"070707" => break Layout::Odc,
            // In the order of this machine, and in the other.
            [0xc7, 0x71, ..] | [0x71, 0xc7, ..] => break Layout::Binary,
            _ => {}
        }
        magic.remove(0);
        magic.extend(take_bytes(input, 1)?);
        junk += 1;
    };
    if junk > 0 {
        eprintln!("cpio: warning: skipped {junk} byte{} of junk", if junk == 1 { "" } else { "s" });
    }
    Ok((layout, magic))
}

fn number(field: &[u8], radix: u32) -> anyhow::Result<u64> {
    let text = std::str::from_utf8(field).ok();
    text.and_then(|text| u64::from_str_radix(text, radix).ok()).context("a damaged header")
}

/// The numbers of a header, in the order of `newc`, with the length of the name at 11.
fn numbers(input: &mut impl Read, layout: Layout, magic: &[u8]) -> anyhow::Result<Vec<u64>> {
    let device =
        |number: u64| [u64::from(rustix::fs::major(number)), u64::from(rustix::fs::minor(number))];
    let mut numbers = Vec::new();
    match layout {
        Layout::Odc => {
            for width in [6, 6, 6, 6, 6, 6, 6, 11, 6, 11] {
                numbers.push(number(&take_bytes(input, width)?, 8)?);
            }
        }
        Layout::Binary => {
            let rest = take_bytes(input, 20)?;
            let bytes = [magic, &rest].concat();
            let swapped = magic.starts_with(&[0x71, 0xc7]);
            let short = |pair: &[u8; 2]| match swapped {
                true => u64::from(u16::from_be_bytes(*pair)),
                false => u64::from(u16::from_le_bytes(*pair)),
            };
            let shorts: Vec<u64> = bytes.as_chunks().0.iter().map(short).collect();
            let at = |place: usize| shorts.get(place).copied().unwrap_or(0);
            let long = |place: usize| at(place) << 16 | at(place + 1);
            numbers.extend((1..=7).map(at));
            numbers.extend([long(8), at(10), long(11)]);
        }
        _ => {
            for _ in 0..13 {
                numbers.push(number(&take_bytes(input, 8)?, 16)?);
            }
            return Ok(numbers);
        }
    }
    // The place, inode, mode, owners, links, device, time, length of the name, size.
    let at = |place: usize| numbers.get(place).copied().unwrap_or(0);
    let mut ordered: Vec<u64> = [1, 2, 3, 4, 5, 7, 9].map(at).to_vec();
    ordered.extend([device(at(0)), device(at(6))].concat());
    ordered.extend([at(8), 0]);
    Ok(ordered)
}

/// The next header, and how long its name is.
fn fields(input: &mut impl Read, layout: Layout, magic: &[u8]) -> anyhow::Result<(Fields, u64)> {
    let numbers = numbers(input, layout, magic)?;
    let at = |place: usize| numbers.get(place).copied().unwrap_or(0);
    let small = |place: usize| u32::try_from(at(place)).context("a damaged header");
    let mut fields = Fields {
        inode: at(0),
        mode: small(1)?,
        uid: small(2)?,
        gid: small(3)?,
        links: at(4),
        mtime: at(5),
        size: at(6),
        device: (small(7)?, small(8)?),
        rdev: (small(9)?, small(10)?),
        check: small(12)?,
    };
    // HP-UX's device.
    let special = matches!(fields.mode & 0o170_000, 0o020_000 | 0o060_000);
    if special && fields.rdev == (0, 1) && fields.size > 0 {
        fields.rdev = (rustix::fs::major(fields.size), rustix::fs::minor(fields.size));
        fields.size = 0;
    }
    Ok((fields, at(11)))
}

fn next(input: &mut Counted<impl BufRead>, names: &Names) -> anyhow::Result<Option<Entry>> {
    let (layout, magic) = magic(input)?;
    let start = input.at - magic.len() as u64;
    let (fields, length) = fields(input, layout, &magic)?;
    ensure!((1..=LONGEST).contains(&length), "stored filename length is out of range");
    let mut name = take_bytes(input, length)?;
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    let padding = |length: u64| {
        let whole = length.checked_next_multiple_of(layout.unit()).context("a damaged header")?;
        anyhow::Ok(whole - length)
    };
    take_bytes(input, padding(input.at - start)?)?;
    if name == TRAILER {
        return Ok(None);
    }
    let (mut size, mut rest) = (fields.size, padding(fields.size)?);
    let (major, minor) = fields.rdev;
    let kind = match fields.mode & 0o170_000 {
        0o040_000 => Kind::Folder,
        0o120_000 => {
            ensure!(size <= LONGEST, "stored filename length is out of range");
            let mut target = take_bytes(input, size)?;
            target.truncate(target.iter().position(|byte| *byte == 0).unwrap_or(target.len()));
            take_bytes(input, rest)?;
            (size, rest) = (0, 0);
            Kind::Symlink(OsString::from_vec(target))
        }
        0o020_000 => Kind::Char(major, minor),
        0o060_000 => Kind::Block(major, minor),
        0o010_000 => Kind::Fifo,
        _ => Kind::File,
    };
    let member = Member {
        path: PathBuf::from(OsString::from_vec(name)),
        size: if kind == Kind::File { size } else { 0 },
        kind,
        mode: fields.mode,
        uid: fields.uid,
        gid: fields.gid,
        user: names.user(fields.uid).unwrap_or("").to_owned(),
        group: names.group(fields.gid).unwrap_or("").to_owned(),
        mtime: i64::try_from(fields.mtime)?,
        ..Member::default()
    };
    let device = u64::from(fields.device.0) << 32 | u64::from(fields.device.1);
    let check = (layout == Layout::Crc && member.kind == Kind::File).then_some(fields.check);
    let file = (device, fields.inode);
    Ok(Some(Entry { member, layout, file, links: fields.links, size, padding: rest, check }))
}
