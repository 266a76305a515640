//! Stand-ins for the kernel, for tests: they record what was asked and answer what they were told.

use crate::{
    block::Disks,
    kmod::Insert,
    mount::{Mount, Mounted, Mounts},
    power::{End, Power},
    process::Processes,
};
use rustix::{
    io::Errno,
    process::{Pid, Signal},
};
use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Mutex,
    time::Duration,
};

/// A [`crate::clock::Clock`].
#[derive(Debug, Default)]
pub struct Clock {
    /// What the system clock was set to last.
    pub system: Cell<Option<Duration>>,
    /// What the hardware clock was set to last.
    pub hardware: Cell<Option<Duration>>,
}

impl crate::clock::Clock for Clock {
    fn set(&self, time: Duration) -> io::Result<()> {
        self.system.set(Some(time));
        Ok(())
    }

    fn set_hardware(&self, time: Duration) -> io::Result<()> {
        self.hardware.set(Some(time));
        Ok(())
    }
}

/// A [`Disks`].
#[derive(Debug, Default)]
pub struct Blocks {
    /// Devices set read-only, in order.
    pub read_only: RefCell<Vec<PathBuf>>,
    /// Loop devices that are bound.
    pub loops: Cell<usize>,
}

impl Disks for Blocks {
    fn set_read_only(&self, device: &Path) -> io::Result<()> {
        self.read_only.borrow_mut().push(device.to_owned());
        Ok(())
    }

    fn detach_loops(&self) -> usize {
        self.loops.replace(0)
    }
}

/// A mount table.
#[derive(Debug, Default)]
pub struct MountTable {
    /// What is mounted, oldest first.
    pub table: RefCell<Vec<Mounted>>,
    /// Targets that cannot be unmounted except lazily.
    pub busy: RefCell<HashSet<PathBuf>>,
    /// Targets made read-only.
    pub read_only: RefCell<Vec<PathBuf>>,
    /// File system types that the kernel does not have.
    pub unknown: HashSet<String>,
}

impl Mounts for MountTable {
    fn mount(&self, mount: &Mount<'_>) -> io::Result<()> {
        if self.unknown.contains(mount.kind) {
            return Err(Errno::NODEV.into());
        }
        let mounted = Mounted { target: mount.target.into(), kind: mount.kind.into() };
        self.table.borrow_mut().push(mounted);
        Ok(())
    }

    fn unmount(&self, target: &Path, lazily: bool) -> io::Result<()> {
        if !lazily && self.busy.borrow().contains(target) {
            return Err(Errno::BUSY.into());
        }
        let mut table = self.table.borrow_mut();
        let at = table.iter().rposition(|m| m.target == target).ok_or(ErrorKind::InvalidInput)?;
        table.remove(at);
        Ok(())
    }

    fn make_read_only(&self, target: &Path) -> io::Result<()> {
        self.read_only.borrow_mut().push(target.to_owned());
        Ok(())
    }

    fn mounted(&self) -> io::Result<Vec<Mounted>> {
        Ok(self.table.borrow().clone())
    }
}

/// A [`Power`] switch.
#[derive(Debug, Default)]
pub struct Switch {
    /// How the machine was ended.
    pub ended: Cell<Option<End>>,
    /// How often dirty pages were written.
    pub synced: Cell<u32>,
}

impl Power for Switch {
    fn end(&self, how: End) -> io::Result<()> {
        self.ended.set(Some(how));
        Ok(())
    }

    fn catch_ctrl_alt_del(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) {
        self.synced.set(self.synced.get() + 1);
    }
}

/// A table of processes.
#[derive(Debug, Default)]
pub struct ProcessTable {
    /// Who is there, and whether only SIGKILL ends it.
    pub table: RefCell<Vec<(Pid, String, bool)>>,
    /// Signals sent, in order.
    pub sent: RefCell<Vec<Signal>>,
}

impl Processes for ProcessTable {
    fn signal_all(&self, signal: Signal) -> io::Result<()> {
        self.sent.borrow_mut().push(signal);
        self.table.borrow_mut().retain(|(_, _, stubborn)| *stubborn && signal != Signal::KILL);
        Ok(())
    }

    fn others(&self) -> Vec<(Pid, String)> {
        self.table.borrow().iter().map(|(pid, name, _)| (*pid, name.clone())).collect()
    }
}

/// What happened to a [`Watchdog`].
#[derive(Debug, Default)]
pub struct WatchdogLog {
    /// How often it was fed.
    pub fed: Cell<u32>,
    /// Seconds asked for.
    pub timeout: Cell<u32>,
    /// Whether it was stopped by the magic close.
    pub disarmed: Cell<bool>,
}

/// A [`crate::watchdog::Watchdog`] that writes to a shared [`WatchdogLog`].
#[derive(Clone, Debug, Default)]
pub struct Watchdog(pub Rc<WatchdogLog>);

impl crate::watchdog::Watchdog for Watchdog {
    fn feed(&self) -> io::Result<()> {
        self.0.fed.set(self.0.fed.get() + 1);
        Ok(())
    }

    fn set_timeout(&self, seconds: u32) -> io::Result<u32> {
        self.0.timeout.set(seconds);
        Ok(seconds)
    }

    fn disarm(self: Box<Self>) -> io::Result<()> {
        self.0.disarmed.set(true);
        Ok(())
    }
}

/// A kernel that takes modules.
#[derive(Debug, Default)]
pub struct ModuleTable {
    /// Files inserted, in order.
    pub inserted: Mutex<Vec<PathBuf>>,
    /// Files that the kernel refuses.
    pub refused: HashSet<PathBuf>,
}

impl Insert for ModuleTable {
    fn insert(&self, file: &Path, _parameters: &str) -> io::Result<()> {
        if self.refused.contains(file) {
            return Err(Errno::NODEV.into());
        }
        if let Ok(mut inserted) = self.inserted.lock() {
            inserted.push(file.to_owned());
        }
        Ok(())
    }
}
