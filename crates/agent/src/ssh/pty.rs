//! Pseudo-terminals.

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};
use tokio::net::unix::pipe::{Receiver, Sender};

/// What a client asks for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) term: String,
    pub(super) size: Size,
}

/// A window's size in characters and pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) columns: u32,
    pub(super) rows: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl From<Size> for Winsize {
    fn from(size: Size) -> Self {
        let short = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
        Self {
            ws_col: short(size.columns),
            ws_row: short(size.rows),
            ws_xpixel: short(size.width),
            ws_ypixel: short(size.height),
        }
    }
}

/// Our side of a terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    from: Receiver,
    to: Sender,
}

/// Makes a terminal: our side, the side of the programs, and its path.
pub(super) fn open(size: Size) -> io::Result<(Terminal, OwnedFd, String)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let path = ptsname(&ours, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(path.as_c_str(), flags, Mode::empty())?;
    tcsetwinsize(&theirs, size.into())?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    let path = path.to_string_lossy().into_owned();
    // Nothing in these types needs a pipe: a terminal is waited for, read and written alike.
    let to = Sender::from_file_unchecked(ours.try_clone()?.into())?;
    let from = Receiver::from_file_unchecked(ours.into())?;
    Ok((Terminal { from, to }, theirs, path))
}

impl Terminal {
    /// The window has another size.
    pub(super) fn resize(&self, size: Size) {
        // Fails only when the terminal is gone, and then nobody looks.
        let _ = tcsetwinsize(self.to.as_fd(), size.into());
    }

    /// The next bytes that programs wrote; zero when all of them have closed it.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.from.readable().await?;
            match self.from.try_read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // EIO: no program has it open any more.
                Err(e) if e.raw_os_error() == Some(Errno::IO.raw_os_error()) => return Ok(0),
                result => return result,
            }
        }
    }

    /// Gives programs all of `bytes`, as if typed.
    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.to.writable().await?;
            match self.to.try_write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                written => bytes = bytes.get(written?..).unwrap_or_default(),
            }
        }
        Ok(())
    }
}
