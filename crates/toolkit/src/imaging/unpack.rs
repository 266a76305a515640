//! An archive of a root file system, unpacked into one that is new.
//!
//! The archive is kept in that file system until its digest is known to be right: neither decompressor nor archive reader sees
//! anything before. A folder at the top says that it is not finished.

use super::{progress::Progress, spool::Wanted};
use crate::{
    archive::{Extractor, tape::Archive},
    compress, mounts,
};
use anyhow::{Context as _, bail, ensure};
use rustix::fs::statfs;
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};
use xenoboot_wire::Digest;

/// There while the file system is not finished.
const MARK: &str = ".xenoboot-unfinished";

/// In it: the archive's digest, one line; and the archive.
const DIGEST: &str = "sha256";
const ARCHIVE: &str = "archive";

/// What `statfs` says of file systems in memory (statfs(2)).
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Files, folders, links and so on.
    pub(crate) members: u64,
    /// Bytes of files.
    pub(crate) written: u64,
    /// Members whose access control lists were left out.
    pub(crate) lists: u64,
}

/// A folder that may be unpacked into.
pub(crate) struct Place {
    folder: PathBuf,
    /// Whether an earlier try is gone on with.
    pub(crate) resumed: bool,
    /// What is mounted below it.
    mounted: Vec<PathBuf>,
}

impl Place {
    /// Looks at a folder: it must be empty, but for what a new file system has and other mounts, or marked for the same archive.
    pub(crate) fn find(folder: &Path, archive: Digest) -> anyhow::Result<Self> {
        let shown = folder.display();
        let real = fs::canonicalize(folder).with_context(|| format!("no folder {shown}"))?;
        ensure!(real.is_dir(), "{shown} is no folder");
        let kind = u64::try_from(statfs(&real)?.f_type).unwrap_or(0);
        if IN_MEMORY.contains(&kind) && fs::metadata(&real)?.dev() == fs::metadata("/")?.dev() {
            bail!("{shown} is in this system's own memory: mount a file system there first");
        }
        let all = mounts::all()?.into_iter().map(|mount| mount.target);
        let mounted: Vec<PathBuf> =
            all.filter(|target| target.starts_with(&real) && *target != real).collect();
        let mark = real.join(MARK);
        let resumed = match fs::read_to_string(mark.join(DIGEST)) {
            Ok(text) if text.trim() == archive.to_string() => true,
            Ok(text) => bail!(
                "in {shown} another archive ({}) is not finished: make the file system anew",
                text.trim()
            ),
            Err(_) => false,
        };
        if let Some(found) = stranger(&real, &real, &mounted)?.filter(|_| !resumed) {
            bail!("{shown} is not empty, there is {}: make the file system anew", found.display());
        }
        Ok(Self { folder: real, resumed, mounted })
    }

    fn mark(&self, archive: Digest) -> anyhow::Result<PathBuf> {
        let mark = self.folder.join(MARK);
        let made = || {
            if !mark.is_dir() {
                DirBuilder::new().mode(0o700).create(&mark)?;
            }
            fs::write(mark.join(DIGEST), format!("{archive}\n"))?;
            File::open(mark.join(DIGEST))?.sync_all()?;
            File::open(&self.folder)?.sync_all()
        };
        made().with_context(|| format!("cannot mark {} as unfinished", self.folder.display()))?;
        Ok(mark)
    }

    /// Brings the archive there. When it fails, the folder is marked.
    pub(crate) fn fetch(
        &self,
        wanted: &Wanted<'_>,
        progress: &Progress,
    ) -> anyhow::Result<(File, u64)> {
        wanted.fetch(&self.mark(wanted.digest)?.join(ARCHIVE), progress)
    }

    /// Unpacks it, and takes the mark away when everything is on the disk.
    pub(crate) fn fill(&self, archive: File, progress: &Progress) -> anyhow::Result<Report> {
        let report = self.unpack(archive, progress)?;
        self.sync()?;
        let mark = self.folder.join(MARK);
        fs::remove_file(mark.join(ARCHIVE))?;
        fs::remove_dir_all(&mark)?;
        self.sync()?;
        Ok(report)
    }

    fn unpack(&self, file: File, progress: &Progress) -> anyhow::Result<Report> {
        let mut archive = Archive::new(compress::plain(Counted { from: file, progress })?);
        let mut extractor = Extractor::new(self.folder.clone())?;
        extractor.attributes = extractor.owners;
        let mut report = Report::default();
        while let Some(member) = archive.next().context("the archive cannot be read")? {
            let shown = member.path.display();
            let first = member.path.components().find(|part| part.as_os_str() != ".");
            if first.is_some_and(|first| first.as_os_str() == MARK) {
                bail!(
                    "the archive has a {MARK} of its own: it was made of a file system that was not finished"
                );
            }
            let made = extractor.extract(&member, &mut archive);
            made.with_context(|| format!("cannot unpack {shown}"))?;
            report.members += 1;
            report.written += member.size;
            report.lists += u64::from(member.lists);
        }
        ensure!(report.members > 0, "there is nothing in the archive");
        extractor.finish()?;
        Ok(report)
    }

    /// Everything is on the disk when this returns, also in what is mounted below.
    fn sync(&self) -> anyhow::Result<()> {
        for folder in std::iter::once(&self.folder).chain(&self.mounted) {
            let synced = File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
            synced.with_context(|| format!("cannot write {}", folder.display()))?;
        }
        Ok(())
    }
}

/// The first thing in a folder that neither is new nor leads to what is mounted.
fn stranger(top: &Path, folder: &Path, mounted: &[PathBuf]) -> anyhow::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let new = [MARK, "lost+found"].iter().any(|name| path == top.join(name));
        if new || mounted.contains(&path) {
            continue;
        }
        let leads = mounted.iter().any(|target| target.starts_with(&path));
        match leads.then(|| stranger(top, &path, mounted)).transpose()? {
            Some(None) => {}
            Some(found) => return Ok(found),
            None => return Ok(Some(path)),
        }
    }
    Ok(None)
}

struct Counted<'a> {
    from: File,
    progress: &'a Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        self.progress.add(got as u64);
        Ok(got)
    }
}
