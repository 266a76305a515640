//! Where an image's files come from: folders and servers, of which some may be broken or lie.

use super::client::Client;
use crate::{
    applet::usage_error,
    http::{exchange::Path as Way, transfer::Failure, url::Url},
};
use anyhow::{Context as _, bail};
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use xenoboot_pack::{
    Index, Page, Sum,
    index::{self, MAX_FILE},
    store::{Kind, path},
};
use xenoboot_wire::Digest;

/// The longest pause between rounds.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// How often what no mirror has, or all have wrong, is asked for again.
const HOPELESS: u32 = 2;

/// A place with files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder or a file in it.
    Path(PathBuf),
    /// The same at a server.
    Url(Url),
}

impl Place {
    /// Reads an operand.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        if text.contains("://") {
            return Ok(Self::Url(Url::parse(text)?));
        }
        if text.is_empty() {
            return usage_error("an empty SOURCE");
        }
        Ok(Self::Path(PathBuf::from(text)))
    }

    /// Whether it names a folder: with a slash at its end, or one that is there.
    pub(crate) fn is_folder(&self) -> bool {
        match self {
            Self::Path(path) => {
                path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir()
            }
            Self::Url(url) => url.target.ends_with('/'),
        }
    }

    /// Whether it names a raw image: a file that is no root index, or a URL that ends like one.
    pub(crate) fn is_raw(&self) -> bool {
        const ENDS: [&str; 10] =
            [".raw", ".img", ".iso", ".dd", ".bin", ".gz", ".xz", ".zst", ".bz2", ".qcow2"];
        match self {
            Self::Path(path) => {
                let mut head = [0; 16];
                let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
                path.is_file() && !(read.is_ok() && Index::is_one(&head))
            }
            Self::Url(url) => {
                let path = url.target.split('?').next().unwrap_or_default();
                ENDS.iter().any(|end| path.ends_with(end))
            }
        }
    }

    /// The folder that a file is in.
    fn folder(&self) -> Self {
        match self {
            _ if self.is_folder() => self.clone(),
            Self::Path(path) => Self::Path(path.parent().unwrap_or(Path::new("")).to_owned()),
            Self::Url(url) => {
                let path = url.target.split('?').next().unwrap_or_default();
                let end = path.rfind('/').map_or(0, |slash| slash + 1);
                let target = path.get(..end).unwrap_or_default().to_owned();
                Self::Url(Url { target, ..url.clone() })
            }
        }
    }

    fn join(&self, name: &str) -> anyhow::Result<Self> {
        Ok(match self {
            Self::Path(path) => Self::Path(path.join(name)),
            Self::Url(url) => Self::Url(url.join(name)?),
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}

/// Why one mirror did not give a file.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// By HTTP.
    #[error(transparent)]
    Http(#[from] Failure),
    /// From a folder.
    #[error("{}", crate::applet::reason(.0))]
    File(#[from] std::io::Error),
    /// It gave something else.
    #[error(transparent)]
    Other(#[from] index::Error),
    /// It gave another root index.
    #[error("its SHA-256 is {found}, not {wanted}")]
    Root {
        /// What came.
        found: Digest,
        /// What was asked for.
        wanted: Digest,
    },
}

impl Refusal {
    /// Whether asking again later may help.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Http(failure) if failure.may_pass())
    }
}

struct Mirror {
    place: Place,
    /// How often it did not give what it was asked for.
    failures: AtomicU64,
}

/// The places, how they are spoken to, and what came from them.
pub(crate) struct Mirrors {
    mirrors: Vec<Mirror>,
    way: Way,
    /// Rounds through all mirrors for each file.
    rounds: u32,
    quiet: bool,
    /// Bytes that came.
    pub(crate) fetched: AtomicU64,
    stop: AtomicBool,
    waiting: (Mutex<()>, Condvar),
}

impl Mirrors {
    /// The folders of `sources`.
    pub(crate) fn new(sources: &[Place], way: Way, rounds: u32, quiet: bool) -> Self {
        let mirror = |place: &Place| Mirror { place: place.folder(), failures: AtomicU64::new(0) };
        let mirrors = sources.iter().map(mirror).collect();
        let (fetched, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let waiting = (Mutex::new(()), Condvar::new());
        Self { mirrors, way, rounds, quiet, fetched, stop, waiting }
    }

    /// Another connection.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.way.clone())
    }

    /// Nothing more is wanted: whoever waits or asks gives up.
    pub(crate) fn stop(&self) {
        let _held = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.store(true, Ordering::Relaxed);
        self.waiting.1.notify_all();
    }

    /// Whether somebody said so.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The root index: the first of `sources` that has the right one.
    pub(crate) fn root(
        &self,
        sources: &[Place],
        digest: Option<Digest>,
    ) -> anyhow::Result<Vec<u8>> {
        let mut client = self.client();
        let named: Vec<&Place> = sources.iter().filter(|place| !place.is_folder()).collect();
        let ask = |client: &mut Client, place: &Place| {
            let bytes = self.get(client, place, MAX_FILE as u64)?;
            let found = Digest::of(&bytes);
            match digest.filter(|wanted| *wanted != found) {
                Some(wanted) => Err(Refusal::Root { found, wanted }),
                None => Ok(bytes),
            }
        };
        let all: Vec<(usize, &Place)> = named.into_iter().enumerate().collect();
        self.rounds(&all, "the root index", |_, place| ask(&mut client, place))
    }

    /// A page.
    pub(crate) fn page(
        &self,
        client: &mut Client,
        index: &Index,
        page: u64,
    ) -> anyhow::Result<Page> {
        let digest = usize::try_from(page).ok().and_then(|page| index.pages.get(page));
        let digest = digest.context("no such page")?;
        let file = self.file(client, Kind::Page, digest, MAX_FILE as u64)?;
        index.page(page, &file).with_context(|| format!("page {page} of the image"))
    }

    /// A file that has the right digest.
    pub(crate) fn file(
        &self,
        client: &mut Client,
        kind: Kind,
        digest: &Sum,
        most: u64,
    ) -> anyhow::Result<index::File> {
        let name = path(kind, digest);
        let mut order: Vec<(usize, &Mirror)> = self.mirrors.iter().enumerate().collect();
        order.sort_by_key(|(n, mirror)| (mirror.failures.load(Ordering::Relaxed), *n));
        let places = order
            .iter()
            .map(|(n, mirror)| Ok((*n, mirror.place.join(&name)?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let places: Vec<(usize, &Place)> = places.iter().map(|(n, place)| (*n, place)).collect();
        self.rounds(&places, &name, |mirror, place| {
            let got = self.get(client, place, most);
            let got = got.and_then(|bytes| Ok(index::File::verify(bytes, *digest)?));
            if got.is_err()
                && let Some(mirror) = self.mirrors.get(mirror)
            {
                mirror.failures.fetch_add(1, Ordering::Relaxed);
            }
            got
        })
    }

    /// Every place in turn, and again after a pause, until one gives what is wanted.
    fn rounds<T>(
        &self,
        places: &[(usize, &Place)],
        what: &str,
        mut ask: impl FnMut(usize, &Place) -> Result<T, Refusal>,
    ) -> anyhow::Result<T> {
        let mut pause = Duration::from_secs(1);
        let mut round = 1;
        let remote = places.iter().any(|(_, place)| matches!(place, Place::Url(_)));
        loop {
            let (mut reasons, mut may_pass) = (Vec::new(), false);
            for (mirror, place) in places {
                if self.is_stopped() {
                    bail!("stopped");
                }
                match ask(*mirror, place) {
                    Ok(got) => return Ok(got),
                    Err(refusal) => {
                        may_pass |= refusal.may_pass();
                        reasons.push(format!("{place}: {refusal}"));
                    }
                }
            }
            let reasons = reasons.join("; ");
            let hopeless = if remote { HOPELESS } else { 1 };
            if round >= self.rounds || (!may_pass && round >= hopeless) {
                bail!("cannot get {what}: {reasons}");
            }
            if !self.quiet {
                eprintln!("xb image: {reasons}; trying again in {} s", pause.as_secs());
            }
            let held = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
            let stopped = |(): &mut ()| !self.is_stopped();
            drop(self.waiting.1.wait_timeout_while(held, pause, stopped));
            pause = (pause * 2).min(MAX_PAUSE);
            round += 1;
        }
    }

    fn get(&self, client: &mut Client, place: &Place, most: u64) -> Result<Vec<u8>, Refusal> {
        let count = |bytes| {
            self.fetched.fetch_add(bytes, Ordering::Relaxed);
        };
        match place {
            Place::Url(url) => Ok(client.get(url, most, &count)?),
            Place::Path(path) => {
                let mut bytes = Vec::new();
                File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
                if bytes.len() as u64 > most {
                    return Err(Failure::TooLarge.into());
                }
                count(bytes.len() as u64);
                Ok(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_beside_the_root_index() {
        for (source, file) in [
            ("http://a/x/image.xbi", "http://a/x/pages/0"),
            ("http://a/x/", "http://a/x/pages/0"),
            ("http://a/x/image.xbi?token=1", "http://a/x/pages/0"),
            ("/x/image.xbi", "/x/pages/0"),
            ("image.xbi", "pages/0"),
            ("x/", "x/pages/0"),
        ] {
            let place = Place::parse(source).unwrap();
            let file_of = place.folder().join("pages/0").unwrap();
            assert_eq!(file_of.to_string(), file, "{source}");
        }
        assert!(Place::parse("").is_err());
        assert!(Place::parse("ftp://x/").is_err());
    }
}
