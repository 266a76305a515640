//! A whole transfer: redirections, attempts, and what is done with the answer.

use super::{
    Error,
    exchange::{self, Answer, Path, Request},
    head::Head,
    progress::Progress,
    sink::{self, Output, Sink},
    url::{Scheme, Url},
};
use std::{
    fs,
    io::{self, Read, Write as _},
    net::SocketAddr,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// Longest pause between attempts: with `Retry-After`, and without.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// In the protocol, or below.
    #[error(transparent)]
    Http(#[from] Error),
    /// The server refuses.
    #[error("The requested URL returned error: {0}")]
    Refused(u16),
    /// Too many redirections.
    #[error("Maximum ({0}) redirects followed")]
    Redirects(u32),
    /// A redirection from TLS to clear text.
    #[error("refusing to follow a redirection from https to {0}")]
    Downgrade(String),
    /// The answer cannot be written.
    #[error("Failure writing output to destination: {0}")]
    Write(String),
    /// The server does not send the part that was asked for.
    #[error("HTTP server does not seem to support byte ranges. Cannot resume.")]
    Range,
    /// The body is not the one wanted.
    #[error("the SHA-256 of what the server sent is not the one given")]
    Digest,
    /// More than was allowed.
    #[error("Maximum file size exceeded")]
    TooLarge,
}

impl Failure {
    /// Whether the same may work later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Http(error) => error.is_transient(),
            Self::Refused(status) => matches!(status, 408 | 425 | 429) || *status >= 500,
            _ => false,
        }
    }

    fn of_write(error: &io::Error) -> Self {
        Self::Write(crate::applet::reason(error))
    }
}

/// Where a transfer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Resume {
    /// At the beginning.
    #[default]
    Not,
    /// Behind what the file has.
    Continue,
    /// At this byte.
    At(u64),
}

/// What happens when an attempt fails.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retry {
    /// How often it is tried again.
    pub(crate) times: u32,
    /// The pause; one second, doubling, when not given.
    pub(crate) pause: Option<Duration>,
    /// Also when the connection is refused.
    pub(crate) refused: bool,
    /// Also when a name cannot be looked up.
    pub(crate) names: bool,
    /// Also when the server says that it cannot at the moment.
    pub(crate) statuses: bool,
    /// Also when the server refuses, or anything else is wrong.
    pub(crate) everything: bool,
    /// The last attempt begins within this time.
    pub(crate) within: Option<Duration>,
}

/// What shall be done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The first request.
    pub(crate) request: Request,
    /// How it gets there.
    pub(crate) path: Path,
    /// How many redirections are followed; none when not given.
    pub(crate) redirects: Option<u32>,
    /// The method stays, whatever the redirection.
    pub(crate) keep_method: bool,
    /// Redirections from https to http are an error.
    pub(crate) no_downgrade: bool,
    /// Where the body goes.
    pub(crate) output: Output,
    /// Where it begins.
    pub(crate) resume: Resume,
    /// A server that sends everything, though asked for a part, is content to begin anew.
    pub(crate) restart: bool,
    /// Statuses from 400 on are failures.
    pub(crate) refuse: bool,
    /// The body of such an answer is written all the same.
    pub(crate) keep_refused: bool,
    /// The heads are part of what is written.
    pub(crate) heads: bool,
    /// The heads go here, too.
    pub(crate) dump: Option<PathBuf>,
    /// Called with each head as it comes.
    pub(crate) show: Option<fn(&Answer, &Url)>,
    /// Attempts.
    pub(crate) retry: Retry,
    /// Each attempt takes at most this long.
    pub(crate) max_time: Option<Duration>,
    /// The right SHA-256.
    pub(crate) digest: Option<[u8; 32]>,
    /// Most bytes.
    pub(crate) max_size: Option<u64>,
    /// A compressed body is written unpacked.
    pub(crate) unpack: bool,
    /// A person sees how far it is.
    pub(crate) progress: bool,
    /// Called before each further attempt with the reason.
    pub(crate) again: Option<fn(&Failure, Duration)>,
}

/// What a transfer came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// The last head.
    pub(crate) head: Head,
    /// The last address.
    pub(crate) url: String,
    /// Where a redirection that was not followed leads.
    pub(crate) redirect: Option<String>,
    /// How many were followed.
    pub(crate) redirects: u32,
    /// Bytes of the body received.
    pub(crate) bytes: u64,
    /// All heads' bytes.
    pub(crate) head_bytes: u64,
    /// Who answered.
    pub(crate) peer: Option<SocketAddr>,
    /// How long it took.
    pub(crate) took: Duration,
    /// The file was whole before.
    pub(crate) nothing_to_do: bool,
    /// Where the body was written.
    pub(crate) written: bool,
}

/// What is known between attempts.
struct State {
    /// The body goes on here.
    at: u64,
    /// The strong validator of what is there (RFC 9110, section 13.1.5).
    validator: Option<String>,
    /// This transfer has written something, so the rest belongs to it.
    ours: bool,
}

impl Plan {
    /// Does it.
    pub(crate) fn run(&self) -> (Outcome, Result<(), Failure>) {
        let began = Instant::now();
        let mut outcome = Outcome { url: self.request.url.to_string(), ..Outcome::default() };
        if self.is_there() {
            outcome.nothing_to_do = true;
            return (outcome, Ok(()));
        }
        let mut state = State { at: self.start(), validator: None, ours: false };
        let mut pause = Duration::from_secs(1);
        let mut left = self.retry.times;
        loop {
            let result = self.once(&mut state, &mut outcome, left == 0);
            outcome.took = began.elapsed();
            let Err(failure) = result else { return (outcome, result) };
            let wait = self.retry.pause.unwrap_or(pause);
            let wait = retry_after(&failure, &outcome.head).unwrap_or(wait);
            let late = self.retry.within.is_some_and(|within| began.elapsed() + wait > within);
            let over = left == 0 || late || !self.is_worth_another(&failure);
            if over || !self.rewind(&mut state) {
                return (outcome, Err(failure));
            }
            if let Some(again) = self.again {
                again(&failure, wait);
            }
            thread::sleep(wait);
            left -= 1;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Whether the file is there already, as it shall be.
    fn is_there(&self) -> bool {
        match (&self.output, self.digest) {
            (Output::File(path), Some(wanted)) => {
                path.is_file() && sink::digest_of(path).is_ok_and(|found| found == wanted)
            }
            _ => false,
        }
    }

    fn start(&self) -> u64 {
        match (self.resume, &self.output) {
            (Resume::Not, _) => 0,
            (Resume::At(at), _) => at,
            (Resume::Continue, Output::File(path)) => {
                let temporary = self.digest.and_then(|_| sink::temporary(path));
                let path = temporary.as_ref().unwrap_or(path);
                fs::metadata(path).map_or(0, |meta| if meta.is_file() { meta.len() } else { 0 })
            }
            (Resume::Continue, _) => 0,
        }
    }

    /// Makes sure that what the next attempt brings fits what is there; `false` when it cannot.
    fn rewind(&self, state: &mut State) -> bool {
        let sure = state.validator.is_some() || self.digest.is_some();
        if state.ours && (!sure || self.heads) {
            if matches!(self.output, Output::Stdout) {
                return false;
            }
            *state = State { at: self.start_again(), validator: None, ours: false };
        }
        true
    }

    /// Where an attempt begins that does not go on with the one before.
    fn start_again(&self) -> u64 {
        match self.resume {
            Resume::At(at) => at,
            Resume::Not | Resume::Continue => 0,
        }
    }

    fn is_worth_another(&self, failure: &Failure) -> bool {
        match failure {
            Failure::Http(Error::Connect { .. }) => self.retry.refused || self.retry.everything,
            Failure::Http(Error::Resolve { .. } | Error::ResolveProxy { .. })
                if !self.retry.names =>
            {
                false
            }
            Failure::Http(error) => error.is_transient() || self.retry.everything,
            Failure::Refused(status) => {
                self.retry.statuses && is_transient(*status) || self.retry.everything
            }
            Failure::Digest => true,
            _ => self.retry.everything,
        }
    }

    fn once(&self, state: &mut State, outcome: &mut Outcome, last: bool) -> Result<(), Failure> {
        let mut path = self.path.clone();
        path.patience.deadline = self.max_time.map(|time| Instant::now() + time);
        let mut heads = Vec::new();
        let answer = self.follow(state, &path, outcome, &mut heads)?;
        outcome.peer = answer.peer;
        let status = answer.head.status;
        if let Some(dump) = &self.dump {
            self.write_dump(dump, &heads)?;
        }
        if state.at > 0 && status == 416 {
            // Everything is there if the server's whole is as long as what we have.
            let range = answer.head.get("content-range").unwrap_or_default();
            if range.strip_prefix("bytes */").and_then(|n| n.parse().ok()) == Some(state.at) {
                outcome.nothing_to_do = !state.ours;
                return self.finish(Sink::open(&self.output, state.at, self.digest.is_some()));
            }
        }
        let refused = status >= 400;
        let again = !last && self.retry.statuses && is_transient(status);
        if refused && (again || self.refuse && !self.keep_refused) {
            return Err(Failure::Refused(status));
        }
        if state.at > 0 && status != 206 && !refused {
            if !self.restart && !state.ours {
                return Err(Failure::Range);
            }
            if matches!(self.output, Output::Stdout) && state.ours {
                return Err(Failure::Range);
            }
            state.at = 0;
        }
        if status == 206
            && state.at > 0
            && answer.head.range().is_none_or(|(from, _)| from != state.at)
        {
            return Err(Failure::Range);
        }
        self.receive(answer, state, outcome, &heads)?;
        if refused && self.refuse { Err(Failure::Refused(status)) } else { Ok(()) }
    }

    /// Sends the request, and those that redirections ask for.
    fn follow(
        &self,
        state: &State,
        path: &Path,
        outcome: &mut Outcome,
        heads: &mut Vec<u8>,
    ) -> Result<Answer, Failure> {
        let mut request = self.request.clone();
        if state.at > 0 {
            request.fields.push(("Range".into(), format!("bytes={}-", state.at)));
            if let Some(validator) = &state.validator {
                request.fields.push(("If-Range".into(), validator.clone()));
            }
        }
        outcome.redirects = 0;
        outcome.redirect = None;
        loop {
            outcome.url = request.url.to_string();
            let answer = exchange::exchange(&request, path)?;
            if let Some(show) = self.show {
                show(&answer, &request.url);
            }
            heads.extend(answer.tunnel.iter().flat_map(|head| &head.raw));
            heads.extend(&answer.head.raw);
            outcome.head_bytes = heads.len() as u64;
            outcome.head = answer.head.clone();
            let Some(next) = redirection(&answer.head, &request.url)? else { return Ok(answer) };
            let Some(most) = self.redirects else {
                outcome.redirect = Some(next.to_string());
                return Ok(answer);
            };
            if outcome.redirects >= most {
                outcome.redirect = Some(next.to_string());
                return Err(Failure::Redirects(most));
            }
            if self.no_downgrade
                && request.url.scheme == Scheme::Https
                && next.scheme != Scheme::Https
            {
                return Err(Failure::Downgrade(next.origin()));
            }
            outcome.redirects += 1;
            self.redirect(&mut request, answer.head.status, next);
        }
    }

    fn redirect(&self, request: &mut Request, status: u16, next: Url) {
        let becomes_get = match status {
            303 => request.method != "HEAD",
            301 | 302 => request.method == "POST",
            _ => false,
        };
        if becomes_get {
            if !self.keep_method {
                request.method = "GET".into();
            }
            request.payload = None;
            request.fields.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
        }
        // What is secret stays with the server that it was given for.
        let mut next = next;
        if next.same_origin(&request.url) {
            next.user = next.user.or(request.url.user.take());
        } else {
            let secret = ["authorization", "cookie", "host"];
            request
                .fields
                .retain(|(name, _)| !secret.contains(&name.to_ascii_lowercase().as_str()));
        }
        request.url = next;
    }

    fn write_dump(&self, dump: &std::path::Path, heads: &[u8]) -> Result<(), Failure> {
        let written = if dump.as_os_str() == "-" {
            io::stdout().write_all(heads)
        } else {
            fs::write(dump, heads)
        };
        written.map_err(|error| Failure::of_write(&error))
    }

    fn receive(
        &self,
        answer: Answer,
        state: &mut State,
        outcome: &mut Outcome,
        heads: &[u8],
    ) -> Result<(), Failure> {
        let whole = answer.head.length()?.map(|length| state.at + length);
        if self.max_size.is_some_and(|most| whole.is_some_and(|whole| whole > most)) {
            return Err(Failure::TooLarge);
        }
        let etag = answer.head.get("etag").filter(|etag| !etag.starts_with("W/"));
        state.validator = etag.or(answer.head.get("last-modified")).map(str::to_owned);
        let packed = self.unpack
            && answer.head.get("content-encoding").is_some_and(|coding| {
                matches!(coding.to_ascii_lowercase().as_str(), "gzip" | "x-gzip")
            });
        // "No content" makes no file.
        let nothing = answer.head.status == 204 && !self.heads && self.digest.is_none();
        let output = if nothing { &Output::Nowhere } else { &self.output };
        let mut sink = Sink::open(output, state.at, self.digest.is_some())
            .map_err(|error| Failure::of_write(&error))?;
        outcome.written = !nothing;
        if self.heads {
            sink.write(heads).map_err(|error| Failure::of_write(&error))?;
        }
        let mut progress = Progress::new(self.progress, state.at);
        let body = answer.body;
        let mut body: Box<dyn Read> =
            if packed { Box::new(flate2::read::MultiGzDecoder::new(body)) } else { Box::new(body) };
        let mut buffer = vec![0; 64 << 10];
        outcome.bytes = 0;
        loop {
            let got = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => got,
                Err(error) => {
                    progress.end(state.at, whole);
                    return Err(Error::of_read(error).into());
                }
            };
            sink.write(buffer.get(..got).unwrap_or_default())
                .map_err(|error| Failure::of_write(&error))?;
            outcome.bytes += got as u64;
            // An unpacked body cannot be gone on with.
            state.at = if packed { 0 } else { state.at + got as u64 };
            state.ours = true;
            if self.max_size.is_some_and(|most| outcome.bytes > most) {
                return Err(Failure::TooLarge);
            }
            progress.at(state.at, whole);
        }
        progress.end(state.at, whole);
        let done = self.finish(Ok(sink));
        if matches!(done, Err(Failure::Digest)) {
            state.at = 0;
        }
        done
    }

    fn finish(&self, sink: io::Result<Sink>) -> Result<(), Failure> {
        let closed = sink.and_then(|sink| sink.close(&self.output, self.digest.as_ref()));
        match closed {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::Digest),
            Err(error) => Err(Failure::of_write(&error)),
        }
    }
}

/// Statuses that may be others a moment later.
fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// Where an answer leads, if it is a redirection.
pub(crate) fn redirection(head: &Head, from: &Url) -> Result<Option<Url>, Failure> {
    match (head.status, head.get("location")) {
        (301 | 302 | 303 | 307 | 308, Some(to)) => Ok(Some(from.join(to).map_err(Error::Url)?)),
        _ => Ok(None),
    }
}

/// How long the server asks to wait (RFC 9110, section 10.2.3).
fn retry_after(failure: &Failure, head: &Head) -> Option<Duration> {
    let text = match failure {
        Failure::Refused(_) => head.get("retry-after")?,
        _ => return None,
    };
    // The other form, a date, would need a clock that is right.
    Some(Duration::from_secs(text.parse().ok()?).min(MAX_RETRY_AFTER))
}
