//! Where the bytes go: opened, cut or not, sought, and written whole.

use super::{
    cache::{Cache, Forget},
    failed::Failed,
    flags,
    operands::Settings,
    status::Status,
};
use crate::quoting;
use rustix::{
    fs::{
        FileType, Mode, OFlags, SeekFrom, fcntl_getfl, fcntl_setfl, fdatasync, fstat, fsync,
        ftruncate, seek,
    },
    io::Errno,
};
use std::{
    ffi::OsStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

#[derive(Debug)]
pub(crate) struct Output<'a> {
    file: OwnedFd,
    set: &'a Settings,
    /// Quoted.
    name: String,
    /// Where it is, if it can be sought in.
    offset: Option<u64>,
    cache: Cache,
    /// Zeros are left out as holes, until that turns out to be impossible.
    sparse: bool,
    /// The last record was left out, so the file may end before it.
    ends_in_hole: bool,
    fsync: bool,
}

impl<'a> Output<'a> {
    pub(crate) fn open(set: &'a Settings, status: &mut Status) -> Result<Self, Failed> {
        let name = quoting::quoted(name(set));
        let failed = |error: Errno| Failed::new(format!("failed to open {name}"), error.into());
        let flags = set.oflag.open;
        let file = match &set.output {
            Some(path) => {
                let mut flags = flags | OFlags::CLOEXEC;
                flags.set(OFlags::CREATE, !set.nocreat);
                flags.set(OFlags::EXCL, set.excl);
                flags.set(OFlags::TRUNC, !set.notrunc && set.seek.is_zero());
                let mode = Mode::from_raw_mode(0o666);
                // What cannot be sought in is read up to the place, if it may be.
                let both = || rustix::fs::open(path, flags | OFlags::RDWR, mode);
                let read = (!set.seek.is_zero()).then(both).and_then(Result::ok);
                let write = || rustix::fs::open(path, flags | OFlags::WRONLY, mode);
                // That of a pipe waits for a reader.
                read.map_or_else(|| status.unless_interrupted(write), Ok).map_err(failed)?
            }
            None => {
                let file = rustix::io::dup(rustix::stdio::stdout()).map_err(failed)?;
                flags::set(file.as_fd(), flags, &name)?;
                file
            }
        };
        flags::check_links(file.as_fd(), set.oflag, &name)?;
        let offset = seek(&file, SeekFrom::Current(0)).ok();
        let output = Self {
            file,
            set,
            name,
            offset,
            cache: Cache::new(offset),
            sparse: set.sparse,
            ends_in_hole: false,
            fsync: set.fsync,
        };
        output.cut()?;
        Ok(output)
    }

    /// With `seek=` the file keeps what is before that place, and only that.
    fn cut(&self) -> Result<(), Failed> {
        let set = self.set;
        if set.output.is_none() || set.seek.is_zero() || set.notrunc {
            return Ok(());
        }
        let Some(size) = set.seek.total(set.obs) else {
            let what = format!("cannot truncate {} to the place of seek=", self.name);
            return Err(Failed::new(what, Errno::OVERFLOW.into()));
        };
        match ftruncate(&self.file, size) {
            // Devices and pipes have no end that one could move.
            Err(error) if self.is_regular() => {
                let name = &self.name;
                let what = format!("failed to truncate to {size} bytes in output file {name}");
                Err(Failed::new(what, error.into()))
            }
            _ => Ok(()),
        }
    }

    fn is_regular(&self) -> bool {
        fstat(&self.file)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// Whether bytes can go there without passing through a buffer: nothing is asked of how they are written.
    pub(crate) fn is_plain(&self) -> bool {
        // Of standard output somebody else may have asked it.
        let asked =
            fcntl_getfl(&self.file).map_or(OFlags::all(), |there| there | self.set.oflag.open);
        let special = OFlags::APPEND | OFlags::DIRECT | OFlags::SYNC | OFlags::DSYNC;
        !asked.intersects(special)
            && !self.sparse
            && !self.set.oflag.nocache
            && self.offset.is_some()
            && self.is_regular()
    }

    /// Goes to the place of `seek=`. What cannot be sought in is read up to there, and where it ends before, zeros are
    /// written.
    pub(crate) fn seek(&mut self, buffer: &mut [u8], status: &mut Status) -> Result<(), Failed> {
        let (mut length, record) = (self.set.seek, self.set.obs);
        if length.is_zero() {
            return Ok(());
        }
        let distance = length.total(record).and_then(|total| i64::try_from(total).ok());
        let sought = match distance {
            Some(distance) => seek(&self.file, SeekFrom::Current(distance)),
            None => Err(Errno::OVERFLOW),
        };
        let errno = match sought {
            Ok(offset) => {
                self.offset = Some(offset);
                return Ok(());
            }
            Err(errno) => errno,
        };
        if seek(&self.file, SeekFrom::End(0)).is_ok() {
            return Err(self.cannot_seek(errno));
        }
        let mut writes = false;
        while !length.is_zero() {
            let size = if length.records > 0 { record } else { length.bytes };
            let part = buffer.get_mut(..size).unwrap_or_default();
            if !writes {
                match status.unless_interrupted(|| rustix::io::read(&self.file, &mut *part)) {
                    Ok(1..) => {}
                    Ok(0) => writes = true,
                    Err(_) => return Err(self.cannot_seek(errno)),
                }
            }
            if writes {
                part.fill(0);
                let (_, end) = self.write_whole(part, status);
                end?;
            }
            match &mut length.records {
                0 => length.bytes = 0,
                records => *records -= 1,
            }
        }
        Ok(())
    }

    fn cannot_seek(&self, errno: Errno) -> Failed {
        let name = quoting::plain(name(self.set));
        Failed::new(format!("{name}: cannot seek"), errno.into())
    }

    /// Writes one record, of `obs` bytes or the last one, and counts it.
    pub(crate) fn write(&mut self, record: &[u8], status: &mut Status) -> Result<(), Failed> {
        let direct = self.set.oflag.open.contains(OFlags::DIRECT);
        if direct && record.len() < self.set.obs {
            self.leave_direct(status);
        }
        let (count, end) = self.write_whole(record, status);
        status.bytes = status.bytes.saturating_add(count as u64);
        if count == record.len() {
            status.written.add(count, self.set.obs);
        } else if count > 0 {
            status.written.partial += 1;
        }
        if self.set.oflag.nocache {
            // It only makes room.
            let _ = self.forget(Forget::Some);
        }
        end
    }

    /// The last record may be no whole sector. What O_DIRECT is for is kept: it is on the disk in the end, and in no cache.
    fn leave_direct(&mut self, status: &mut Status) {
        let off = fcntl_getfl(&self.file)
            .and_then(|flags| fcntl_setfl(&self.file, flags - OFlags::DIRECT));
        if let Err(error) = off {
            let what = format!("failed to turn off O_DIRECT: {}", self.name);
            status.warn(&Failed::new(what, error.into()).to_string());
        }
        self.fsync = true;
    }

    /// Writes all of `bytes`, however many calls that takes: how many were written, and what stopped it.
    fn write_whole(&mut self, bytes: &[u8], status: &mut Status) -> (usize, Result<(), Failed>) {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            self.ends_in_hole = false;
            if self.sparse && is_zero(rest) {
                let step = i64::try_from(rest.len()).unwrap_or(i64::MAX);
                match seek(&self.file, SeekFrom::Current(step)) {
                    Ok(offset) => {
                        (self.offset, self.ends_in_hole) = (Some(offset), true);
                        return (bytes.len(), Ok(()));
                    }
                    Err(_) => self.sparse = false,
                }
            }
            let written = status.unless_interrupted(|| rustix::io::write(&self.file, rest));
            let error = match written {
                // Some drivers say that at a device's end.
                Ok(0) => Errno::NOSPC,
                Ok(count) => {
                    done += count;
                    self.offset = self.offset.map(|offset| offset.saturating_add(count as u64));
                    continue;
                }
                Err(error) => error,
            };
            let what = format!("error writing {}", self.name);
            return (done, Err(Failed::new(what, error.into())));
        }
        (done, Ok(()))
    }

    /// Bytes were put into the file without being written.
    pub(crate) fn put(&mut self, bytes: u64) {
        self.offset = self.offset.map(|offset| offset.saturating_add(bytes));
    }

    /// Back to the beginning of a record.
    pub(crate) fn back(&mut self, bytes: u64) -> Result<(), Failed> {
        let Some(offset) = self.offset else { return Ok(()) };
        let target = offset.saturating_sub(bytes);
        self.offset = Some(
            seek(&self.file, SeekFrom::Start(target)).map_err(|error| self.cannot_seek(error))?,
        );
        Ok(())
    }

    /// A file that ends in a hole gets its length, and then all goes to the disk if that was asked for.
    pub(crate) fn finish(&mut self) -> Result<(), Failed> {
        if self.ends_in_hole {
            self.extend()?;
        }
        let failed = |what: &str, name: &str, error: Errno| {
            Failed::new(format!("{what} failed for {name}"), error.into())
        };
        if self.set.fdatasync && !self.fsync {
            match fdatasync(&self.file) {
                // A pipe has nothing that could be synchronized.
                Err(Errno::INVAL | Errno::NOSYS) => self.fsync = true,
                Err(error) => return Err(failed("fdatasync", &self.name, error)),
                Ok(()) => {}
            }
        }
        if self.fsync {
            loop {
                match fsync(&self.file) {
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(failed("fsync", &self.name, error)),
                    Ok(()) => break,
                }
            }
        }
        Ok(())
    }

    fn extend(&self) -> Result<(), Failed> {
        let size = fstat(&self.file).ok().and_then(|stat| u64::try_from(stat.st_size).ok());
        let (Some(offset), Some(size), true) = (self.offset, size, self.is_regular()) else {
            return Ok(());
        };
        if size >= offset {
            return Ok(());
        }
        ftruncate(&self.file, offset).map_err(|error| {
            let name = &self.name;
            let what = format!("failed to truncate to {offset} bytes in output file {name}");
            Failed::new(what, error.into())
        })
    }

    /// Tells the kernel that what was written is not needed in its cache.
    pub(crate) fn forget(&mut self, how: Forget) -> Result<(), Failed> {
        self.cache
            .forget(self.file.as_fd(), self.offset, how)
            .map_err(|e| Failed::new(format!("failed to discard cache for: {}", self.name), e))
    }
}

fn name(set: &Settings) -> &OsStr {
    set.output.as_deref().unwrap_or(OsStr::new("standard output"))
}

/// Nothing but zeros.
fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

impl AsFd for Output<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
