//! Hardware watchdogs (kernel: `Documentation/watchdog/watchdog-api.rst`).

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    ioctl::{self, Updater, opcode},
};
use std::{io, os::fd::OwnedFd, path::Path};

/// An armed watchdog: it resets the machine unless it is fed. Dropping it leaves it armed.
pub trait Watchdog {
    /// Puts the reset off by the timeout.
    ///
    /// # Errors
    /// When the driver refuses.
    fn feed(&self) -> io::Result<()>;

    /// Asks for a timeout; returns the one that the hardware took. Both in seconds.
    ///
    /// # Errors
    /// When the driver has a fixed one.
    fn set_timeout(&self, seconds: u32) -> io::Result<u32>;

    /// Stops it (the magic close): for a deliberate end that must not be followed by a reset.
    ///
    /// # Errors
    /// When the driver refuses. One that cannot be stopped (`nowayout`) says nothing and goes on.
    fn disarm(self: Box<Self>) -> io::Result<()>;
}

/// A watchdog of the kernel.
#[derive(Debug)]
pub struct Device(OwnedFd);

impl Device {
    /// Opens `/dev/watchdogN`, which arms it.
    ///
    /// # Errors
    /// When it is not there or another process has it.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?))
    }
}

impl Watchdog for Device {
    fn feed(&self) -> io::Result<()> {
        write(&self.0, b"\0")
    }

    fn set_timeout(&self, seconds: u32) -> io::Result<u32> {
        const WDIOC_SETTIMEOUT: ioctl::Opcode = opcode::read_write::<i32>(b'W', 6);
        let mut value = i32::try_from(seconds).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: WDIOC_SETTIMEOUT (linux/watchdog.h) reads and writes one int.
        unsafe { ioctl::ioctl(&self.0, Updater::<WDIOC_SETTIMEOUT, i32>::new(&mut value))? };
        Ok(u32::try_from(value).unwrap_or(0))
    }

    fn disarm(self: Box<Self>) -> io::Result<()> {
        write(&self.0, b"V")
    }
}

/// A driver takes any number of bytes; an interrupted write is made again.
fn write(fd: &OwnedFd, byte: &[u8]) -> io::Result<()> {
    loop {
        match rustix::io::write(fd, byte) {
            Err(Errno::INTR) => {}
            other => return Ok(other.map(drop)?),
        }
    }
}
