//! `cpio -tv`: a line for each member, as GNU's has it.

use crate::{
    archive::{Kind, Member, mode_text},
    dates::date,
};
use std::os::unix::ffi::OsStrExt as _;

/// After this many seconds a date has the year in the place of the time: half of 365.2425 days.
const HALF_A_YEAR: i64 = 31_556_952 / 2;

/// The line, with the number of the file's names; `now` in seconds since 1970.
pub(super) fn line(member: &Member, links: u64, numeric: bool, now: i64) -> Vec<u8> {
    let owner = |name: &str, id: u32| {
        let text = if numeric || name.is_empty() { id.to_string() } else { name.to_owned() };
        // The columns are of eight characters, whatever is lost.
        text.chars().take(8).collect::<String>()
    };
    let (user, group) = (owner(&member.user, member.uid), owner(&member.group, member.gid));
    let size = match &member.kind {
        Kind::Char(major, minor) | Kind::Block(major, minor) => format!("{major:3}, {minor:3}"),
        Kind::Symlink(target) => format!("{:8}", target.len()),
        _ => format!("{:8}", member.size),
    };
    let when = date(member.mtime);
    let recent = (now - HALF_A_YEAR..=now).contains(&member.mtime);
    let last = if recent { when.minutes().to_owned() } else { format!("{:5}", when.year) };
    // Another name of a file is shown as the file.
    let letter = match member.kind {
        Kind::Hardlink(_) => '-',
        _ => member.kind.letter(),
    };
    let mode = mode_text(letter, member.mode);
    let (month, day) = (when.month, when.day);
    let text = format!("{mode} {links:3} {user:<8} {group:<8} {size} {month} {day:2} {last} ");
    let mut line = text.into_bytes();
    line.extend(member.path.as_os_str().as_bytes());
    if let Kind::Symlink(target) = &member.kind {
        line.extend([b" -> ", target.as_bytes()].concat());
    }
    line.push(b'\n');
    line
}
