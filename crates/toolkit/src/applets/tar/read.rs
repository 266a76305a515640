//! `tar -x` and `-t`: what becomes of the members of archives.

use super::{
    Filter,
    checkpoint::Checkpoints,
    compare::compare,
    index,
    matching::{Excludes, Matching},
    member::record_size,
    named::{last_folder, named},
    transform, transformed,
};
use crate::{
    applet::{Args, usage_error},
    archive::{Existing, Extractor, Kind, Listing, Member, shown, tape, words},
    compress, glob,
    names::Numbers,
    sed::{Target, Transform},
};
use anyhow::Context as _;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

pub(super) fn read(args: &Args) -> anyhow::Result<u8> {
    let file = args.value("file").unwrap_or(OsStr::new("-"));
    let input = match file == "-" {
        true => File::from(rustix::io::dup(rustix::stdio::stdin())?),
        false => File::open(file).with_context(|| format!("{}: Cannot open", file.display()))?,
    };
    let Some(mut filter) = Filter::of(args)? else {
        return Reading::new(args)?.all(args, compress::plain(input)?);
    };
    let running = filter.command.arg("-d").stdin(input).stdout(Stdio::piped()).spawn();
    let mut running = running.map_err(|error| filter.failed(error))?;
    let output = running.stdout.take().context("no pipe")?;
    let status =
        Reading::new(args)?.all(args, Box::new(BufReader::with_capacity(1 << 17, output)))?;
    filter.end(running)?;
    Ok(status)
}

/// A name that was asked for.
struct Wanted {
    name: OsString,
    how: Matching,
    /// With what is below it.
    recurse: bool,
    /// Where it is extracted to: which of the places.
    place: usize,
    found: u64,
}

/// What to do with the members of an archive.
pub(super) struct Reading {
    names: Vec<Wanted>,
    /// Which of the members of a name counts; 0: all of them.
    occurrence: u64,
    excludes: Excludes,
    extract: bool,
    /// Where members become files, and how; or with whose files they are compared.
    places: Vec<(PathBuf, Option<Extractor>)>,
    /// With -d: whether files differ so far.
    differs: Option<bool>,
    times: bool,
    /// Extended attributes that are extracted, and that are not.
    attributes: [Vec<Vec<u8>>; 2],
    stdout: bool,
    verbose: bool,
    strip: usize,
    transform: Option<Transform>,
    /// The folder of --one-top-level.
    top: Option<PathBuf>,
    show_transformed: bool,
    ignore_zeros: bool,
    listing: Listing,
    /// Where names are printed, if not to standard output.
    index: Option<File>,
    numeric: bool,
    numbers: Numbers,
}

impl Reading {
    /// Whether times do not count, with -d.
    pub(super) fn ignores_times(&self) -> bool {
        !self.times
    }

    fn new(args: &Args) -> anyhow::Result<Self> {
        let differs = (args.has("diff") || args.has("compare")).then_some(false);
        let extract = !args.has("list") && differs.is_none();
        let mut places = Vec::new();
        let names = wanted(args, &mut places)?;
        if args.has("occurrence") && names.is_empty() {
            return usage_error("--occurrence is meaningless without a file list");
        }
        let place = |base: PathBuf| {
            let root = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base.clone() };
            let extractor = extract.then(|| extractor(args, root)).transpose()?;
            Ok::<_, anyhow::Error>((base, extractor))
        };
        let masks = |option: &'static str| {
            args.values(option).map(|mask| mask.as_bytes().to_vec()).collect()
        };
        Ok(Self {
            names,
            occurrence: match args.value("occurrence").map(OsStr::is_empty) {
                None => 0,
                Some(true) => 1,
                Some(false) => args.number("occurrence")?.unwrap_or(1),
            },
            excludes: Excludes::new(args)?,
            extract,
            places: places
                .into_iter()
                .filter(|_| !args.has("list"))
                .map(place)
                .collect::<Result<_, _>>()?,
            differs,
            times: !args.has("touch"),
            attributes: [masks("xattrs-include"), masks("xattrs-exclude")],
            stdout: args.has("to-stdout"),
            verbose: args.has("verbose"),
            strip: args.number("strip-components")?.unwrap_or(0),
            transform: transform(args)?,
            top: top(args)?,
            show_transformed: args.has("show-transformed-names"),
            ignore_zeros: args.has("ignore-zeros"),
            index: index(args)?,
            listing: Listing::new(args.has("numeric-owner"), args.has("full-time")),
            numeric: args.has("numeric-owner"),
            numbers: Numbers::default(),
        })
    }

    fn all(&mut self, args: &Args, data: Box<dyn BufRead + '_>) -> anyhow::Result<u8> {
        let checkpoints = Checkpoints::of(args, "Read", record_size(args)?)?;
        let mut archive = tape::Archive::new(Watched { data, checkpoints });
        archive.ignore_zeros = self.ignore_zeros;
        let mut out: Box<dyn Write> = match &self.index {
            Some(index) => Box::new(BufWriter::new(index.try_clone()?)),
            None => Box::new(BufWriter::new(io::stdout().lock())),
        };
        let mut failed = false;
        while let Some(member) = archive.next().context("This does not look like a tar archive")? {
            let member = self.owned(member);
            let Some(place) = self.selected(member.path.as_os_str().as_bytes()) else { continue };
            if let Err(error) = self.one(member.clone(), place, &mut archive, &mut out) {
                out.flush()?;
                eprintln!("tar: {}: {}", member.path.display(), words(&error));
                failed = true;
            }
        }
        out.flush()?;
        if !archive.begun {
            eprintln!("tar: This does not look like a tar archive");
            failed = true;
        }
        for extractor in self.places.iter_mut().filter_map(|(_, extractor)| extractor.as_mut()) {
            extractor.finish()?;
        }
        for wanted in self.names.iter().filter(|wanted| wanted.found < self.occurrence.max(1)) {
            eprintln!("tar: {}: Not found in archive", wanted.name.display());
            failed = true;
        }
        if failed {
            eprintln!("tar: Exiting with failure status due to previous errors");
        }
        Ok(match self.differs {
            _ if failed => 2,
            Some(true) => 1,
            _ => 0,
        })
    }

    /// Where a member belongs, if it is wanted.
    fn selected(&mut self, path: &[u8]) -> Option<usize> {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let mut place = self.names.is_empty().then_some(0);
        for wanted in &mut self.names {
            let name = wanted.name.as_bytes();
            let name = name.strip_suffix(b"/").unwrap_or(name);
            if wanted.how.fits(name, path, wanted.recurse) {
                wanted.found += 1;
                let counts = self.occurrence == 0 || wanted.found == self.occurrence;
                place = place.or(counts.then_some(wanted.place));
            }
        }
        // What was asked for and is left out has been found all the same.
        place.filter(|_| !self.excludes.has(path))
    }

    fn one(
        &mut self,
        mut member: Member,
        place: usize,
        data: &mut dyn BufRead,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let [included, left_out] = &self.attributes;
        let fits = |masks: &[Vec<u8>], name: &OsStr| {
            masks.iter().any(|mask| glob::matches(mask, name.as_bytes()))
        };
        member.attributes.retain(|(name, _)| {
            (included.is_empty() || fits(included, name)) && !fits(left_out, name)
        });
        let original = member.path.clone();
        if self.differs.is_some() {
            self.renamed(&mut member);
            if self.verbose {
                out.write_all(&[&shown(member.path.as_os_str())[..], b"\n"].concat())?;
            }
            let base = self.places.get(place).map(|(base, _)| base.clone()).unwrap_or_default();
            let (differs, lines) = compare(self, &member, &base, data)?;
            self.differs = self.differs.map(|before| before || differs);
            return Ok(out.write_all(&lines)?);
        }
        if self.stdout || !self.extract && !self.show_transformed {
            self.print(&member, out)?;
        }
        if self.extract && self.stdout {
            if member.kind == Kind::File {
                io::copy(data, out)?;
            }
            return Ok(());
        }
        self.renamed(&mut member);
        if !self.extract {
            return if self.show_transformed { self.print(&member, out) } else { Ok(()) };
        }
        if member.path.as_os_str().is_empty() {
            return Ok(());
        }
        let path = std::mem::replace(&mut member.path, original);
        let shown = if self.show_transformed { path.clone() } else { member.path.clone() };
        self.print(&Member { path: shown, ..member.clone() }, out)?;
        member.path = path;
        match self.places.get_mut(place) {
            Some((_, Some(extractor))) => extractor.extract(&member, data),
            _ => Ok(()),
        }
    }

    /// A line of -t, or of -v.
    fn print(&mut self, member: &Member, out: &mut impl Write) -> anyhow::Result<()> {
        if !self.extract && self.verbose {
            out.write_all(&self.listing.line(member))?;
        } else if !self.extract || self.verbose {
            out.write_all(&[&shown(member.path.as_os_str())[..], b"\n"].concat())?;
        }
        Ok(())
    }

    /// Gives a member the names that the options make of its own; an empty one if nothing is left.
    fn renamed(&self, member: &mut Member) {
        if let Some(transform) = &self.transform {
            let new = |name: &OsStr, target| transformed(transform, name, target);
            member.path = new(member.path.as_os_str(), Target::File).into();
            match &mut member.kind {
                Kind::Hardlink(target) => {
                    *target = new(target.as_os_str(), Target::Hardlink).into()
                }
                Kind::Symlink(target) => *target = new(target, Target::Symlink),
                _ => {}
            }
        }
        if self.strip > 0 {
            member.path = stripped(&member.path, self.strip);
            if let Kind::Hardlink(target) = &mut member.kind {
                *target = stripped(target, self.strip);
            }
        }
        if let Some(top) = &self.top
            && !member.path.as_os_str().is_empty()
        {
            let below = |path: &Path| {
                let path = path.strip_prefix("/").unwrap_or(path);
                let path = path.strip_prefix(".").unwrap_or(path);
                if path.starts_with(top) { path.to_owned() } else { top.join(path) }
            };
            member.path = below(&member.path);
            if let Kind::Hardlink(target) = &mut member.kind {
                *target = below(target);
            }
        }
    }

    /// With the owners that this system has for the names.
    fn owned(&mut self, mut member: Member) -> Member {
        if !self.numeric {
            member.uid = self.numbers.uid(&member.user).unwrap_or(member.uid);
            member.gid = self.numbers.gid(&member.group).unwrap_or(member.gid);
        }
        member
    }
}

/// An archive as it is read, with signs of life.
struct Watched<R> {
    data: R,
    checkpoints: Option<Checkpoints>,
}

impl<R: BufRead> BufRead for Watched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.data.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.data.consume(amount);
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.count(amount as u64);
        }
    }
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

/// The folder that --one-top-level puts everything in: as it says, or of the archive's name.
fn top(args: &Args) -> anyhow::Result<Option<PathBuf>> {
    let Some(given) = args.value("one-top-level") else { return Ok(None) };
    if !given.is_empty() {
        return Ok(Some(given.into()));
    }
    let file = args.value("file").map(Path::new).and_then(Path::file_name).unwrap_or_default();
    let mut name = file.as_bytes();
    let endings: [&[u8]; 5] = [b".gz", b".bz2", b".xz", b".zst", b".Z"];
    name = endings.iter().find_map(|ending| name.strip_suffix(*ending)).unwrap_or(name);
    let endings: [&[u8]; 6] = [b".tar", b".tgz", b".tbz2", b".tbz", b".txz", b".tzst"];
    match endings.iter().find_map(|ending| name.strip_suffix(*ending)) {
        Some(name) if !name.is_empty() => Ok(Some(OsStr::from_bytes(name).into())),
        _ => usage_error(
            "Cannot deduce top-level directory name; please set it explicitly with --one-top-level=DIR",
        ),
    }
}

fn stripped(path: &Path, count: usize) -> PathBuf {
    path.components().skip(count).collect()
}

/// What was asked for, and where it goes: the folders are put into `places`, the first for all if nothing is named.
fn wanted(args: &Args, places: &mut Vec<PathBuf>) -> anyhow::Result<Vec<Wanted>> {
    let mut how = Matching::MEMBERS;
    args.all().for_each(|(option, _)| how.take(option));
    let mut names = Vec::new();
    for named in named(args)? {
        let known = places.iter().position(|place| *place == named.base);
        let place = known.unwrap_or(places.len());
        if known.is_none() {
            places.push(named.base);
        }
        let (name, recurse) = (named.name, named.recurse);
        names.push(Wanted { name, how, recurse, place, found: 0 });
    }
    if names.is_empty() {
        places.push(last_folder(args));
    }
    Ok(names)
}

fn extractor(args: &Args, root: PathBuf) -> anyhow::Result<Extractor> {
    let mut extractor = Extractor::new(root)?;
    extractor.times = !args.has("touch");
    let existing = [
        ("keep-old-files", Existing::Kept),
        ("skip-old-files", Existing::Skipped),
        ("keep-newer-files", Existing::KeptIfNewer),
        ("overwrite", Existing::Overwritten),
    ];
    if let Some((_, existing)) = existing.into_iter().find(|(option, _)| args.has(option)) {
        extractor.existing = existing;
    }
    extractor.owners = (extractor.owners || args.has("same-owner")) && !args.has("no-same-owner");
    extractor.modes =
        (extractor.modes || args.has("preserve-permissions") || args.has("same-permissions"))
            && !args.has("no-same-permissions");
    extractor.attributes = args.has("xattrs") || args.has("xattrs-include");
    extractor.keep_folders = args.has("no-overwrite-dir");
    Ok(extractor)
}
