//! What processes have open: folders, programs, mapped files and descriptors (proc(5)).

use crate::processes::Process;
use rustix::fs::{FileType, Stat};
use std::{collections::HashMap, fs, net::IpAddr, path::Path};

/// How it is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Folder,
    Root,
    Program,
    Mapped,
    /// A descriptor's number, and whether it is read, written or both: `r`, `w`, `u`.
    Descriptor(u32, char),
}

/// One thing in use.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) how: How,
    /// Its path, or what the kernel calls it: `socket:[12]`, `pipe:[12]`, `anon_inode:[eventpoll]`.
    pub(crate) name: String,
    /// What it is; `None` when the kernel would not say.
    pub(crate) stat: Option<Stat>,
    /// Where the descriptor is, bytes.
    pub(crate) offset: u64,
}

impl Open {
    /// Device and number of the file.
    pub(crate) fn file(&self) -> Option<(u64, u64)> {
        self.stat.as_ref().map(|stat| (stat.st_dev, stat.st_ino))
    }

    pub(crate) fn kind(&self) -> Option<FileType> {
        self.stat.as_ref().map(|stat| FileType::from_raw_mode(stat.st_mode))
    }

    /// The number of a socket.
    pub(crate) fn socket(&self) -> Option<u64> {
        self.name.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    }
}

/// All that a process has in use: folder, root, program, mapped files, descriptors by number.
pub(crate) fn of(process: &Process) -> Vec<Open> {
    let folder = Path::new("/proc").join(process.pid.to_string());
    let link = |name: &str, how: How| {
        let path = folder.join(name);
        let target = fs::read_link(&path).ok()?;
        let stat = rustix::fs::stat(&path).ok();
        Some(Open { how, name: target.to_string_lossy().into_owned(), stat, offset: 0 })
    };
    let mut opens: Vec<Open> =
        [link("cwd", How::Folder), link("root", How::Root), link("exe", How::Program)]
            .into_iter()
            .flatten()
            .collect();
    let program = opens.iter().find(|open| open.how == How::Program).and_then(Open::file);
    let mut seen: Vec<(u64, u64)> = program.into_iter().collect();
    for (path, number) in mapped(&process.file("maps")) {
        let stat = rustix::fs::stat(&path).ok().filter(|stat| stat.st_ino == number);
        let file = stat.as_ref().map_or((0, number), |stat| (stat.st_dev, stat.st_ino));
        if !seen.contains(&file) {
            seen.push(file);
            opens.push(Open { how: How::Mapped, name: path, stat, offset: 0 });
        }
    }
    let entries = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    for number in numbers {
        let info = process.file(&format!("fdinfo/{number}"));
        let field = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let flags = field("flags:").and_then(|text| u32::from_str_radix(text, 8).ok()).unwrap_or(0);
        let access = ['r', 'w', 'u', 'u'].get((flags & 3) as usize).copied().unwrap_or('u');
        if let Some(mut open) = link(&format!("fd/{number}"), How::Descriptor(number, access)) {
            open.offset = field("pos:").and_then(|text| text.parse().ok()).unwrap_or(0);
            opens.push(open);
        }
    }
    opens
}

/// Paths and numbers of mapped files: `55..-55.. r-xp 00000000 fe:00 247003    /usr/bin/bash`.
fn mapped(maps: &str) -> Vec<(String, u64)> {
    let file = |line: &str| {
        let number: u64 = line.split_whitespace().nth(4)?.parse().ok()?;
        let path = line.get(line.find('/')?..)?;
        (number != 0).then(|| (path.to_owned(), number))
    };
    let mut files: Vec<(String, u64)> = maps.lines().filter_map(file).collect();
    files.dedup();
    files
}

/// One socket of TCP or UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    /// `TCP` or `UDP`.
    pub(crate) protocol: &'static str,
    /// Whether it is of IPv6.
    pub(crate) six: bool,
    pub(crate) local: (IpAddr, u16),
    pub(crate) remote: (IpAddr, u16),
    /// `LISTEN`, `ESTABLISHED`; empty for UDP.
    pub(crate) state: &'static str,
}

/// States of TCP, from 1 (include/net/tcp_states.h).
const STATES: [&str; 12] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "SYN_RECV",
];

/// The sockets of this network namespace, by their numbers.
pub(crate) fn sockets() -> HashMap<u64, Socket> {
    let mut found = HashMap::new();
    for (file, protocol, six) in
        [("tcp", "TCP", false), ("tcp6", "TCP", true), ("udp", "UDP", false), ("udp6", "UDP", true)]
    {
        let text = fs::read_to_string(Path::new("/proc/net").join(file)).unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(|line| socket(line, protocol, six)));
    }
    found
}

/// `  0: 0100007F:1F90 00000000:0000 0A ... uid timeout inode ...`
fn socket(line: &str, protocol: &'static str, six: bool) -> Option<(u64, Socket)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let state = usize::from_str_radix(fields.get(3)?, 16).ok()?;
    let state = match protocol {
        "TCP" => STATES.get(state.checked_sub(1)?).copied().unwrap_or(""),
        _ => "",
    };
    let (local, remote) = (address(fields.get(1)?)?, address(fields.get(2)?)?);
    Some((fields.get(9)?.parse().ok()?, Socket { protocol, six, local, remote, state }))
}

/// Words of 32 bits in the machine's order, and the port.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let mut bytes = Vec::new();
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some((four.into(), port));
    }
    <[u8; 16]>::try_from(bytes.as_slice()).ok().map(|six| (six.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0";
        let (number, found) = socket(line, "TCP", false).unwrap();
        assert_eq!(number, 4711);
        assert_eq!(found.local, ([127, 0, 0, 1].into(), 8080));
        assert_eq!(found.state, "LISTEN");
        assert_eq!(address("00000000000000000000000001000000:0016").unwrap().0.to_string(), "::1");
        assert_eq!(address("0100007:1F90"), None);
    }

    #[test]
    fn mapped_files() {
        let maps = "55-56 r--p 00000000 fe:00 247003   /usr/bin/a b\n56-57 r-xp 0 fe:00 247003 /usr/bin/a b\n7f-80 rw-p 00000000 00:00 0   [heap]\n80-81 rw-p 0 00:00 0\n";
        assert_eq!(mapped(maps), [("/usr/bin/a b".to_owned(), 247_003)]);
    }
}
