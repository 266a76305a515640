//! Files that are read to be packed or unpacked.

use super::{
    gzip::{self, Fault, Head, Members},
    lzw, pack,
    refusals::{Skipped, Why},
};
use crate::applet::reason;
use std::{
    cell::Cell,
    fs::{File, Metadata},
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    rc::Rc,
};

/// A file that is being read.
pub(super) struct Input {
    pub(super) data: Box<dyn BufRead>,
    /// What it was when it was opened: reading changes when it was read last.
    pub(super) meta: Metadata,
    /// Bytes that were read of it.
    pub(super) count: Rc<Cell<u64>>,
}

/// Counts what is read or written.
pub(super) struct Counted<T> {
    pub(super) inner: T,
    pub(super) count: Rc<Cell<u64>>,
}

impl<T> Counted<T> {
    fn add(&self, count: usize) {
        self.count.set(self.count.get() + u64::try_from(count).unwrap_or(0));
    }
}

impl<T: Read> Read for Counted<T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read(out).inspect(|count| self.add(*count))
    }
}

impl<T: Write> Write for Counted<T> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.inner.write(data).inspect(|count| self.add(*count))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What a packed file holds.
pub(super) struct Unpacked<'a> {
    pub(super) data: Box<dyn Read + 'a>,
    pub(super) head: Head,
    /// The method's name in a list.
    pub(super) method: &'static str,
}

/// The method of members of `gzip`.
pub(super) const DEFLATE: &str = "defla";

/// What `gzip` reads: its own files, those of `compress` and of `pack`.
pub(super) fn unpack_gzip(data: &mut dyn BufRead, pass: bool) -> anyhow::Result<Unpacked<'_>> {
    let mut start = Vec::new();
    (&mut *data).take(2).read_to_end(&mut start)?;
    let magic = start.first_chunk().copied();
    let packed = start.first() == Some(&0x1f);
    let data = io::Cursor::new(start).chain(data);
    let head = Head::default();
    Ok(match magic {
        Some(magic) if gzip::MAGICS.contains(&magic) => {
            let members = Members::new(data, pass)?;
            let head = members.head().clone();
            Unpacked { data: Box::new(members), head, method: DEFLATE }
        }
        Some(magic) if magic == lzw::MAGIC => {
            Unpacked { data: Box::new(lzw::Lzw::new(data)?), head, method: "compr" }
        }
        Some(pack::MAGIC) => {
            Unpacked { data: Box::new(pack::Packed::new(data)?), head, method: "pack" }
        }
        None if !pass || packed => return Err(io::Error::from(Fault::End).into()),
        _ if pass => Unpacked { data: Box::new(data), head, method: "" },
        _ => return Err(io::Error::from(Fault::Foreign).into()),
    })
}

/// Takes data for its checksum.
pub(super) struct Summed(pub(super) flate2::Crc);

impl Write for Summed {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn open(path: &Path) -> anyhow::Result<Input> {
    let file = if path == Path::new("-") {
        File::from(rustix::io::dup(rustix::stdio::stdin())?)
    } else {
        File::open(path).map_err(|error| Skipped(reason(&error), Why::NoFile))?
    };
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(Skipped("is a directory -- ignored".into(), Why::Folder).into());
    }
    let count = Rc::new(Cell::new(0));
    let counted = Counted { inner: file, count: Rc::clone(&count) };
    Ok(Input { data: Box::new(BufReader::with_capacity(1 << 17, counted)), meta, count })
}
