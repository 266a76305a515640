//! `cpio -o`: archives in the form "newc".

use super::{Owner, Unreadable, blocks, folder, wanted};
use crate::applet::{Args, reason, usage_error};
use anyhow::Context as _;
use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, BufWriter, Read, Write},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

pub(super) fn create(args: &Args) -> anyhow::Result<u8> {
    if args.text("format")?.is_some_and(|format| format != "newc") {
        return usage_error("only -H newc can be written");
    }
    let owner = Owner::of(args)?;
    let to: Box<dyn Write> = match args.value("file") {
        Some(name) => Box::new(File::create(name)?),
        None => Box::new(io::stdout().lock()),
    };
    let to = BufWriter::with_capacity(1 << 17, to);
    let mut archive = Output { to, at: 0, owner, linked: Vec::new(), status: 0 };
    let base = folder(args);
    for name in wanted(args)? {
        let path = base.join(OsStr::from_bytes(&name));
        let shown = String::from_utf8_lossy(&name).into_owned();
        match fs::symlink_metadata(&path) {
            Err(error) => {
                eprintln!("cpio: {}: Cannot stat: {}", path.display(), reason(&error));
                archive.status = 2;
                continue;
            }
            Ok(meta) => archive.member(Named { name, path, meta })?,
        }
        if args.has("verbose") {
            eprintln!("{shown}");
        }
    }
    archive.finish()?;
    blocks(args, archive.at);
    Ok(archive.status)
}

/// A file by one of its names.
struct Named {
    name: Vec<u8>,
    path: PathBuf,
    meta: Metadata,
}

impl Named {
    fn same_file(&self, other: &Self) -> bool {
        (self.meta.dev(), self.meta.ino()) == (other.meta.dev(), other.meta.ino())
    }
}

struct Output<W> {
    to: W,
    at: u64,
    owner: Owner,
    /// Names of files that have more names, which may come.
    linked: Vec<Vec<Named>>,
    status: u8,
}

impl<W: Write> Output<W> {
    fn copy(&mut self, data: &mut dyn Read) -> io::Result<()> {
        self.at += io::copy(data, &mut self.to)?;
        Ok(())
    }

    fn align(&mut self) -> io::Result<()> {
        let rest = (4 - self.at % 4) % 4;
        self.copy(&mut io::repeat(0).take(rest))
    }

    /// The fields up to rdevminor, and the name.
    fn header(&mut self, fields: &[u64; 11], name: &[u8]) -> anyhow::Result<()> {
        let mut text = String::from("070701");
        for field in fields {
            let field = u32::try_from(*field).context("too large for the format")?;
            text.push_str(&format!("{field:08X}"));
        }
        text.push_str(&format!("{:08X}{:08X}", name.len() + 1, 0));
        self.copy(&mut text.as_bytes())?;
        self.copy(&mut name.chain(&b"\0"[..]))?;
        Ok(self.align()?)
    }

    /// A file of several names waits for the others: the data comes with the last one.
    fn member(&mut self, file: Named) -> anyhow::Result<()> {
        if !file.meta.is_file() || file.meta.nlink() < 2 {
            return self.add(&file, true);
        }
        let known =
            self.linked.iter().position(|names| names.first().is_some_and(|n| n.same_file(&file)));
        let (at, links) = (known.unwrap_or(self.linked.len()), file.meta.nlink());
        match self.linked.get_mut(at) {
            Some(names) => names.push(file),
            None => self.linked.push(vec![file]),
        }
        let complete = self.linked.get(at).map_or(0, Vec::len);
        if u64::try_from(complete)? == links {
            let names = self.linked.swap_remove(at);
            self.names(&names)?;
        }
        Ok(())
    }

    fn names(&mut self, names: &[Named]) -> anyhow::Result<()> {
        let Some((last, others)) = names.split_last() else { return Ok(()) };
        // GNU's takes them from a stack.
        for name in others.iter().rev() {
            self.add(name, false)?;
        }
        self.add(last, true)
    }

    fn add(&mut self, file: &Named, with_data: bool) -> anyhow::Result<()> {
        match self.write(file, with_data) {
            Ok(()) => Ok(()),
            Err(error) => {
                let Some(unread) = error.downcast_ref::<Unreadable>() else { return Err(error) };
                eprintln!("cpio: {}: Cannot open: {}", file.path.display(), reason(&unread.0));
                self.status = 2;
                Ok(())
            }
        }
    }

    fn write(&mut self, file: &Named, with_data: bool) -> anyhow::Result<()> {
        let (meta, kind) = (&file.meta, file.meta.file_type());
        let (size, mut data) = match with_data {
            true => content(&file.path, meta).map_err(Unreadable)?,
            false => (0, Box::new(io::empty()) as Box<dyn Read>),
        };
        let (device, special) = (meta.dev(), kind.is_char_device() || kind.is_block_device());
        let rdev = if special { meta.rdev() } else { 0 };
        let fields = [
            meta.ino() & 0xffff_ffff,
            meta.mode().into(),
            self.owner.uid.unwrap_or(meta.uid()).into(),
            self.owner.gid.unwrap_or(meta.gid()).into(),
            meta.nlink(),
            u64::try_from(meta.mtime()).unwrap_or(0),
            size,
            rustix::fs::major(device).into(),
            rustix::fs::minor(device).into(),
            rustix::fs::major(rdev).into(),
            rustix::fs::minor(rdev).into(),
        ];
        let short = file.name.strip_prefix(b"./").filter(|rest| !rest.is_empty());
        self.header(&fields, short.unwrap_or(&file.name))?;
        self.copy(&mut *data)?;
        Ok(self.align()?)
    }

    /// The names that waited in vain for others, and the end.
    fn finish(&mut self) -> anyhow::Result<()> {
        for names in std::mem::take(&mut self.linked) {
            self.names(&names)?;
        }
        self.header(&[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], b"TRAILER!!!")?;
        let rest = (512 - self.at % 512) % 512;
        self.copy(&mut io::repeat(0).take(rest))?;
        Ok(self.to.flush()?)
    }
}

/// A file's data with its size.
fn content(path: &Path, meta: &Metadata) -> io::Result<(u64, Box<dyn Read>)> {
    if meta.is_file() {
        let file = File::open(path)?;
        // A file that grows or shrinks meanwhile gets the size that its header says.
        return Ok((meta.size(), Box::new(file.chain(io::repeat(0)).take(meta.size()))));
    }
    if meta.is_symlink() {
        let target = fs::read_link(path)?.into_os_string().into_vec();
        let size = u64::try_from(target.len()).unwrap_or(0);
        return Ok((size, Box::new(io::Cursor::new(target))));
    }
    Ok((0, Box::new(io::empty())))
}
