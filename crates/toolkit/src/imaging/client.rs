//! Gets many small files from one server over one connection.

use crate::http::{
    Error,
    body::Body,
    exchange::{Connection, Path, Request},
    options::AGENT,
    transfer::{Failure, redirection},
    url::Url,
};
use std::io::Read as _;

/// Most redirections of one file.
const MAX_REDIRECTS: u32 = 5;

/// One connection at most; another server's takes its place.
#[derive(Debug)]
pub(crate) struct Client {
    path: Path,
    open: Option<(Url, Connection)>,
}

impl Client {
    /// One that is not connected yet.
    pub(crate) fn new(path: Path) -> Self {
        Self { path, open: None }
    }

    /// A file's content, at most `most` bytes of it; `count` is called with how many came.
    pub(crate) fn get(
        &mut self,
        url: &Url,
        most: u64,
        count: &dyn Fn(u64),
    ) -> Result<Vec<u8>, Failure> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            match self.once(&url, most, count)? {
                Answer::Content(bytes) => return Ok(bytes),
                Answer::Elsewhere(next) => url = next,
            }
        }
        Err(Failure::Redirects(MAX_REDIRECTS))
    }

    /// One request. A connection that was kept may have been closed by the server meanwhile, which
    /// is no failure.
    fn once(&mut self, url: &Url, most: u64, count: &dyn Fn(u64)) -> Result<Answer, Failure> {
        let kept = self.open.take().filter(|(to, _)| to.same_origin(url));
        if let Some((_, connection)) = kept
            && let Ok(answer) = self.ask(connection, url, most, count)
        {
            return Ok(answer);
        }
        let connection = Connection::open(url, &self.path)?;
        self.ask(connection, url, most, count)
    }

    fn ask(
        &mut self,
        mut connection: Connection,
        url: &Url,
        most: u64,
        count: &dyn Fn(u64),
    ) -> Result<Answer, Failure> {
        let request = request(url, Vec::new());
        let (_, head) = connection.ask(&request, &self.path)?;
        let elsewhere = redirection(&head, url)?;
        if elsewhere.is_none() && head.status != 200 {
            return Err(Failure::Refused(head.status));
        }
        let closes = head.version == 0
            || head.get("connection").is_some_and(|word| !word.eq_ignore_ascii_case("keep-alive"));
        let ends = head.is_chunked()? || head.length()?.is_some();
        if head.length()?.is_some_and(|length| length > most) {
            return Err(Failure::TooLarge);
        }
        let room = head.length()?.unwrap_or(0).min(most);
        let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        let mut body = Body::new(connection.stream(), &head, false)?;
        let mut buffer = [0; 64 << 10];
        loop {
            let got = body.read(&mut buffer).map_err(Error::of_read)?;
            if got == 0 {
                break;
            }
            bytes.extend_from_slice(buffer.get(..got).unwrap_or_default());
            if bytes.len() as u64 > most {
                return Err(Failure::TooLarge);
            }
            count(got as u64);
        }
        if ends && !closes {
            self.open = Some((url.clone(), connection));
        }
        Ok(elsewhere.map_or(Answer::Content(bytes), Answer::Elsewhere))
    }
}

enum Answer {
    Content(Vec<u8>),
    Elsewhere(Url),
}

/// A request that leaves the connection open.
pub(crate) fn request(url: &Url, mut fields: Vec<(String, String)>) -> Request {
    for (name, value) in [("User-Agent", AGENT), ("Accept", "*/*"), ("Connection", "keep-alive")] {
        fields.push((name.to_owned(), value.to_owned()));
    }
    Request { method: "GET".into(), url: url.clone(), fields, payload: None }
}
