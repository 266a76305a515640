//! Reads archives of `tar`: POSIX's ustar and pax (IEEE Std 1003.1, pax) and GNU's (tar manual, "Basic Tar Format").
//!
//! The library `tar`, which writes ours, splits pax records at line ends, so that it loses attributes whose value has one, and
//! knows only one of the three ways to describe a sparse file.

mod header;
mod sparse;

use super::{Counted, Kind, Member};
use header::{BLOCK, Header, Records};
use sparse::Extent;
use std::{
    ffi::OsString,
    io::{self, BufRead, Read},
    os::unix::ffi::OsStringExt as _,
};

/// Longest name in a member of its own, bytes.
const MAX_NAME: u64 = 1 << 20;

/// Longest extended header, bytes.
const MAX_RECORDS: u64 = 16 << 20;

/// What GNU's and the `pax` program write before the name of an attribute.
const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// An archive; reading from it gives the data of the member that came last.
pub(crate) struct Archive<R> {
    from: R,
    /// Whether there was anything yet, if only zeros.
    pub(crate) begun: bool,
    /// Go on behind blocks of zeros, which are the end otherwise.
    pub(crate) ignore_zeros: bool,
    /// It ended with such a block.
    zeros: bool,
    /// Of the member, in the archive: bytes of data that were not read, and what fills them up to a block.
    stored: u64,
    padding: u64,
    /// Where its data belongs, and how long the file is.
    extents: std::collections::VecDeque<Extent>,
    at: u64,
    size: u64,
    globals: Records,
}

impl<R: BufRead> Archive<R> {
    /// One that begins with the next byte.
    pub(crate) fn new(from: R) -> Self {
        let (extents, globals) = Default::default();
        let (begun, ignore_zeros, zeros) = (false, false, false);
        Self {
            from,
            begun,
            ignore_zeros,
            zeros,
            stored: 0,
            padding: 0,
            extents,
            at: 0,
            size: 0,
            globals,
        }
    }

    /// The next member, unless there is none.
    pub(crate) fn next(&mut self) -> io::Result<Option<Member>> {
        let (mut name, mut link, mut records) = (None, None, Records::default());
        loop {
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = header.size()?;
            match header.kind() {
                b'L' => name = Some(self.text(size)?),
                b'K' => link = Some(self.text(size)?),
                b'x' => records = Records::parse(&self.all(size, MAX_RECORDS)?)?,
                b'g' => self.globals = Records::parse(&self.all(size, MAX_RECORDS)?)?,
                // The archive's own name.
                b'V' => self.hold(size)?,
                b'M' => return Err(invalid("a part of an archive of several volumes")),
                _ => {
                    records.behind(&self.globals);
                    let member = self.member(&header, &records, name, link)?;
                    return Ok(Some(member));
                }
            }
        }
    }

    fn header(&mut self) -> io::Result<Option<Header>> {
        loop {
            let Some(block) = self.block()? else { return Ok(None) };
            if block.iter().any(|byte| *byte != 0) {
                return Header::new(block).map(Some);
            }
            if !self.ignore_zeros {
                self.zeros = true;
                return Ok(None);
            }
        }
    }

    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.from.read(room) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ended()),
                Ok(got) => (filled, self.begun) = (filled + got, true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(block))
    }

    fn member(
        &mut self,
        header: &Header,
        records: &Records,
        name: Option<Vec<u8>>,
        link: Option<Vec<u8>>,
    ) -> io::Result<Member> {
        let path = records.get(b"GNU.sparse.name").or_else(|| records.get(b"path"));
        let path = path.map(<[u8]>::to_vec).or(name).unwrap_or_else(|| header.name());
        let link = records.get(b"linkpath").map(<[u8]>::to_vec).or(link);
        let link = OsString::from_vec(link.unwrap_or_else(|| header.link()));
        let device = || Ok::<_, io::Error>((header.major()?, header.minor()?));
        let kind = match header.kind() {
            b'1' => Kind::Hardlink(link.into()),
            b'2' => Kind::Symlink(link),
            b'3' => device().map(|(major, minor)| Kind::Char(major, minor))?,
            b'4' => device().map(|(major, minor)| Kind::Block(major, minor))?,
            b'6' => Kind::Fifo,
            b'5' | b'D' => Kind::Folder,
            _ if path.ends_with(b"/") => Kind::Folder,
            _ => Kind::File,
        };
        let stored = match (&kind, records.number(b"size")?) {
            // What some programs say of a link is the size of the file, or the length of the name.
            (Kind::Hardlink(_) | Kind::Symlink(_), _) => 0,
            (_, Some(size)) => size,
            (_, None) => header.size()?,
        };
        self.hold(stored)?;
        let extents = self.extents_of(header, records)?;
        let sparse = extents.is_some();
        self.size = extents.as_ref().map_or(stored, |(_, size)| *size);
        self.extents = match extents {
            Some((extents, _)) => extents.into(),
            None => [Extent { at: 0, length: stored }].into(),
        };
        sparse::check(&self.extents, self.stored, self.size)?;
        self.at = 0;
        let text = |key: &[u8], field: Vec<u8>| {
            let bytes = records.get(key).map(<[u8]>::to_vec).unwrap_or(field);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let owner = |key: &[u8], field: io::Result<u64>| match records.number(key)? {
            Some(id) => u32::try_from(id).map_err(|_| invalid("an owner's number is too large")),
            None => u32::try_from(field?).map_err(|_| invalid("an owner's number is too large")),
        };
        let (mtime, nanos) = match records.get(b"mtime") {
            Some(text) => header::time(text)?,
            None => (header.mtime()?, 0),
        };
        let attribute = |(key, value): (&[u8], &[u8])| {
            let name = key.strip_prefix(ATTRIBUTE)?;
            Some((OsString::from_vec(name.to_vec()), value.to_vec()))
        };
        Ok(Member {
            path: OsString::from_vec(path).into(),
            kind,
            mode: header.mode()?,
            uid: owner(b"uid", header.uid())?,
            gid: owner(b"gid", header.gid())?,
            user: text(b"uname", header.user()),
            group: text(b"gname", header.group()),
            mtime,
            nanos,
            size: self.size,
            sparse,
            attributes: records.all().filter_map(attribute).collect(),
            lists: records.all().any(|(key, _)| key.starts_with(b"SCHILY.acl.")),
        })
    }

    /// Of a sparse file: where its data belongs, and its size.
    fn extents_of(
        &mut self,
        header: &Header,
        records: &Records,
    ) -> io::Result<Option<(Vec<Extent>, u64)>> {
        if header.kind() == b'S' {
            let mut extents = header.extents()?;
            let mut more = header.is_extended();
            while more {
                let mut block = [0; BLOCK];
                self.from.read_exact(&mut block).map_err(|_| ended())?;
                more = sparse::more(&block, &mut extents)?;
            }
            return Ok(Some((extents, header.real_size()?)));
        }
        let size = records.number(b"GNU.sparse.realsize")?.or(records.number(b"GNU.sparse.size")?);
        let Some(size) = size else { return Ok(None) };
        if let Some(map) = records.get(b"GNU.sparse.map") {
            return Ok(Some((sparse::map(map)?, size)));
        }
        if records.number(b"GNU.sparse.major")? != Some(1) {
            return Err(invalid(
                "a sparse file in pax format 0.0; make the archive with --sparse-version=1.0",
            ));
        }
        // The map comes before the data, in whole blocks.
        let mut table = (&mut self.from).take(self.stored);
        let extents = sparse::table(&mut table)?;
        self.stored = table.limit();
        Ok(Some((extents, size)))
    }

    /// What follows a header: `size` bytes.
    fn hold(&mut self, size: u64) -> io::Result<()> {
        size.checked_add(BLOCK as u64).ok_or_else(|| invalid("a member of an impossible size"))?;
        self.stored = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
        Ok(())
    }

    /// Goes behind the data of the member.
    pub(crate) fn skip(&mut self) -> io::Result<()> {
        let left = self.stored + self.padding;
        (self.stored, self.padding) = (0, 0);
        self.extents.clear();
        (self.at, self.size) = (0, 0);
        let mut rest = (&mut self.from).take(left);
        while rest.limit() > 0 {
            match rest.fill_buf()?.len() {
                0 => return Err(ended()),
                found => rest.consume(found),
            }
        }
        Ok(())
    }

    fn all(&mut self, size: u64, most: u64) -> io::Result<Vec<u8>> {
        if size > most {
            return Err(invalid("a header that is too long"));
        }
        self.hold(size)?;
        let mut bytes = Vec::new();
        (&mut self.from).take(size).read_to_end(&mut bytes)?;
        self.stored = 0;
        if bytes.len() as u64 == size { Ok(bytes) } else { Err(ended()) }
    }

    fn text(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut bytes = self.all(size, MAX_NAME)?;
        bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        Ok(bytes)
    }
}

impl<R: BufRead> Archive<Counted<R>> {
    /// How far it was read, bytes: to where its end is, when there is no next member.
    pub(crate) fn end(&self) -> u64 {
        self.from.at - if self.zeros { BLOCK as u64 } else { 0 }
    }
}

impl<R: BufRead> Archive<R> {
    /// How many zeros come before the next data.
    fn hole(&self) -> u64 {
        self.extents.front().map_or(self.size, |extent| extent.at).saturating_sub(self.at)
    }
}

impl<R: BufRead> BufRead for Archive<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        while self.extents.front().is_some_and(|extent| extent.length == 0) {
            self.extents.pop_front();
        }
        let cut = |most: u64, len: usize| usize::try_from(most).unwrap_or(usize::MAX).min(len);
        let hole = self.hole();
        if hole > 0 {
            return Ok(ZEROS.get(..cut(hole, ZEROS.len())).unwrap_or_default());
        }
        let Some(extent) = self.extents.front() else { return Ok(&[]) };
        let found = self.from.fill_buf()?;
        if found.is_empty() {
            return Err(ended());
        }
        Ok(found.get(..cut(extent.length, found.len())).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        let bytes = amount as u64;
        if self.hole() == 0
            && let Some(extent) = self.extents.front_mut()
        {
            self.from.consume(amount);
            (extent.at, extent.length) = (extent.at + bytes, extent.length - bytes);
            self.stored -= bytes;
        }
        self.at += bytes;
    }
}

impl<R: BufRead> Read for Archive<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(out)?;
        self.consume(got);
        Ok(got)
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected end of archive")
}

#[cfg(test)]
mod tests;
