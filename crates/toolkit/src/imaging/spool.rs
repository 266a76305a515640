//! A file of a known digest, kept in a file system until it has come and is right.

use super::{mirrors::Place, progress::Progress, remote};
use crate::http::{exchange::Path as Way, transfer::Failure};
use anyhow::{Context as _, bail};
use ring::digest;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};
use xenoboot_wire::Digest;

/// How much is read and written at once, bytes.
const BLOCK: usize = 256 << 10;

/// Which file, and where it can be had.
pub(crate) struct Wanted<'a> {
    /// The places, each with the same file.
    pub(crate) sources: &'a [Place],
    /// How servers are spoken to.
    pub(crate) way: &'a Way,
    /// How often each is asked in a row.
    pub(crate) tries: u32,
    /// The file's digest.
    pub(crate) digest: Digest,
}

impl Wanted<'_> {
    /// Brings it to `path`, where an earlier try may have left its beginning: the file, and how many bytes came now.
    pub(crate) fn fetch(&self, path: &Path, progress: &Progress) -> anyhow::Result<(File, u64)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let shown = path.display();
        let mut file = options.open(path).with_context(|| format!("cannot make {shown}"))?;
        let mut fetched = 0;
        for (number, place) in self.sources.iter().enumerate() {
            match self.from(place, &mut file, progress, &mut fetched) {
                Ok(()) => {
                    file.rewind()?;
                    return Ok((file, fetched));
                }
                Err(error) if number + 1 < self.sources.len() => {
                    eprintln!("xb image: {error:#}; the next source is asked");
                }
                Err(error) => return Err(error),
            }
        }
        bail!("no source")
    }

    fn from(
        &self,
        place: &Place,
        file: &mut File,
        progress: &Progress,
        fetched: &mut u64,
    ) -> anyhow::Result<()> {
        let mut sum = Sum(digest::Context::new(&digest::SHA256));
        file.rewind()?;
        let there = sum.copy(file, &mut io::sink(), &|_| ())?;
        if there > 0 && sum.found()? == self.digest {
            return Ok(());
        }
        let opened = remote::open(place, self.way, there, self.tries);
        let (mut from, length) = match opened {
            Ok(opened) if opened.1 >= there => opened,
            Err(error) if there == 0 || !is_of_the_middle(&error) => return Err(error),
            // What is there may be of another file; and some servers give no parts.
            _ => {
                file.set_len(0)?;
                return self.from(place, file, progress, fetched);
            }
        };
        let room = rustix::fs::fstatvfs(&*file)?;
        let room = room.f_bavail.saturating_mul(room.f_frsize);
        if room < length - there {
            bail!("{place} has {length} bytes, and there is only room for {room} more");
        }
        progress.begin(there, length);
        let count = |bytes| progress.add(bytes);
        let came = sum.copy(&mut *from, file, &count);
        let came = came.with_context(|| format!("cannot fetch {place}"))?;
        *fetched += came;
        let found = sum.found()?;
        if found == self.digest {
            return Ok(());
        }
        file.set_len(0)?;
        if there > 0 {
            return self.from(place, file, progress, fetched);
        }
        bail!("{place} is not right: its SHA-256 is {found}, not {}", self.digest);
    }
}

/// Whether only the beginning can be had.
fn is_of_the_middle(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Failure::Range | Failure::Refused(416)))
}

/// A digest of what passes.
struct Sum(digest::Context);

impl Sum {
    fn copy(
        &mut self,
        from: &mut dyn Read,
        to: &mut dyn io::Write,
        count: &dyn Fn(u64),
    ) -> anyhow::Result<u64> {
        let (mut buffer, mut sum) = (vec![0; BLOCK], 0);
        loop {
            let got = match from.read(&mut buffer) {
                Ok(0) => return Ok(sum),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let part = buffer.get(..got).unwrap_or_default();
            self.0.update(part);
            to.write_all(part).context("cannot keep it")?;
            count(got as u64);
            sum += got as u64;
        }
    }

    fn found(&self) -> anyhow::Result<Digest> {
        Ok(Digest::try_from(self.0.clone().finish().as_ref())?)
    }
}
