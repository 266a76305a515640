//! Headers as they are written.

use super::layout::{Fields, Layout};
use rustix::fs::makedev;

/// What does not fit into a header: the file is left out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unfit(String);

/// A header with the name behind it, not yet filled up; with `hp`, devices have their number where others have their size.
pub(super) fn header(
    layout: Layout,
    hp: bool,
    fields: &Fields,
    name: &[u8],
) -> anyhow::Result<Vec<u8>> {
    let fields = if hp { as_hp(layout, fields) } else { *fields };
    let mut header = match layout {
        Layout::Binary => binary(&fields, name)?,
        Layout::Odc => odc(&fields, name)?,
        _ => newc(layout, &fields, name)?,
    };
    header.extend(name);
    header.push(0);
    Ok(header)
}

fn as_hp(layout: Layout, fields: &Fields) -> Fields {
    if !matches!(fields.mode & 0o170_000, 0o020_000 | 0o060_000) {
        return *fields;
    }
    // GNU's says so of the device that it is on, too, in one of the formats.
    let device = if layout == Layout::Odc { (0, 1) } else { fields.device };
    Fields { size: number(fields.rdev), rdev: (0, 1), device, ..*fields }
}

fn number((major, minor): (u32, u32)) -> u64 {
    makedev(major, minor)
}

/// A number that has to fit.
fn fits(value: u64, most: u64) -> anyhow::Result<u64> {
    let range = || Unfit(format!("value size {value} out of allowed range 0..{most}"));
    if value <= most { Ok(value) } else { anyhow::bail!(range()) }
}

fn binary(fields: &Fields, name: &[u8]) -> anyhow::Result<Vec<u8>> {
    let size = fits(fields.size, u32::MAX.into())?;
    let (length, mtime) = (fits(name.len() as u64 + 1, u16::MAX.into())?, fields.mtime);
    // What is too long for its field is cut, as GNU's does.
    let shorts = [
        0o070_707,
        number(fields.device),
        fields.inode,
        fields.mode.into(),
        fields.uid.into(),
        fields.gid.into(),
        fields.links,
        number(fields.rdev),
        mtime >> 16,
        mtime,
        length,
        size >> 16,
        size,
    ];
    let low = |short: u64| short.to_le_bytes().into_iter().take(2);
    Ok(shorts.into_iter().flat_map(low).collect())
}

fn odc(fields: &Fields, name: &[u8]) -> anyhow::Result<Vec<u8>> {
    const SHORT: u64 = 0o777_777;
    const LONG: u64 = 0o77_777_777_777;
    let short = |value: u64| format!("{:06o}", value & SHORT);
    let mut header = String::from("070707");
    for cut in [number(fields.device), fields.inode] {
        header += &short(cut);
    }
    for whole in [fields.mode.into(), fields.uid.into(), fields.gid.into(), fields.links] {
        header += &short(fits(whole, SHORT)?);
    }
    header += &short(number(fields.rdev));
    header += &format!("{:011o}", fits(fields.mtime, LONG)?);
    header += &short(fits(name.len() as u64 + 1, SHORT)?);
    header += &format!("{:011o}", fits(fields.size, LONG)?);
    Ok(header.into_bytes())
}

fn newc(layout: Layout, fields: &Fields, name: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut header = String::from(if layout == Layout::Crc { "070702" } else { "070701" });
    let numbers = [
        fields.inode & 0xffff_ffff,
        fields.mode.into(),
        fields.uid.into(),
        fields.gid.into(),
        fields.links,
        fields.mtime,
        fields.size,
        fields.device.0.into(),
        fields.device.1.into(),
        fields.rdev.0.into(),
        fields.rdev.1.into(),
        name.len() as u64 + 1,
        fields.check.into(),
    ];
    for number in numbers {
        header += &format!("{:08X}", fits(number, u32::MAX.into())?);
    }
    Ok(header.into_bytes())
}

/// A header of `tar`; `link` is what a link leads to, and whether it is another name of a file.
pub(super) fn tape(
    layout: Layout,
    fields: &Fields,
    name: &[u8],
    link: Option<(&[u8], bool)>,
    (user, group): (&str, &str),
) -> anyhow::Result<[u8; 512]> {
    let kind = fields.mode & 0o170_000;
    let mut name = name.to_vec();
    if kind == 0o040_000 && !name.ends_with(b"/") {
        name.push(b'/');
    }
    let (prefix, name) = split(layout, &name)?;
    let letter = match (kind, link) {
        (_, Some((_, true))) => b'1',
        (0o040_000, _) => b'5',
        (0o120_000, _) => b'2',
        (0o020_000, _) => b'3',
        (0o060_000, _) => b'4',
        (0o010_000, _) => b'6',
        _ => b'0',
    };
    let mut header = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| {
        let place = header.get_mut(at..at + bytes.len());
        place.into_iter().for_each(|place| place.copy_from_slice(bytes));
    };
    put(0, name);
    put(100, octal(u64::from(fields.mode & 0o7777), 7)?.as_bytes());
    put(108, octal(fields.uid.into(), 7)?.as_bytes());
    put(116, octal(fields.gid.into(), 7)?.as_bytes());
    put(124, octal(fields.size, 11)?.as_bytes());
    put(136, octal(fields.mtime, 11)?.as_bytes());
    put(148, b"        ");
    put(156, &[letter]);
    if let Some((target, _)) = link {
        fits(target.len() as u64, 100)?;
        put(157, target);
    }
    if layout == Layout::Ustar {
        put(257, b"ustar\x0000");
        put(265, user.as_bytes().get(..31).unwrap_or(user.as_bytes()));
        put(297, group.as_bytes().get(..31).unwrap_or(group.as_bytes()));
        put(329, octal(fields.rdev.0.into(), 7)?.as_bytes());
        put(337, octal(fields.rdev.1.into(), 7)?.as_bytes());
        put(345, prefix);
    }
    let sum: u64 = header.iter().copied().map(u64::from).sum();
    let sum = octal(sum, 7)?;
    header
        .get_mut(148..148 + sum.len())
        .into_iter()
        .for_each(|at| at.copy_from_slice(sum.as_bytes()));
    Ok(header)
}

/// A field of so many octal digits and a zero byte.
fn octal(value: u64, digits: usize) -> anyhow::Result<String> {
    let value = fits(value, (1 << (3 * digits)) - 1)?;
    Ok(format!("{value:0digits$o}\0"))
}

/// The parts of a name in their two fields, of 155 and 100 bytes; `tar` has the second alone.
fn split(layout: Layout, name: &[u8]) -> anyhow::Result<(&[u8], &[u8])> {
    if name.len() <= 100 {
        return Ok((b"", name));
    }
    let mut slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    let place = slashes.rfind(|at| *at <= 155 && name.len() - at - 1 <= 100);
    match place.and_then(|at| Some((name.get(..at)?, name.get(at + 1..)?))) {
        Some(parts) if layout == Layout::Ustar => Ok(parts),
        _ => anyhow::bail!(Unfit("file name too long".into())),
    }
}
