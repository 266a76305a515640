//! Writes an image that is one file, compressed or not, while it comes.
//!
//! Its digest is known to be right only at its end: until then the disk stays marked as unfinished, and
//! both ends are kept back. Of a qcow2 image nothing can be written before all of it is there: it waits at the disk's end.

use super::{
    marker::{END, Marker},
    progress::Progress,
    qcow2::{self, Qcow2},
    tail::Tail,
    target::{Buffer, Target},
};
use crate::compress::Format;
use anyhow::{Context as _, bail, ensure};
use ring::digest;
use std::{
    cell::RefCell,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
    sync::Arc,
};
use xenoboot_pack::is_zero;
use xenoboot_wire::Digest;

/// How much is written at once, bytes.
const BLOCK: usize = 1 << 20;

/// Passes bytes on and hashes them.
struct Hashed<R> {
    from: R,
    hash: Rc<RefCell<digest::Context>>,
    count: Box<dyn Fn(u64)>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        self.hash.borrow_mut().update(buffer.get(..got).unwrap_or_default());
        (self.count)(got as u64);
        Ok(got)
    }
}

/// An image that comes as one file of `length` bytes.
pub(crate) struct Stream<'a> {
    /// Its bytes.
    pub(crate) from: Box<dyn Read>,
    pub(crate) length: u64,
    /// Its digest.
    pub(crate) wanted: Digest,
    pub(crate) target: &'a Target,
    pub(crate) progress: Arc<Progress>,
}

impl Stream<'_> {
    /// Writes what comes to the disk. Returns how many bytes of it were written.
    pub(crate) fn write(self) -> anyhow::Result<u64> {
        let Self { from, length, wanted, target, progress } = self;
        let marker = Marker::new(target, wanted);
        let hash = Rc::new(RefCell::new(digest::Context::new(&digest::SHA256)));
        let counted = Arc::clone(&progress);
        let count = Box::new(move |bytes| counted.add(bytes));
        let hashed = Hashed { from, hash: Rc::clone(&hash), count };
        let mut raw = BufReader::with_capacity(256 << 10, hashed);
        let head = raw.fill_buf().context("cannot read the image")?;
        let (format, is_qcow2) = (Format::of(head), head.starts_with(qcow2::MAGIC));
        marker.set()?;
        target.discard(END, target.size.saturating_sub(2 * END));
        let mut blocks = Blocks { target, marker: &marker, held: Vec::new() };
        let size = if is_qcow2 {
            let tail = Tail::fill(target, length, &mut raw)?;
            check(&mut raw, &hash, wanted, target)?;
            blocks.of_qcow2(tail, &progress)?
        } else {
            let size = match format {
                Some(format) => blocks.write(&mut *format.reader(&mut raw)?, &|_| ())?,
                None => blocks.write(&mut raw, &|_| ())?,
            };
            check(&mut raw, &hash, wanted, target)?;
            size
        };
        blocks.finish()?;
        Ok(size)
    }
}

/// Reads to the end; what follows compressed data belongs to what the digest is of.
fn check(
    raw: &mut dyn Read,
    hash: &RefCell<digest::Context>,
    wanted: Digest,
    target: &Target,
) -> anyhow::Result<()> {
    io::copy(raw, &mut io::sink()).context("cannot read the image")?;
    let found = Digest::try_from(hash.borrow().clone().finish().as_ref())?;
    ensure!(
        found == wanted,
        "the image is not right: its SHA-256 is {found}, not {wanted}; {} stays marked as unfinished",
        target.path.display()
    );
    Ok(())
}

fn wrong(target: &Target, at: u64) -> String {
    format!("cannot write {} at byte {at}", target.path.display())
}

/// What is written block after block, but for the blocks at the ends.
struct Blocks<'a> {
    target: &'a Target,
    marker: &'a Marker<'a>,
    held: Vec<(u64, Vec<u8>)>,
}

impl Blocks<'_> {
    /// The content of an image of QEMU, which is verified and at the disk's end.
    fn of_qcow2(&mut self, tail: Tail<'_>, progress: &Progress) -> anyhow::Result<u64> {
        let mut image = Qcow2::open(&tail)?;
        let (shown, size) = (self.target.path.display(), image.size());
        ensure!(
            size <= tail.begin(),
            "{shown} is too small: while an image of {size} bytes is written, it has to hold the qcow2 file of {} as well",
            xenoboot_pack::Source::size(&tail)
        );
        progress.begin(0, size);
        let written = self.write(&mut image, &|bytes| progress.add(bytes))?;
        drop(image);
        tail.forget();
        Ok(written)
    }

    fn write(&mut self, plain: &mut dyn Read, count: &dyn Fn(u64)) -> anyhow::Result<u64> {
        let (mut buffer, mut at) = (Buffer::new(BLOCK), 0_u64);
        let (target, shown) = (self.target, self.target.path.display());
        loop {
            let block = next(plain, buffer.first(BLOCK))?;
            if block.is_empty() {
                return Ok(at);
            }
            if at == 0 && block.starts_with(qcow2::MAGIC) {
                bail!("the image is a qcow2 that was packed once more: unpack it on the server");
            }
            let length = block.len() as u64;
            if at + length > target.size {
                bail!("{shown} is smaller than the image: it has {} bytes", target.size);
            }
            if self.marker.holds(at, length) {
                self.held.push((at, block.to_vec()));
            } else if is_zero(block) {
                target.zero(at, length).with_context(|| wrong(target, at))?;
            } else {
                target.write(block, at).with_context(|| wrong(target, at))?;
            }
            count(length);
            at += length;
        }
    }

    /// The ends, when everything between is on the disk for good; the boot sector last.
    fn finish(self) -> anyhow::Result<()> {
        self.target.sync()?;
        for (at, block) in self.held.iter().rev() {
            if *at == 0 {
                self.target.sync()?;
            }
            self.target.write(block, *at).with_context(|| wrong(self.target, *at))?;
        }
        self.target.sync()
    }
}

/// Fills a block; what there was of it, at the end.
fn next<'a>(from: &mut dyn Read, block: &'a mut [u8]) -> anyhow::Result<&'a [u8]> {
    let mut filled = 0;
    while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot read the image"),
        }
    }
    Ok(block.get(..filled).unwrap_or_default())
}
