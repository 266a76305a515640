//! Mounting and unmounting.

use crate::Kernel;
use rustix::mount::{MountFlags, UnmountFlags};
use std::{
    ffi::CString,
    fs, io,
    path::{Path, PathBuf},
};

/// One mount to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount<'a> {
    /// A device, or a word that shows in `/proc/mounts`.
    pub source: &'a str,
    /// The folder.
    pub target: &'a Path,
    /// File system type as the kernel names it.
    pub kind: &'a str,
    /// Switches.
    pub flags: MountFlags,
    /// The file system's own options, comma-separated.
    pub options: &'a str,
}

/// A line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Where.
    pub target: PathBuf,
    /// File system type.
    pub kind: String,
}

/// The mount table.
pub trait Mounts {
    /// Mounts.
    ///
    /// # Errors
    /// What `mount(2)` says; `InvalidInput` when the options hold a NUL.
    fn mount(&self, mount: &Mount<'_>) -> io::Result<()>;

    /// Unmounts what was mounted last on `target`; `lazily`: takes it out of the tree now and lets
    /// it go when nothing uses it any more.
    ///
    /// # Errors
    /// What `umount2(2)` says.
    fn unmount(&self, target: &Path, lazily: bool) -> io::Result<()>;

    /// Makes a mounted file system read-only, which writes back what it holds.
    ///
    /// # Errors
    /// What `mount(2)` says.
    fn make_read_only(&self, target: &Path) -> io::Result<()>;

    /// What is mounted, oldest first.
    ///
    /// # Errors
    /// When `/proc` is not there.
    fn mounted(&self) -> io::Result<Vec<Mounted>>;
}

impl Mounts for Kernel {
    fn mount(&self, mount: &Mount<'_>) -> io::Result<()> {
        let options = CString::new(mount.options)?;
        let data = (!mount.options.is_empty()).then_some(options.as_c_str());
        Ok(rustix::mount::mount(mount.source, mount.target, mount.kind, mount.flags, data)?)
    }

    fn unmount(&self, target: &Path, lazily: bool) -> io::Result<()> {
        let how = if lazily { UnmountFlags::DETACH } else { UnmountFlags::empty() };
        Ok(rustix::mount::unmount(target, how | UnmountFlags::NOFOLLOW)?)
    }

    fn make_read_only(&self, target: &Path) -> io::Result<()> {
        Ok(rustix::mount::mount_remount(target, MountFlags::RDONLY, c"")?)
    }

    fn mounted(&self) -> io::Result<Vec<Mounted>> {
        let text = fs::read_to_string("/proc/self/mountinfo")?;
        Ok(text.lines().filter_map(parse_line).collect())
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw` (proc_pid_mountinfo(5)).
fn parse_line(line: &str) -> Option<Mounted> {
    let (head, tail) = line.split_once(" - ")?;
    let target = unescape(head.split(' ').nth(4)?)?;
    let kind = tail.split(' ').next()?.to_owned();
    Some(Mounted { target: target.into(), kind })
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> Option<String> {
    let mut pieces = text.split('\\');
    let mut out = pieces.next()?.to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(3)?;
        out.push(char::from(u8::from_str_radix(digits, 8).ok()?));
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_lines() {
        let line =
            r"36 35 98:0 / /mnt/a\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let expected = Mounted { target: "/mnt/a b".into(), kind: "ext3".into() };
        assert_eq!(parse_line(line), Some(expected));
        assert_eq!(parse_line(""), None);
        assert_eq!(unescape(r"a\04"), None);
        assert_eq!(unescape(r"a\999"), None);
    }

    #[test]
    fn the_root_is_mounted() {
        let mounted = Kernel.mounted().unwrap();
        assert!(mounted.iter().any(|m| m.target == Path::new("/")));
    }
}
