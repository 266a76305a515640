//! `cpio -o`: making archives.

use super::{
    Owner, archive, block_size, blocks, folder, keep_time,
    layout::{Fields, Layout, TRAILER},
    metadata, parse, tell, wanted,
    write::{self, Unfit},
};
use crate::{
    applet::{Args, reason, usage_error},
    names::Names,
};
use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, BufWriter, Read, Seek as _, SeekFrom, Write},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

pub(super) fn create(args: &Args) -> anyhow::Result<u8> {
    let (mut layout, hp) = Layout::of(args)?;
    let name = archive(args, "output");
    let mut start = 0;
    let to: Box<dyn Write> = match name {
        Some(name) if args.has("append") => {
            let mut file = File::options().read(true).write(true).open(name)?;
            (start, layout) = parse::end(&file)?;
            file.seek(SeekFrom::Start(start))?;
            Box::new(file)
        }
        Some(name) => Box::new(File::create(name)?),
        None if args.has("append") => return usage_error("-A needs -F ARCHIVE"),
        None => Box::new(io::stdout().lock()),
    };
    let mut output = Output {
        to: BufWriter::with_capacity(1 << 17, to),
        at: start,
        args,
        layout,
        hp,
        owner: Owner::of(args)?,
        names: Names::read(),
        numbers: Numbers::new(args),
        linked: Vec::new(),
        places: HashMap::new(),
        first_names: HashMap::new(),
        status: 0,
    };
    let base = folder(args);
    for (place, name) in wanted(args)?.into_iter().enumerate() {
        let path = base.join(OsStr::from_bytes(&name));
        let shown = String::from_utf8_lossy(&name).into_owned();
        match metadata(args, &path) {
            Err(error) => {
                eprintln!("cpio: {}: Cannot stat: {}", path.display(), reason(&error));
                output.status = 2;
                continue;
            }
            Ok(meta) => {
                let inode = output.numbers.of(&meta);
                output.member(Named { name, path, meta, inode, place })?;
            }
        }
        tell(args, &shown);
    }
    output.finish()?;
    blocks(args, output.at - start)?;
    Ok(output.status)
}

/// What stands for inodes and devices in the archive.
struct Numbers {
    renumber: bool,
    devices: bool,
    next: u64,
    known: HashMap<(u64, u64), u64>,
}

impl Numbers {
    fn new(args: &Args) -> Self {
        let both = args.has("reproducible") || args.has("device-independent");
        Self {
            renumber: both || args.has("renumber-inodes"),
            devices: !both && !args.has("ignore-devno"),
            next: 0,
            known: HashMap::new(),
        }
    }

    fn of(&mut self, meta: &Metadata) -> u64 {
        if !self.renumber {
            return meta.ino();
        }
        let next = self.next;
        let number = match meta.nlink() {
            0..=1 => next,
            _ => *self.known.entry((meta.dev(), meta.ino())).or_insert(next),
        };
        self.next += u64::from(number == next);
        number
    }
}

/// A file by one of its names.
struct Named {
    name: Vec<u8>,
    path: PathBuf,
    meta: Metadata,
    /// In the archive.
    inode: u64,
    /// Among all names.
    place: usize,
}

impl Named {
    fn file(&self) -> (u64, u64) {
        (self.meta.dev(), self.meta.ino())
    }
}

/// A file that cannot be read: the others still can.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreadable(io::Error);

struct Output<'a, W> {
    to: W,
    at: u64,
    args: &'a Args,
    layout: Layout,
    hp: bool,
    owner: Owner,
    names: Names,
    numbers: Numbers,
    /// Names of files that have more names, which may come.
    linked: Vec<Vec<Named>>,
    /// Which of them a file's are.
    places: HashMap<(u64, u64), usize>,
    /// By which name a file of several names is in an archive of `tar`.
    first_names: HashMap<(u64, u64), Vec<u8>>,
    status: u8,
}

impl<W: Write> Output<'_, W> {
    fn copy(&mut self, data: &mut dyn Read) -> io::Result<()> {
        self.at += io::copy(data, &mut self.to)?;
        Ok(())
    }

    fn fill(&mut self, unit: u64) -> io::Result<()> {
        let rest = self.at.next_multiple_of(unit) - self.at;
        self.copy(&mut io::repeat(0).take(rest))
    }

    /// A file of several names waits for the others, where the data comes with the last one.
    fn member(&mut self, file: Named) -> anyhow::Result<()> {
        if !self.layout.data_comes_last() || !file.meta.is_file() || file.meta.nlink() < 2 {
            return self.add(&file, true);
        }
        let (id, links) = (file.file(), file.meta.nlink());
        let at = *self.places.entry(id).or_insert(self.linked.len());
        match self.linked.get_mut(at) {
            Some(names) => names.push(file),
            None => self.linked.push(vec![file]),
        }
        let there = self.linked.get(at).map_or(0, Vec::len);
        if u64::try_from(there)? < links {
            return Ok(());
        }
        self.places.remove(&id);
        let names = self.linked.swap_remove(at);
        if let Some(moved) = self.linked.get(at).and_then(|names| names.first()) {
            self.places.insert(moved.file(), at);
        }
        self.names(&names)
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
        let Err(error) = self.write(file, with_data) else { return Ok(()) };
        let name = String::from_utf8_lossy(&file.name);
        if let Some(unfit) = error.downcast_ref::<Unfit>() {
            // As with GNU's, that is no failure.
            eprintln!("cpio: {name}: {unfit}");
        } else if let Some(unread) = error.downcast_ref::<Unreadable>() {
            eprintln!("cpio: {name}: Cannot open: {}", reason(&unread.0));
            self.status = 2;
        } else {
            return Err(error);
        }
        Ok(())
    }

    fn write(&mut self, file: &Named, with_data: bool) -> anyhow::Result<()> {
        let mut fields = self.fields(file);
        let name = file.name.strip_prefix(b"./").filter(|rest| !rest.is_empty());
        let name = name.unwrap_or(&file.name);
        if self.layout.is_tape() {
            return self.write_tape(file, fields, name);
        }
        let mut data: Box<dyn Read> = Box::new(io::empty());
        if with_data {
            (fields.size, data) = content(&file.path, &file.meta).map_err(Unreadable)?;
        }
        if self.layout == Layout::Crc && with_data && file.meta.is_file() {
            fields.check = sum(&file.path, fields.size).map_err(Unreadable)?;
        }
        let header = write::header(self.layout, self.hp, &fields, name)?;
        self.copy(&mut header.as_slice())?;
        self.fill(self.layout.unit())?;
        self.copy(&mut *data)?;
        if with_data {
            keep_time(self.args, &file.path, &file.meta)?;
        }
        Ok(self.fill(self.layout.unit())?)
    }

    fn write_tape(&mut self, file: &Named, fields: Fields, name: &[u8]) -> anyhow::Result<()> {
        let kind = file.meta.file_type();
        if kind.is_socket() || self.layout == Layout::Tar && !is_plain(kind) {
            eprintln!("cpio: {} not dumped: not a regular file", file.path.display());
            return Ok(());
        }
        let (mut size, mut data): (_, Box<dyn Read>) = (0, Box::new(io::empty()));
        let mut link = None;
        let several = file.meta.nlink() > 1 && !kind.is_dir();
        if let Some(first) = self.first_names.get(&file.file()).filter(|_| several) {
            link = Some((first.clone(), true));
        } else if kind.is_symlink() {
            let target = fs::read_link(&file.path).map_err(Unreadable)?;
            link = Some((target.into_os_string().into_vec(), false));
        } else {
            (size, data) = content(&file.path, &file.meta).map_err(Unreadable)?;
        }
        let fields = Fields { size, ..fields };
        let owners = (
            self.names.user(fields.uid).unwrap_or_default(),
            self.names.group(fields.gid).unwrap_or_default(),
        );
        let to = link.as_ref().map(|(to, hard)| (to.as_slice(), *hard));
        let header = write::tape(self.layout, &fields, name, to, owners)?;
        if several {
            self.first_names.entry(file.file()).or_insert_with(|| name.to_vec());
        }
        self.copy(&mut &header[..])?;
        self.copy(&mut *data)?;
        keep_time(self.args, &file.path, &file.meta)?;
        Ok(self.fill(self.layout.unit())?)
    }

    /// All but the size and the sum.
    fn fields(&self, file: &Named) -> Fields {
        let (meta, kind) = (&file.meta, file.meta.file_type());
        let numbers = |device| (rustix::fs::major(device), rustix::fs::minor(device));
        let special = kind.is_char_device() || kind.is_block_device();
        Fields {
            inode: file.inode,
            mode: meta.mode(),
            uid: self.owner.uid.unwrap_or(meta.uid()),
            gid: self.owner.gid.unwrap_or(meta.gid()),
            links: meta.nlink(),
            mtime: u64::try_from(meta.mtime()).unwrap_or(0),
            device: if self.numbers.devices { numbers(meta.dev()) } else { (0, 0) },
            rdev: if special { numbers(meta.rdev()) } else { (0, 0) },
            ..Fields::default()
        }
    }

    /// The names that waited in vain for others, and the end.
    fn finish(&mut self) -> anyhow::Result<()> {
        let mut names: Vec<Named> =
            std::mem::take(&mut self.linked).into_iter().flatten().collect();
        // From a stack, too: the data comes with the name that was the first.
        names.sort_by_key(|name| std::cmp::Reverse(name.place));
        let mut left: HashMap<_, usize> = HashMap::new();
        names.iter().for_each(|name| *left.entry(name.file()).or_default() += 1);
        for name in &names {
            let count = left.entry(name.file()).or_default();
            *count -= 1;
            let with_data = *count == 0;
            self.add(name, with_data)?;
        }
        if self.layout.is_tape() {
            self.copy(&mut io::repeat(0).take(1024))?;
        } else {
            let end = Fields { links: 1, ..Fields::default() };
            let header = write::header(self.layout, self.hp, &end, TRAILER)?;
            self.copy(&mut header.as_slice())?;
        }
        self.fill(block_size(self.args)?)?;
        Ok(self.to.flush()?)
    }
}

/// What an archive of `tar`, before POSIX, knows.
fn is_plain(kind: fs::FileType) -> bool {
    kind.is_file() || kind.is_dir() || kind.is_symlink()
}

/// The sum of a file's first bytes.
fn sum(path: &Path, size: u64) -> io::Result<u32> {
    let mut data = File::open(path)?.take(size);
    let (mut sum, mut buffer) = (0_u32, vec![0; 1 << 16]);
    loop {
        let got = data.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..got).filter(|bytes| !bytes.is_empty()) else {
            return Ok(sum);
        };
        sum = added(sum, bytes);
    }
}

/// A sum with more bytes in it.
pub(super) fn added(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, byte| sum.wrapping_add(u32::from(*byte)))
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
