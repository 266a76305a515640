//! Files to load: opened, compared with a digest, decompressed.

use crate::{applet::reason, compress::Format};
use anyhow::{Context as _, bail, ensure};
use ring::digest;
use rustix::fs::{MemfdFlags, memfd_create};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufReader, Read, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};
use xenoboot_wire::Digest;

/// No kernel is larger, and none compressed may become so, bytes.
pub(crate) const LARGEST_KERNEL: u64 = 1 << 30;

/// So much of a kernel's file tells what it is: Multiboot 2 looks through this much.
const HEAD: u64 = 0x8000;

/// The digest that a file must have.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// As the file is named to load it; `None` is the kernel.
    pub(crate) file: Option<OsString>,
    /// What is expected.
    pub(crate) digest: Digest,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Input {
    path: PathBuf,
    pub(crate) file: File,
    pub(crate) size: u64,
}

impl Input {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let failed = |error: &io::Error| format!("{}: {}", path.display(), reason(error));
        let file = File::open(path).map_err(|e| anyhow::anyhow!(failed(&e)))?;
        let about = file.metadata()?;
        ensure!(about.is_file(), "{}: not a regular file", path.display());
        Ok(Self { path: path.to_owned(), file, size: about.len() })
    }

    /// How it was named.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Its first bytes, all if it has fewer.
    pub(crate) fn head(&self) -> anyhow::Result<Vec<u8>> {
        let mut head = vec![0; usize::try_from(self.size.min(HEAD))?];
        self.file.read_exact_at(&mut head, 0).with_context(|| self.name())?;
        Ok(head)
    }

    /// All of it; a kernel, of which no more than [`LARGEST_KERNEL`] is read.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<u8>> {
        ensure!(self.size <= LARGEST_KERNEL, "{}: larger than 1 GiB", self.name());
        let mut data = Vec::with_capacity(usize::try_from(self.size)?);
        self.append_to(&mut data)?;
        Ok(data)
    }

    /// Reads it to the end of `data`.
    pub(crate) fn append_to(&self, data: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut from = &self.file;
        from.seek(SeekFrom::Start(0))?;
        let read = from.take(self.size).read_to_end(data).with_context(|| self.name())?;
        ensure!(read as u64 == self.size, "{}: it was changed while it was read", self.name());
        Ok(())
    }

    /// Compares it with the digests that are expected of it.
    pub(crate) fn check(&self, expected: &[Expected], kernel: bool) -> anyhow::Result<()> {
        let of_this = expected.iter().filter(|expected| match &expected.file {
            Some(file) => file == self.path.as_os_str(),
            None => kernel,
        });
        let mut found = None;
        for expected in of_this {
            let found = match found {
                Some(found) => found,
                None => *found.insert(self.digest()?),
            };
            if found != expected.digest {
                bail!(
                    "{}: its SHA-256 is {found}, expected {}: it is not loaded",
                    self.name(),
                    expected.digest
                );
            }
        }
        Ok(())
    }

    fn digest(&self) -> anyhow::Result<Digest> {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut block = vec![0; 1 << 16];
        let mut from = &self.file;
        from.seek(SeekFrom::Start(0))?;
        loop {
            let count = from.read(&mut block).with_context(|| self.name())?;
            let Some(read @ [_, ..]) = block.get(..count) else { break };
            context.update(read);
        }
        from.seek(SeekFrom::Start(0))?;
        Ok(Digest(context.finish().as_ref().try_into()?))
    }

    /// The file itself, or, where it is compressed as a whole, what it becomes, in memory.
    pub(crate) fn unpacked(self) -> anyhow::Result<Self> {
        let Some(format) = Format::of(&self.head()?) else { return Ok(self) };
        let mut plain = File::from(memfd_create("kernel", MemfdFlags::CLOEXEC)?);
        let reader = format.reader(BufReader::new(&self.file));
        let copied =
            reader.and_then(|data| io::copy(&mut data.take(LARGEST_KERNEL + 1), &mut plain));
        let size = copied.map_err(|e| {
            anyhow::anyhow!("{}: cannot be decompressed: {}", self.name(), reason(&e))
        })?;
        ensure!(size <= LARGEST_KERNEL, "{}: becomes larger than 1 GiB", self.name());
        plain.seek(SeekFrom::Start(0))?;
        Ok(Self { path: self.path, file: plain, size })
    }
}
