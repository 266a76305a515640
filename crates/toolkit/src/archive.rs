//! Members of archives, whatever the archive's format: how they become files, and what `-tv` shows.

mod extract;
pub(crate) mod tape;

use crate::{
    applet::reason,
    dates::{self, date},
};
use std::{
    ffi::{OsStr, OsString},
    io::{self, BufRead, Read},
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
};

pub(crate) use extract::{Existing, Extractor};

/// An archive as it is read, with how far.
pub(crate) struct Counted<R> {
    pub(crate) data: R,
    /// Bytes.
    pub(crate) at: u64,
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.data.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.data.consume(amount);
        self.at += amount as u64;
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

/// One member, without its data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    /// Permission bits, set-uid and the like included.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) user: String,
    pub(crate) group: String,
    /// Seconds since 1970.
    pub(crate) mtime: i64,
    /// After them.
    pub(crate) nanos: u32,
    pub(crate) size: u64,
    /// Whether it was archived without its holes.
    pub(crate) sparse: bool,
    /// Extended attributes, among them capabilities: names and values.
    pub(crate) attributes: Vec<(OsString, Vec<u8>)>,
    /// Whether there are access control lists, which nothing here understands.
    pub(crate) lists: bool,
}

/// What a member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    File,
    Folder,
    Symlink(OsString),
    /// To another member.
    Hardlink(PathBuf),
    /// Major and minor number.
    Char(u32, u32),
    Block(u32, u32),
    Fifo,
}

impl Kind {
    pub(crate) fn letter(&self) -> char {
        match self {
            Self::File => '-',
            Self::Folder => 'd',
            Self::Symlink(_) => 'l',
            Self::Hardlink(_) => 'h',
            Self::Char(..) => 'c',
            Self::Block(..) => 'b',
            Self::Fifo => 'p',
        }
    }
}

/// The lines of `tar -tv`.
pub(crate) struct Listing {
    width: usize,
    pub(crate) numeric: bool,
    /// Times with seconds, and what there is of them.
    full: bool,
}

impl Listing {
    pub(crate) fn new(numeric: bool, full: bool) -> Self {
        Self { width: 19, numeric, full }
    }

    /// One line, as GNU tar's: the columns grow when something does not fit.
    pub(crate) fn line(&mut self, member: &Member) -> Vec<u8> {
        let (user, group) = if self.numeric || member.user.is_empty() {
            (member.uid.to_string(), member.gid.to_string())
        } else {
            (member.user.clone(), member.group.clone())
        };
        let size = match &member.kind {
            Kind::Char(major, minor) | Kind::Block(major, minor) => format!("{major},{minor}"),
            Kind::File => member.size.to_string(),
            _ => "0".into(),
        };
        let owner = format!("{user}/{group}");
        self.width = self.width.max(owner.len() + size.len() + 1);
        // No format is wider.
        let pad = (self.width - owner.len()).min(usize::from(u16::MAX));
        let mode = mode_text(member.kind.letter(), member.mode);
        let time = if self.full { exact(member) } else { minute(member.mtime) };
        let mut line = format!("{mode} {owner}{size:>pad$} {time} ").into_bytes();
        line.extend(shown(member.path.as_os_str()));
        match &member.kind {
            Kind::Symlink(target) => line.extend([b" -> ", target.as_bytes()].concat()),
            Kind::Hardlink(target) => {
                line.extend([b" link to ", target.as_os_str().as_bytes()].concat());
            }
            _ => {}
        }
        line.push(b'\n');
        line
    }
}

/// A name on a line: what would break the line is escaped.
pub(crate) fn shown(name: &OsStr) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'\n' => b"\\n".to_vec(),
        b'\t' => b"\\t".to_vec(),
        b'\\' => b"\\\\".to_vec(),
        0..=31 | 127.. => format!("\\{byte:03o}").into_bytes(),
        byte => vec![*byte],
    };
    name.as_bytes().iter().flat_map(escape).collect()
}

/// `drwxr-xr-t`
pub(crate) fn mode_text(kind: char, mode: u32) -> String {
    let mut text: Vec<char> = vec![kind];
    for shift in [6, 3, 0] {
        for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'x')] {
            text.push(if mode >> shift & bit != 0 { letter } else { '-' });
        }
    }
    for (bit, at, letter) in [(0o4000, 3, 's'), (0o2000, 6, 's'), (0o1000, 9, 't')] {
        if let (true, Some(place)) = (mode & bit != 0, text.get_mut(at)) {
            *place = if *place == 'x' { letter } else { letter.to_ascii_uppercase() };
        }
    }
    text.into_iter().collect()
}

/// `2026-11-23 06:30`
pub(crate) fn minute(time: i64) -> String {
    let date = date(time);
    format!("{} {}", date.iso(), date.minutes())
}

/// `2026-11-23 06:30:05.25`
fn exact(member: &Member) -> String {
    let seconds = dates::formatted(b"%Y-%m-%d %H:%M:%S", member.mtime, false).unwrap_or_default();
    let seconds = String::from_utf8_lossy(&seconds).into_owned();
    match member.nanos {
        0 => seconds,
        nanos => format!("{seconds}.{nanos:09}").trim_end_matches('0').to_owned(),
    }
}

/// The words of an error without the number.
pub(crate) fn words(error: &anyhow::Error) -> String {
    let chain = error.chain().map(|part| match part.downcast_ref::<io::Error>() {
        Some(error) => reason(error),
        None => part.to_string(),
    });
    chain.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_letters() {
        assert_eq!(mode_text('d', 0o1777), "drwxrwxrwt");
        assert_eq!(mode_text('-', 0o4644), "-rwSr--r--");
    }
}
