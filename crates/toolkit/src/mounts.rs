//! What is mounted where: `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

use anyhow::Context as _;
use std::{fs, os::unix::ffi::OsStringExt as _, path::PathBuf};

/// One mount.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The device, or the kernel's word for there being none.
    pub(crate) source: PathBuf,
    /// Where it is.
    pub(crate) target: PathBuf,
    /// The file system's type.
    pub(crate) kind: String,
    /// Options of the mount and of its file system.
    pub(crate) options: String,
    /// The device's numbers, `8:1`.
    pub(crate) device: String,
    /// Its number.
    pub(crate) id: u64,
    /// That of the mount that it is on.
    pub(crate) parent: u64,
    /// Which folder of the file system is mounted.
    pub(crate) root: PathBuf,
    /// Options of the mount alone.
    pub(crate) own: String,
    /// Options of the file system alone.
    pub(crate) file_system: String,
    /// `shared:1 master:2` and the like.
    pub(crate) fields: String,
}

/// Every mount, in the order they were made.
pub(crate) fn all() -> anyhow::Result<Vec<Mount>> {
    let path = "/proc/self/mountinfo";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.lines().filter_map(parse).collect())
}

/// `36 35 98:0 /root /mnt rw,noatime shared:1 - ext3 /dev/root rw,errors=continue`
fn parse(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ');
    let id = mount.next()?.parse().ok()?;
    let parent = mount.next()?.parse().ok()?;
    let device = mount.next()?.to_owned();
    let root = unescape(mount.next()?);
    let target = unescape(mount.next()?);
    let own = mount.next()?;
    let fields = mount.collect::<Vec<_>>().join(" ");
    let mut file_system = file_system.split(' ');
    let kind = file_system.next()?.to_owned();
    let source = unescape(file_system.next()?);
    let mut options = own.to_owned();
    let of_file_system = file_system.next().unwrap_or("");
    for option in of_file_system.split(',') {
        if !option.is_empty() && !own.split(',').any(|o| o == option) {
            options.push(',');
            options.push_str(option);
        }
    }
    let (own, file_system) = (own.to_owned(), of_file_system.to_owned());
    Some(Mount {
        source,
        target,
        kind,
        options,
        device,
        id,
        parent,
        root,
        own,
        file_system,
        fields,
    })
}

/// Blanks and the like are written as a backslash and three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_blank_in_its_path() {
        let line = r"36 35 98:0 /root /mnt/a\040b rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue";
        let mount = parse(line).unwrap();
        assert_eq!(mount.target, PathBuf::from("/mnt/a b"));
        assert_eq!((mount.kind.as_str(), mount.device.as_str()), ("ext3", "98:0"));
        assert_eq!(mount.options, "rw,noatime,errors=continue");
        assert_eq!(parse("36 35 98:0 /root"), None);
    }
}
