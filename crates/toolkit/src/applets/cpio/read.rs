//! `cpio -i` and `-t`: what becomes of the members of archives.

use super::{
    Owner, archive, blocks,
    create::added,
    folder, list,
    parse::{Entry, Input, skip},
    tell, unwanted,
};
use crate::{
    applet::Args,
    archive::{Extractor, Kind, Member, words},
    compress, glob,
    names::Names,
};
use anyhow::Context as _;
use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead, BufWriter, Read, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
};

pub(super) fn read(args: &Args) -> anyhow::Result<u8> {
    let data: Box<dyn Read> = match archive(args, "input") {
        Some(name) => Box::new(File::open(name).with_context(|| name.display().to_string())?),
        None => Box::new(io::stdin()),
    };
    let mut input = Input::new(compress::plain(data)?)?;
    let mut reading = Reading::new(args)?;
    while let Some(entry) = input.next(&reading.names)? {
        reading.one(entry, &mut input)?;
    }
    reading.finish()?;
    blocks(args, input.at())?;
    Ok(reading.status)
}

/// Data that is summed up while it is read.
struct Summed<R> {
    data: R,
    sum: u32,
}

impl<R: BufRead> BufRead for Summed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.data.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is buffered is there still.
        let bytes = self.data.fill_buf().ok().and_then(|bytes| bytes.get(..amount));
        self.sum = added(self.sum, bytes.unwrap_or_default());
        self.data.consume(amount);
    }
}

impl<R: BufRead> Read for Summed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

/// What is done with the members of an archive.
struct Reading<'a> {
    args: &'a Args,
    globs: Vec<OsString>,
    extractor: Extractor,
    owner: Owner,
    names: Names,
    now: i64,
    out: BufWriter<io::StdoutLock<'static>>,
    links: Links,
    status: u8,
}

impl<'a> Reading<'a> {
    fn new(args: &'a Args) -> anyhow::Result<Self> {
        let mut extractor = Extractor::new(folder(args))?;
        extractor.times = args.has("preserve-modification-time");
        // As they were packed, for everyone.
        extractor.modes = true;
        extractor.parents = args.has("make-directories");
        let owner = Owner::of(args)?;
        extractor.owners |= owner.is_given();
        extractor.owners &= !args.has("no-preserve-owner");
        let mut globs = args.operands.clone();
        for file in args.values("pattern-file") {
            let text = fs::read(file).with_context(|| file.display().to_string())?;
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            globs.extend(lines.map(|line| OsStr::from_bytes(line).to_owned()));
        }
        Ok(Self {
            args,
            globs,
            extractor,
            owner,
            names: Names::read(),
            now: jiff::Timestamp::now().as_second(),
            out: BufWriter::new(io::stdout().lock()),
            links: Links::default(),
            status: 0,
        })
    }

    fn is_wanted(&self, member: &Member) -> bool {
        let path = member.path.as_os_str().as_bytes();
        let hit = self.globs.iter().any(|pattern| glob::matches(pattern.as_bytes(), path));
        self.globs.is_empty() || hit != self.args.has("nonmatching")
    }

    fn one(&mut self, mut entry: Entry, input: &mut Input<'_>) -> anyhow::Result<()> {
        if !self.args.has("list") {
            self.owner.give(&mut entry.member, &self.names);
        }
        entry.member.sparse |= self.args.has("sparse");
        let mut body = Summed { data: (&mut *input).take(entry.size), sum: 0 };
        if self.is_wanted(&entry.member)
            && let Err(error) = self.wanted(&entry, &mut body)
        {
            eprintln!("cpio: {}: {}", entry.member.path.display(), words(&error));
            self.status = 2;
        }
        // The data of a file that is wanted may come with a name that is not.
        if entry.size > 0 {
            self.links.data(&mut self.extractor, &entry, &mut body)?;
        }
        io::copy(&mut body, &mut io::sink())?;
        if let Some(said) = entry.check.filter(|said| *said != body.sum && !self.args.has("list")) {
            let path = entry.member.path.display();
            eprintln!("cpio: {path}: checksum error ({:#x}, should be {said:#x})", body.sum);
        }
        entry.size = body.data.limit();
        skip(input, &entry)
    }

    fn wanted(&mut self, entry: &Entry, body: &mut dyn BufRead) -> anyhow::Result<()> {
        let (args, member) = (self.args, &entry.member);
        let path = member.path.as_os_str().as_bytes();
        if args.has("list") {
            let numeric = args.has("numeric-uid-gid");
            let line = match args.has("verbose") {
                true => list::line(member, entry.links, numeric, self.now),
                false => [path, b"\n"].concat(),
            };
            return Ok(self.out.write_all(&line)?);
        }
        if args.has("only-verify-crc") {
            return Ok(());
        }
        tell(args, &member.path.display().to_string());
        if args.has("to-stdout") {
            return Ok(io::copy(body, &mut self.out).map(drop)?);
        }
        if unwanted(args, &self.extractor.root, member) {
            eprintln!(
                "cpio: {} not created: newer or same age version exists",
                member.path.display()
            );
            return Ok(());
        }
        self.links.extract(&mut self.extractor, entry, body)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.links.finish(&mut self.extractor)?;
        self.extractor.finish()?;
        Ok(self.out.flush()?)
    }
}

/// Files of several names, by their device and inode.
#[derive(Default)]
struct Links {
    /// The name that the others are links to.
    made: HashMap<(u64, u64), PathBuf>,
    /// Names that come before the data.
    waiting: HashMap<(u64, u64), Vec<Member>>,
}

impl Links {
    fn extract(
        &mut self,
        to: &mut Extractor,
        entry: &Entry,
        data: &mut dyn BufRead,
    ) -> anyhow::Result<()> {
        let member = &entry.member;
        if entry.links < 2 || member.kind != Kind::File {
            return to.extract(member, data);
        }
        if let Some(first) = self.made.get(&entry.file) {
            let kind = Kind::Hardlink(first.clone());
            return to.extract(&Member { kind, ..member.clone() }, data);
        }
        if member.size == 0 && entry.layout.data_comes_last() {
            self.waiting.entry(entry.file).or_default().push(member.clone());
            return Ok(());
        }
        to.extract(member, data)?;
        for other in self.waiting.remove(&entry.file).unwrap_or_default() {
            let kind = Kind::Hardlink(member.path.clone());
            to.extract(&Member { kind, ..other }, &mut io::empty())?;
        }
        self.made.insert(entry.file, member.path.clone());
        Ok(())
    }

    /// Gives the names that wait their data, which has come.
    fn data(
        &mut self,
        to: &mut Extractor,
        entry: &Entry,
        data: &mut dyn BufRead,
    ) -> anyhow::Result<()> {
        let Some(waiting) = self.waiting.get_mut(&entry.file).filter(|all| !all.is_empty()) else {
            return Ok(());
        };
        let member = Member { size: entry.size, ..waiting.remove(0) };
        let layout = entry.layout;
        let first = Entry { member, layout, check: None, ..*entry };
        self.extract(to, &first, data)
    }

    /// Those without any data: the first is the file, the others are links to it.
    fn finish(&mut self, to: &mut Extractor) -> anyhow::Result<()> {
        for members in std::mem::take(&mut self.waiting).into_values() {
            let mut first = None;
            for member in members {
                let kind = first.clone().map_or(Kind::File, Kind::Hardlink);
                first.get_or_insert_with(|| member.path.clone());
                to.extract(&Member { kind, ..member }, &mut io::empty())?;
            }
        }
        Ok(())
    }
}
