//! One file at a server, read on where a connection breaks.

use super::{client::request, mirrors::Place};
use crate::http::{
    Error,
    exchange::{Connection, Path as Way},
    transfer::{Failure, redirection},
    url::Url,
};
use anyhow::Context as _;
use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom},
    time::Duration,
};

const MAX_PAUSE: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: u32 = 5;

/// A file at a server. Only the digest of the whole can tell whether the parts belong together.
struct Remote {
    url: Url,
    way: Way,
    at: u64,
    length: Option<u64>,
    open: Option<(Connection, u64)>,
    tries: u32,
}

impl Remote {
    fn connect(&mut self) -> Result<(), Failure> {
        let mut url = self.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut connection = Connection::open(&url, &self.way)?;
            let range = ("Range".to_owned(), format!("bytes={}-", self.at));
            let fields = if self.at > 0 { vec![range] } else { Vec::new() };
            let (_, head) = connection.ask(&request(&url, fields), &self.way)?;
            if let Some(next) = redirection(&head, &url)? {
                url = next;
                continue;
            }
            match (head.status, head.range()) {
                (200, _) if self.at == 0 => {}
                (206, Some((from, _))) if from == self.at => {}
                (200 | 206, _) => return Err(Failure::Range),
                (status, _) => return Err(Failure::Refused(status)),
            }
            let left = head.length()?.ok_or(Error::Weird("no length"))?;
            if self.length.is_some_and(|length| length != self.at + left) {
                return Err(Error::Weird("the file has another length than before").into());
            }
            self.length = Some(self.at + left);
            self.open = Some((connection, left));
            return Ok(());
        }
        Err(Failure::Redirects(MAX_REDIRECTS))
    }

    /// Some bytes of the connection that is there, or of a new one.
    fn once(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
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
            return Err(Error::Short(*left).into());
        }
        *left -= got as u64;
        self.at += got as u64;
        Ok(got)
    }

    /// Again and again, while that may help.
    fn patiently<T>(
        &mut self,
        mut what: impl FnMut(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut pause = Duration::from_secs(1);
        for _ in 1..self.tries {
            match what(self) {
                Err(failure) if failure.may_pass() => {
                    self.open = None;
                    eprintln!("xb image: {failure}; trying again in {} s", pause.as_secs());
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(MAX_PAUSE);
                }
                other => return other,
            }
        }
        what(self)
    }
}

impl Read for Remote {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.patiently(|remote| remote.once(buffer)).map_err(io::Error::other)
    }
}

/// Opens a file or URL at byte `at`: what follows, and how long the whole is. A server is asked `tries` times in a row.
pub(crate) fn open(
    place: &Place,
    way: &Way,
    at: u64,
    tries: u32,
) -> anyhow::Result<(Box<dyn Read>, u64)> {
    match place {
        Place::Path(path) => {
            let mut file = File::open(path).with_context(|| format!("cannot open {place}"))?;
            let length = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(at))?;
            Ok((Box::new(file), length))
        }
        Place::Url(url) => {
            let (url, way) = (url.clone(), way.clone());
            let mut remote = Remote { url, way, at, length: None, open: None, tries };
            let connected = remote.patiently(Remote::connect);
            connected.with_context(|| format!("cannot get {place}"))?;
            let length = remote.length.unwrap_or(at);
            Ok((Box::new(remote), length))
        }
    }
}
