//! While an image is being written, no firmware boots the disk.
//!
//! Both ends of the disk lose what firmware looks for: the boot sector with its signature, and both
//! copies of a GPT. A sector that says so is there in their place. The image's own ends come last.

use super::target::Target;
use anyhow::Context as _;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use xenoboot_wire::Digest;

/// How much of either end is taken: more than a GPT of 128 entries has with sectors of any size.
pub(crate) const END: u64 = 64 << 10;

/// `int 0x18`, which asks a BIOS for the next disk; and if it comes back, `hlt` for ever. Some firmware
/// starts a sector without looking for a signature.
const CODE: [u8; 5] = [0xcd, 0x18, 0xf4, 0xeb, 0xfd];

const WORDS: &[u8] = b"\nXenoboot is writing this disk and has not finished. Image ";

/// The first sector of a disk that is not finished.
fn sector(image: &Digest) -> [u8; 512] {
    let mut sector = [0; 512];
    let text = [&CODE[..], WORDS, image.to_string().as_bytes(), b"\n"].concat();
    sector.iter_mut().zip(&text).for_each(|(to, from)| *to = *from);
    sector
}

/// The image that a disk was being made of when it was left.
pub(crate) fn found(target: &Target) -> Option<Digest> {
    let mut sector = [0; 512];
    target.read(&mut sector, 0).ok()?;
    let text = sector.strip_prefix(&CODE)?.strip_prefix(WORDS)?;
    str::from_utf8(text.get(..64)?).ok()?.parse().ok()
}

/// The mark of one image on one disk.
pub(crate) struct Marker<'a> {
    target: &'a Target,
    image: Digest,
    is_there: AtomicBool,
    making: Mutex<()>,
}

impl<'a> Marker<'a> {
    /// That of `image`; it may be there already.
    pub(crate) fn new(target: &'a Target, image: Digest) -> Self {
        let is_there = AtomicBool::new(found(target) == Some(image));
        Self { target, image, is_there, making: Mutex::new(()) }
    }

    /// Whether the disk is marked.
    pub(crate) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Acquire)
    }

    /// Before anything is changed: the mark is on the disk when this returns.
    pub(crate) fn set(&self) -> anyhow::Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let _held = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_there() {
            return Ok(());
        }
        let wrong = || format!("cannot mark {} as unfinished", self.target.path.display());
        let mut head = vec![0; usize::try_from(END.min(self.target.size))?];
        head.iter_mut().zip(sector(&self.image)).for_each(|(to, from)| *to = from);
        // The end first: the other copy of a GPT is believed only when the first one is broken.
        let tail = vec![0; usize::try_from(END.min(self.target.size.saturating_sub(END)))?];
        self.target.write(&tail, self.target.size - tail.len() as u64).with_context(wrong)?;
        self.target.write(&head, 0).with_context(wrong)?;
        self.target.sync()?;
        self.is_there.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether a range of the disk is one of those that come last.
    pub(crate) fn holds(&self, at: u64, length: u64) -> bool {
        at < END || at + length > self.target.size.saturating_sub(END)
    }
}
