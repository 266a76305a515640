//! What the kernel keeps for each task: its namespaces and its share of the disks.

use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::io;

/// A kind of namespace (namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Mounts.
    Mount,
    /// Host name.
    Uts,
    /// System V IPC.
    Ipc,
    /// Network.
    Net,
    /// Process numbers, of children.
    Pid,
    /// Users and capabilities.
    User,
    /// Control groups.
    Cgroup,
    /// Clocks, of children.
    Time,
}

impl Namespace {
    /// All, in the order in which they must be entered.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Cgroup,
        Self::Ipc,
        Self::Uts,
        Self::Net,
        Self::Pid,
        Self::Mount,
        Self::Time,
    ];

    /// Its file in `/proc/PID/ns`.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Mount => "mnt",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Net => "net",
            Self::Pid => "pid",
            Self::User => "user",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    fn flag(self) -> UnshareFlags {
        match self {
            Self::Mount => UnshareFlags::NEWNS,
            Self::Uts => UnshareFlags::NEWUTS,
            Self::Ipc => UnshareFlags::NEWIPC,
            Self::Net => UnshareFlags::NEWNET,
            Self::Pid => UnshareFlags::NEWPID,
            Self::User => UnshareFlags::NEWUSER,
            Self::Cgroup => UnshareFlags::NEWCGROUP,
            Self::Time => UnshareFlags::NEWTIME,
        }
    }
}

/// Gives this process namespaces of its own.
///
/// # Errors
/// Those of unshare(2).
pub fn unshare(namespaces: &[Namespace]) -> io::Result<()> {
    let flags = namespaces.iter().fold(UnshareFlags::empty(), |flags, n| flags | n.flag());
    // SAFETY: CLONE_FILES, which would break descriptors that are shared with other threads, is never
    // among the flags.
    Ok(unsafe { unshare_unsafe(flags) }?)
}

/// Whose disk priority it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A process; 0 is this one.
    Process(i32),
    /// A process group.
    Group(i32),
    /// All of a user's.
    User(u32),
}

impl Who {
    fn pair(self) -> (libc::c_int, libc::c_int) {
        match self {
            Self::Process(id) => (1, id),
            Self::Group(id) => (2, id),
            Self::User(id) => (3, id.cast_signed()),
        }
    }
}

/// The priority at the disks (ioprio_get(2)): class 0 to 3, and level 0 to 7.
///
/// # Errors
/// `ESRCH` when there is no such process.
pub fn disk_priority(who: Who) -> io::Result<(u8, u8)> {
    let (kind, id) = who.pair();
    // SAFETY: ioprio_get(2) takes two numbers.
    let value = unsafe { libc::syscall(libc::SYS_ioprio_get, kind, id) };
    if value < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(((value >> 13 & 7) as u8, (value & 7) as u8))
}

/// Sets it.
///
/// # Errors
/// `EPERM` when not privileged.
pub fn set_disk_priority(who: Who, class: u8, level: u8) -> io::Result<()> {
    let (kind, id) = who.pair();
    let value = libc::c_int::from(class) << 13 | libc::c_int::from(level);
    // SAFETY: ioprio_set(2) takes three numbers.
    let done = unsafe { libc::syscall(libc::SYS_ioprio_set, kind, id, value) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes this process's terminal its controlling terminal (`TIOCSCTTY`), taking it from others.
///
/// # Errors
/// When standard input is no terminal, or this is no session leader.
pub fn take_terminal() -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes a number.
    let done = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 1) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
