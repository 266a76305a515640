//! Telling people: a POST of JSON to each URL that wants to know, or a mail to an address.

use crate::{
    api::{Kind, Notice, Webhook},
    mail::{self, Mailer},
    outgoing::{self, Trust},
    server::Shared,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Uri, header};
use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

/// Notices that wait to be sent; more are dropped, and that is said.
const QUEUE: usize = 256;
/// For one attempt.
const PATIENCE: Duration = Duration::from_secs(30);
/// Attempts, and how long it is waited between the first two; then four times as long.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);
/// Most notices a minute, whatever happens: strangers can make machines that are pending.
const A_MINUTE: u32 = 60;

/// Where notices are put.
pub(crate) struct Notices {
    queue: mpsc::Sender<Notice>,
    waiting: Mutex<Option<mpsc::Receiver<Notice>>>,
    minute: Mutex<(Instant, u32)>,
}

impl Notices {
    pub(crate) fn new() -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let minute = Mutex::new((Instant::now(), 0));
        Self { queue, waiting: Mutex::new(Some(waiting)), minute }
    }

    fn admit(&self) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.0.elapsed() >= Duration::from_secs(60) {
            *minute = (Instant::now(), 0);
        }
        minute.1 += 1;
        minute.1 <= A_MINUTE
    }
}

/// Tells of something, if anybody wants to know and was not told a short while ago. It never fails what it is about.
pub(crate) async fn tell(shared: &Shared, machine: i64, kind: Kind, text: &str) {
    match shared.store.notice(machine, kind, text).await {
        Ok(None) => {}
        Ok(Some(notice)) => {
            if !shared.notices.admit() || shared.notices.queue.try_send(notice).is_err() {
                tracing::warn!(
                    machine,
                    kind = kind.word(),
                    "a notice was dropped: there are too many"
                );
            }
        }
        Err(error) => tracing::warn!(%error, "a notice could not be made"),
    }
}

/// Sends notices for ever.
pub(crate) async fn run(shared: &Shared) {
    let waiting = shared.notices.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut waiting) = waiting else { return std::future::pending().await };
    while let Some(notice) = waiting.recv().await {
        let hooks = match shared.store.webhooks().await {
            Ok(hooks) => hooks,
            Err(error) => {
                tracing::warn!(%error, "it is not known whom to tell");
                continue;
            }
        };
        for hook in hooks.into_iter().filter(|hook| hook.kinds.contains(&notice.kind)) {
            let (notice, mailer) = (notice.clone(), shared.mailer.clone());
            // One that does not answer keeps no other from being told.
            tokio::spawn(async move { send(&hook, &notice, &mailer).await });
        }
    }
}

async fn send(hook: &Webhook, notice: &Notice, mailer: &Mailer) {
    let mut pause = PAUSE;
    for attempt in 1..=ATTEMPTS {
        let error = match timeout(PATIENCE, deliver(&hook.url, notice, mailer)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => outgoing::causes(&*error),
            Err(_) => "there is no answer".to_owned(),
        };
        // Not the URL, which may be a secret.
        tracing::warn!(webhook = hook.id, attempt, error, "a notice could not be sent");
        if attempt < ATTEMPTS {
            sleep(pause).await;
            pause *= 4;
        }
    }
}

async fn deliver(url: &str, notice: &Notice, mailer: &Mailer) -> Result<(), outgoing::Error> {
    if let Some(address) = mail::address(url) {
        return Ok(mailer.send(address, notice).await?);
    }
    let request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(notice)?)))?;
    let status = outgoing::ask(request, Trust::Public).await?.status;
    if status.is_success() { Ok(()) } else { Err(format!("the answer is {status}").into()) }
}

/// Refuses what is no URL that can be told.
pub(crate) fn check(url: &str) -> io::Result<()> {
    let bad = || io::Error::other("not https://HOST/PATH, http://HOST/PATH or mailto:ADDRESS");
    if mail::address(url).is_some() {
        return Ok(());
    }
    let uri: Uri = url.parse().map_err(|_| bad())?;
    let known = matches!(uri.scheme_str(), Some("https" | "http"));
    if known && uri.host().is_some_and(|host| !host.is_empty()) { Ok(()) } else { Err(bad()) }
}
