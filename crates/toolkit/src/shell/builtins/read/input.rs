//! Bytes up to where a read ends, and not one more.

use super::fields::Text;
use brush_core::sys::signal;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, SeekFrom, fstat, seek},
    io::Errno,
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr},
};
use std::{
    io,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

/// So many bytes of a file are read at once; those behind the end are given back.
const BLOCK: usize = 4096;

/// Where a read ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Until {
    /// Behind this byte; `None` for no such.
    pub(super) delimiter: Option<u8>,
    /// Behind so many characters.
    pub(super) characters: Option<usize>,
}

/// Why a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where it should.
    Found,
    OfInput,
    OfTime,
    /// A signal came that ends the shell.
    BySignal(i32),
}

/// What is read from.
pub(super) struct Input<'a> {
    file: BorrowedFd<'a>,
    deadline: Option<Instant>,
    /// What was read of a file, and how much of that was taken.
    block: Vec<u8>,
    taken: usize,
    /// Whether what was not taken can be given back.
    seekable: bool,
}

impl<'a> Input<'a> {
    pub(super) fn new(file: BorrowedFd<'a>, timeout: Option<Duration>) -> Self {
        let kind = fstat(file).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let seekable =
            kind == Ok(FileType::RegularFile) && seek(file, SeekFrom::Current(0)).is_ok();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self { file, deadline, block: Vec::new(), taken: 0, seekable }
    }

    /// Whether there is something to read now.
    pub(super) fn is_ready(&self) -> io::Result<bool> {
        self.wait(Some(Duration::ZERO))
    }

    fn wait(&self, patience: Option<Duration>) -> io::Result<bool> {
        let time = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let mut polled = [PollFd::new(&self.file, PollFlags::IN)];
        match poll(&mut polled, time.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn next(&mut self) -> io::Result<Result<u8, End>> {
        if let Some(byte) = self.block.get(self.taken) {
            self.taken += 1;
            return Ok(Ok(*byte));
        }
        let mut room = vec![0; if self.seekable { BLOCK } else { 1 }];
        loop {
            if let Some(deadline) = self.deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if !self.wait(Some(left))? {
                    if left.is_zero() {
                        return Ok(Err(End::OfTime));
                    }
                    continue;
                }
            }
            match rustix::io::read(self.file, &mut room) {
                Ok(0) => return Ok(Err(End::OfInput)),
                Ok(length) => {
                    room.truncate(length);
                    self.taken = 1;
                    let first = room.first().copied().unwrap_or_default();
                    self.block = room;
                    return Ok(Ok(first));
                }
                Err(Errno::INTR) => {
                    if let Some(number) = signal::fatal() {
                        return Ok(Err(End::BySignal(number)));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads up to the end. Unless `raw`, a backslash quotes the next byte, and joins lines.
    pub(super) fn read(&mut self, until: Until, raw: bool) -> io::Result<(Text, End)> {
        let mut bytes: Vec<(u8, bool)> = Vec::new();
        let mut escaped = false;
        let mut characters = 0;
        let end = loop {
            if until.characters.is_some_and(|most| characters >= most) && !self.amid(&bytes) {
                break End::Found;
            }
            let byte = match self.next()? {
                Ok(byte) => byte,
                Err(end) => break end,
            };
            if std::mem::take(&mut escaped) {
                if byte != b'\n' {
                    bytes.push((byte, true));
                    characters += usize::from(begins(byte));
                }
            } else if byte == b'\\' && !raw {
                escaped = true;
            } else if until.delimiter == Some(byte) {
                break End::Found;
            } else if byte != 0 {
                bytes.push((byte, false));
                characters += usize::from(begins(byte));
            }
        };
        self.give_back()?;
        Ok((Text::of_bytes(&bytes), end))
    }

    /// Whether the last character is not whole.
    fn amid(&self, bytes: &[(u8, bool)]) -> bool {
        let plain: Vec<u8> = bytes.iter().rev().take(4).rev().map(|(byte, _)| *byte).collect();
        let begin = plain.iter().rposition(|byte| begins(*byte)).unwrap_or(0);
        let last = std::str::from_utf8(plain.get(begin..).unwrap_or_default());
        last.is_err_and(|error| error.error_len().is_none())
    }

    fn give_back(&self) -> io::Result<()> {
        let left = self.block.len() - self.taken.min(self.block.len());
        if self.seekable && left > 0 {
            seek(self.file, SeekFrom::Current(-i64::try_from(left).unwrap_or(0)))?;
        }
        Ok(())
    }
}

/// Whether a byte is not one that goes on with a character (RFC 3629).
fn begins(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// How a terminal is while it is read; it is as before at the end.
pub(super) struct Mode<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Mode<'a> {
    /// Shows nothing of what is typed, or gives each byte at once, or both.
    pub(super) fn set(terminal: BorrowedFd<'a>, silent: bool, at_once: bool) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut mode = before.clone();
        if silent {
            mode.local_modes -= LocalModes::ECHO;
        }
        if at_once {
            mode.local_modes -= LocalModes::ICANON;
            mode.special_codes[SpecialCodeIndex::VMIN] = 1;
            mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        }
        tcsetattr(terminal, OptionalActions::Drain, &mode)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Mode<'_> {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }
}
