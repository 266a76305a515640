//! `-ls` and `-fls`: a line as of `ls -dils`.

use super::{criteria::Tables, entry::Entry};
use crate::{archive, dates};
use rustix::{
    fs::{FileType, major, minor},
    io::Errno,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Half a year, seconds: of what is older, or to come, the year is shown.
const RECENT: i64 = 31_556_952 / 2;

/// Columns, which grow with what was in them.
pub(crate) struct Widths {
    inode: usize,
    blocks: usize,
    links: usize,
    user: usize,
    group: usize,
    size: usize,
}

impl Default for Widths {
    fn default() -> Self {
        Self { inode: 9, blocks: 6, links: 3, user: 8, group: 8, size: 8 }
    }
}

/// # Errors
/// Why the file could not be looked at.
pub(crate) fn line(
    entry: &Entry<'_>,
    tables: &Tables,
    widths: &mut Widths,
) -> Result<Vec<u8>, Errno> {
    let stat = entry.stat()?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let letter = if kind == FileType::RegularFile { '-' } else { kind_letter(kind) };
    let names = tables.names();
    let user = names.user(stat.st_uid).map_or_else(|| stat.st_uid.to_string(), str::to_owned);
    let group = names.group(stat.st_gid).map_or_else(|| stat.st_gid.to_string(), str::to_owned);
    let size = match kind {
        FileType::CharacterDevice | FileType::BlockDevice => {
            format!("{:3}, {:3}", major(stat.st_rdev), minor(stat.st_rdev))
        }
        _ => stat.st_size.to_string(),
    };
    let inode = stat.st_ino.to_string();
    let blocks = u64::try_from(stat.st_blocks).unwrap_or(0).div_ceil(2).to_string();
    let links = stat.st_nlink.to_string();
    for (width, text) in [
        (&mut widths.inode, &inode),
        (&mut widths.blocks, &blocks),
        (&mut widths.links, &links),
        (&mut widths.user, &user),
        (&mut widths.group, &group),
        (&mut widths.size, &size),
    ] {
        *width = (*width).max(text.len());
    }
    let Widths { inode: iw, blocks: bw, links: lw, user: uw, group: gw, size: sw } = *widths;
    let mode = archive::mode_text(letter, stat.st_mode);
    let time = time(stat.st_mtime);
    let text = format!(
        "{inode:>iw$} {blocks:>bw$} {mode} {links:>lw$} {user:<uw$} {group:<gw$} {size:>sw$} {time} "
    );
    let mut line = text.into_bytes();
    escape(&entry.path(), &mut line);
    if kind == FileType::Symlink {
        line.extend(b" -> ");
        escape(&entry.link().unwrap_or_default(), &mut line);
    }
    line.push(b'\n');
    Ok(line)
}

/// `Nov 27 18:43`, or `Nov 27  2025`.
fn time(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let age = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(seconds);
    let date = dates::date(seconds);
    if (0..RECENT).contains(&age) {
        format!("{} {:2} {}", date.month, date.day, date.minutes())
    } else {
        format!("{} {:2}  {}", date.month, date.day, date.year)
    }
}

/// What would break the line or the terminal, as in C.
fn escape(name: &[u8], to: &mut Vec<u8>) {
    for byte in name {
        match byte {
            b'\\' | b' ' | b'"' => to.extend([b'\\', *byte]),
            b'\n' => to.extend(b"\\n"),
            b'\t' => to.extend(b"\\t"),
            b'\r' => to.extend(b"\\r"),
            0x08 => to.extend(b"\\b"),
            0x0c => to.extend(b"\\f"),
            byte if byte.is_ascii_graphic() => to.push(*byte),
            byte => to.extend(format!("\\{byte:03o}").bytes()),
        }
    }
}

/// `-type`'s letter.
pub(crate) fn kind_letter(kind: FileType) -> char {
    match kind {
        FileType::RegularFile => 'f',
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        FileType::CharacterDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Unknown => 'U',
    }
}
