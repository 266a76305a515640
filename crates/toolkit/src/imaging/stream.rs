//! Writes an image that is one file, compressed or not, while it comes.
//!
//! Its digest is known to be right only at its end: until then the disk stays marked as unfinished, and
//! both ends are kept back.

use super::{
    client::request,
    marker::{END, Marker},
    mirrors::Place,
    progress::Progress,
    target::{Buffer, Target},
};
use crate::{
    compress::Format,
    http::{
        Error,
        exchange::{Connection, Path as Way},
        transfer::redirection,
        url::Url,
    },
};
use anyhow::{Context as _, bail};
use ring::digest;
use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
    time::Duration,
};
use xenoboot_wire::Digest;

/// How much is written at once, bytes.
const BLOCK: usize = 1 << 20;

const MAX_PAUSE: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: u32 = 5;

/// A file at a server, read on where a connection breaks. Only the digest of the whole can tell
/// whether the parts belong together.
struct Remote {
    url: Url,
    way: Way,
    at: u64,
    length: Option<u64>,
    open: Option<(Connection, u64)>,
    tries: u32,
}

impl Remote {
    fn connect(&mut self) -> Result<(), Error> {
        let mut url = self.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut connection = Connection::open(&url, &self.way)?;
            let range = ("Range".to_owned(), format!("bytes={}-", self.at));
            let fields = if self.at > 0 { vec![range] } else { Vec::new() };
            let (_, head) = connection.ask(&request(&url, fields), &self.way)?;
            let next = redirection(&head, &url).map_err(|_| Error::Weird("a bad redirection"))?;
            if let Some(next) = next {
                url = next;
                continue;
            }
            let left = head.length()?.ok_or(Error::Weird("no length"))?;
            match (head.status, head.range()) {
                (200, _) if self.at == 0 => {}
                (206, Some((from, _))) if from == self.at => {}
                _ => return Err(Error::Weird("the file cannot be had from its middle")),
            }
            if self.length.is_some_and(|length| length != self.at + left) {
                return Err(Error::Weird("the file has another length than before"));
            }
            self.length = Some(self.at + left);
            self.open = Some((connection, left));
            return Ok(());
        }
        Err(Error::Weird("too many redirections"))
    }

    /// Some bytes of the connection that is there, or of a new one.
    fn once(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.length == Some(self.at) {
            return Ok(0);
        }
        if self.open.is_none() {
            self.connect()?;
        }
        let Some((connection, left)) = &mut self.open else { return Ok(0) };
        let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..most).unwrap_or_default();
        let got = connection.stream().read(part).map_err(Error::of_read)?;
        if got == 0 && *left > 0 {
            return Err(Error::Short(*left));
        }
        *left -= got as u64;
        self.at += got as u64;
        Ok(got)
    }
}

impl Read for Remote {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut pause = Duration::from_secs(1);
        let mut tries = self.tries;
        loop {
            match self.once(buffer) {
                Ok(got) => return Ok(got),
                Err(error) if tries > 0 && error.is_transient() => {
                    self.open = None;
                    eprintln!("xb image: {error}; trying again in {} s", pause.as_secs());
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(MAX_PAUSE);
                    tries -= 1;
                }
                Err(error) => return Err(error.into_io()),
            }
        }
    }
}

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

/// Opens a file or URL; its content, and its length if known.
pub(crate) fn open(place: &Place, way: &Way, tries: u32) -> anyhow::Result<(Box<dyn Read>, u64)> {
    match place {
        Place::Path(path) => {
            let file = File::open(path).with_context(|| format!("cannot open {place}"))?;
            let length = file.metadata()?.len();
            Ok((Box::new(file), length))
        }
        Place::Url(url) => {
            let (url, way) = (url.clone(), way.clone());
            let mut remote = Remote { url, way, at: 0, length: None, open: None, tries };
            remote.connect().with_context(|| format!("cannot get {place}"))?;
            let length = remote.length.unwrap_or(0);
            Ok((Box::new(remote), length))
        }
    }
}

/// Writes what comes to the disk. Returns how many bytes of it were written.
pub(crate) fn write(
    from: Box<dyn Read>,
    wanted: Digest,
    target: &Target,
    progress: &std::sync::Arc<Progress>,
) -> anyhow::Result<u64> {
    let marker = Marker::new(target, wanted);
    let hash = Rc::new(RefCell::new(digest::Context::new(&digest::SHA256)));
    let counted = std::sync::Arc::clone(progress);
    let count = Box::new(move |bytes| counted.add(bytes));
    let hashed = Hashed { from, hash: Rc::clone(&hash), count };
    let mut raw = BufReader::with_capacity(256 << 10, hashed);
    let format = Format::of(raw.fill_buf().context("cannot read the image")?);
    marker.set()?;
    target.discard(END, target.size.saturating_sub(2 * END));
    let mut held = Vec::new();
    let size = {
        let mut plain = match format {
            Some(format) => format.reader(&mut raw)?,
            None => Box::new(&mut raw),
        };
        blocks(&mut *plain, target, &marker, &mut held)?
    };
    // What follows the compressed data belongs to what the digest is of.
    io::copy(&mut raw, &mut io::sink()).context("cannot read the image")?;
    let found = Digest::try_from(hash.borrow().clone().finish().as_ref())?;
    if found != wanted {
        bail!(
            "the image is not right: its SHA-256 is {found}, not {wanted}; {} stays marked as unfinished",
            target.path.display()
        );
    }
    target.sync()?;
    for (at, block) in held.iter().rev() {
        if *at == 0 {
            target.sync()?;
        }
        target.write(block, *at).with_context(|| wrong(target, *at))?;
    }
    target.sync()?;
    Ok(size)
}

fn wrong(target: &Target, at: u64) -> String {
    format!("cannot write {} at byte {at}", target.path.display())
}

/// Writes block after block, but for those at the ends.
fn blocks(
    plain: &mut dyn Read,
    target: &Target,
    marker: &Marker,
    held: &mut Vec<(u64, Vec<u8>)>,
) -> anyhow::Result<u64> {
    let (mut buffer, mut at) = (Buffer::new(BLOCK), 0_u64);
    loop {
        let block = buffer.first(BLOCK);
        let mut filled = 0;
        while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
            match plain.read(room) {
                Ok(0) => break,
                Ok(got) => filled += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot read the image"),
            }
        }
        let block = block.get(..filled).unwrap_or_default();
        if block.is_empty() {
            return Ok(at);
        }
        let end = at + block.len() as u64;
        if end > target.size {
            bail!(
                "{} is smaller than the image: it has {} bytes",
                target.path.display(),
                target.size
            );
        }
        if marker.holds(at, block.len() as u64) {
            held.push((at, block.to_vec()));
        } else {
            target.write(block, at).with_context(|| wrong(target, at))?;
        }
        at = end;
    }
}
