//! Where the bytes come from: opened, skipped, and read a record at a time, around what cannot be read.

use super::{
    cache::{Cache, Forget},
    failed::Failed,
    flags,
    operands::{Length, Settings},
    status::Status,
};
use crate::quoting;
use rustix::{
    fs::{FileType, Mode, OFlags, SeekFrom, fstat, seek},
    io::Errno,
};
use std::{
    ffi::OsStr,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

#[derive(Debug)]
pub(crate) struct Input<'a> {
    file: OwnedFd,
    set: &'a Settings,
    /// Quoted.
    name: String,
    /// Where it should be by what was read and skipped, if it can be sought in.
    offset: Option<u64>,
    /// Bytes of a record that was read in part: the rest of it was not read yet.
    part: usize,
    cache: Cache,
    /// Of the last read; for a warning when it was in part, until that was given.
    last: Option<usize>,
}

impl<'a> Input<'a> {
    pub(crate) fn open(set: &'a Settings, status: &mut Status) -> Result<Self, Failed> {
        let name = quoting::quoted(name(set));
        let flags = set.iflag.open;
        let file = match &set.input {
            // That of a pipe waits for a writer.
            Some(path) => status
                .unless_interrupted(|| {
                    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
                })
                .map_err(|error| Failed::new(format!("failed to open {name}"), error.into()))?,
            None => {
                let file = rustix::io::dup(rustix::stdio::stdin())
                    .map_err(|error| Failed::new(format!("failed to open {name}"), error.into()))?;
                flags::set(file.as_fd(), flags, &name)?;
                file
            }
        };
        flags::check_links(file.as_fd(), set.iflag, &name)?;
        let offset = seek(&file, SeekFrom::Current(0)).ok();
        // Of a record in part is told only where it makes a difference.
        let counted = set.count.is_some_and(|count| count.records > 0) || set.skip.records > 0;
        let direct = (flags | set.oflag.open).contains(OFlags::DIRECT);
        let warns = !set.reblock && !set.fullblock && (counted || direct);
        Ok(Self {
            file,
            set,
            name,
            offset,
            part: 0,
            cache: Cache::new(offset),
            last: warns.then_some(0),
        })
    }

    /// A regular file's bytes from here on.
    pub(crate) fn left(&self) -> Option<u64> {
        self.size()?.checked_sub(self.offset?)
    }

    /// Goes `skip=` forward; what has no so many bytes is read to its end.
    pub(crate) fn skip(&mut self, buffer: &mut [u8], status: &mut Status) -> Result<(), Failed> {
        let length = self.set.skip;
        if length.is_zero() {
            return Ok(());
        }
        let Some(distance) = length.total(self.set.ibs) else {
            return self.pass(length, Errno::OVERFLOW, buffer, status);
        };
        match self.forward(distance) {
            Ok(()) => {}
            Err(errno) => return self.pass(length, errno, buffer, status),
        }
        // What the kernel makes up when it is read has no size.
        if self.left().is_none() && self.size().is_some_and(|size| size > 0) {
            status.warn(&format!("{}: cannot skip to specified offset", self.plain_name()));
        }
        Ok(())
    }

    /// A regular file's.
    fn size(&self) -> Option<u64> {
        let stat = fstat(&self.file).ok()?;
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        u64::try_from(stat.st_size).ok().filter(|_| regular)
    }

    /// Seeks forward from where it is.
    fn forward(&mut self, distance: u64) -> Result<(), Errno> {
        let step = i64::try_from(distance).map_err(|_| Errno::OVERFLOW)?;
        self.offset = Some(seek(&self.file, SeekFrom::Current(step))?);
        Ok(())
    }

    /// Reads and forgets, where one cannot seek; elsewhere `errno` says why seeking failed.
    fn pass(
        &mut self,
        mut length: Length,
        errno: Errno,
        buffer: &mut [u8],
        status: &mut Status,
    ) -> Result<(), Failed> {
        if seek(&self.file, SeekFrom::End(0)).is_ok() {
            let what = format!("{}: cannot skip", self.plain_name());
            return Err(Failed::new(what, errno.into()));
        }
        while !length.is_zero() {
            let size = if length.records > 0 { self.set.ibs } else { length.bytes };
            let read = self.read_some(buffer.get_mut(..size).unwrap_or_default(), status);
            match read {
                Ok(0) => {
                    let name = self.plain_name();
                    status.warn(&format!("{name}: cannot skip to specified offset"));
                    break;
                }
                Ok(_) if length.records > 0 => length.records -= 1,
                Ok(_) => length.bytes = 0,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    /// Reads one record, of `record.len()` bytes at most: how many bytes it has, or `None` at the end.
    ///
    /// With `conv=noerror` what cannot be read is skipped to the next record; with `sync` too, a record of no bytes stands
    /// in its place, unless part of it was read before.
    pub(crate) fn read(
        &mut self,
        record: &mut [u8],
        status: &mut Status,
    ) -> Result<Option<usize>, Failed> {
        loop {
            match self.read_some(record, status) {
                Ok(0) => return Ok(None),
                Ok(count) => {
                    if let Some(offset) = &mut self.offset {
                        *offset = offset.saturating_add(count as u64);
                    }
                    self.part = if count < self.set.ibs { count } else { 0 };
                    return Ok(Some(count));
                }
                // Where one cannot seek, the same would fail for ever.
                Err(error) if !self.set.noerror || self.offset.is_none() => {
                    return Err(self.failed(error));
                }
                Err(error) => {
                    status.warn(&self.failed(error).to_string());
                    status.tell();
                    let part = std::mem::take(&mut self.part);
                    self.pass_over((self.set.ibs - part) as u64)?;
                    if self.set.sync && part == 0 {
                        return Ok(Some(0));
                    }
                }
            }
        }
    }

    /// Goes on behind what could not be read, wherever the failed read has left the file.
    fn pass_over(&mut self, bytes: u64) -> Result<(), Failed> {
        self.go(self.offset.unwrap_or(0).saturating_add(bytes))
    }

    /// One read, or with `fullblock` as many as fill the record.
    fn read_some(&mut self, record: &mut [u8], status: &mut Status) -> io::Result<usize> {
        let mut done = 0;
        loop {
            let rest = record.get_mut(done..).unwrap_or_default();
            let count = match self.read_once(rest, status) {
                // What came before it is kept, and the next read fails again.
                Err(_) if done > 0 => 0,
                read => read?,
            };
            done += count;
            if count == 0 || done == record.len() || !self.set.fullblock {
                return Ok(done);
            }
        }
    }

    fn read_once(&mut self, buffer: &mut [u8], status: &mut Status) -> io::Result<usize> {
        let asked = buffer.len();
        let count = match status.unless_interrupted(|| rustix::io::read(&self.file, &mut *buffer)) {
            // A file that ends within a sector cannot be read on from there directly.
            Err(Errno::INVAL) if self.part > 0 && self.is_direct() => 0,
            count => count?,
        };
        if count < asked {
            status.attend();
        }
        if let Some(last) = self.last.filter(|_| count > 0) {
            if last > 0 && last < asked {
                let noun = if last == 1 { "byte" } else { "bytes" };
                status.warn(&format!(
                    "warning: partial read ({last} {noun}); suggest iflag=fullblock"
                ));
                self.last = None;
            } else {
                self.last = Some(count);
            }
        }
        Ok(count)
    }

    fn is_direct(&self) -> bool {
        self.set.iflag.open.contains(OFlags::DIRECT)
    }

    /// Bytes were taken from the file without being read.
    pub(crate) fn taken(&mut self, bytes: u64) {
        self.offset = self.offset.map(|offset| offset.saturating_add(bytes));
    }

    /// Back to the beginning of a record.
    pub(crate) fn back(&mut self, bytes: u64) -> Result<(), Failed> {
        self.go(self.offset.unwrap_or(0).saturating_sub(bytes))
    }

    fn go(&mut self, offset: u64) -> Result<(), Failed> {
        let sought = seek(&self.file, SeekFrom::Start(offset));
        let failed =
            |e: Errno| Failed::new(format!("{}: cannot seek", self.plain_name()), e.into());
        self.offset = Some(sought.map_err(failed)?);
        Ok(())
    }

    /// Tells the kernel that what was read is not needed in its cache.
    pub(crate) fn forget(&mut self, how: Forget) -> Result<(), Failed> {
        self.cache
            .forget(self.file.as_fd(), self.offset, how)
            .map_err(|e| Failed::new(format!("failed to discard cache for: {}", self.name), e))
    }

    fn failed(&self, error: io::Error) -> Failed {
        Failed::new(format!("error reading {}", self.name), error)
    }

    fn plain_name(&self) -> String {
        quoting::plain(name(self.set))
    }
}

fn name(set: &Settings) -> &OsStr {
    set.input.as_deref().unwrap_or(OsStr::new("standard input"))
}

impl AsFd for Input<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
