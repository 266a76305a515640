//! The one place through which everything that happens is said: to the event stream, the screen, the
//! other consoles, and standard error (of which init keeps the last lines).

use crate::{
    console::Consoles,
    events::{Draft, spool::Spool},
    failure::Failure,
    masks::Masks,
    status::{Next, Status, Trouble},
    text,
    time::uptime_ms,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};
use xenoboot_wire::{
    RunId,
    boot::LinkInfo,
    event::{Event, MAX_TEXT, Source, What},
};

/// A handle; clones say it to the same places.
#[derive(Clone, Debug)]
pub struct Reporter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spool: Mutex<Spool>,
    status: Mutex<Status>,
    links: Mutex<Vec<LinkInfo>>,
    masks: Mutex<Masks>,
    consoles: Consoles,
    more: Notify,
    hurry: Notify,
    acked: watch::Sender<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reporter {
    /// A reporter with its spool and the consoles that get log lines.
    #[must_use]
    pub fn new(spool: Spool, consoles: Consoles, status: Status) -> Self {
        let acked = watch::Sender::new(spool.acked());
        Self(Arc::new(Inner {
            spool: Mutex::new(spool),
            status: Mutex::new(status),
            links: Mutex::default(),
            masks: Mutex::default(),
            consoles,
            more: Notify::new(),
            hurry: Notify::new(),
            acked,
        }))
    }

    /// Looks at or changes the status.
    pub fn status<T>(&self, act: impl FnOnce(&mut Status) -> T) -> T {
        act(&mut lock(&self.0.status))
    }

    /// The consoles that get log lines.
    #[must_use]
    pub fn consoles(&self) -> &Consoles {
        &self.0.consoles
    }

    /// Puts an event into the stream; its number, or `None` when there was no room.
    pub fn event(&self, run: Option<RunId>, what: What) -> Option<u64> {
        let number = lock(&self.0.spool).append(Draft { at_ms: uptime_ms(), run, what });
        self.0.more.notify_one();
        number
    }

    /// The network cards, for the inventory.
    #[must_use]
    pub fn links(&self) -> Vec<LinkInfo> {
        lock(&self.0.links).clone()
    }

    /// The network cards have changed.
    pub fn set_links(&self, links: Vec<LinkInfo>) {
        *lock(&self.0.links) = links;
    }

    /// A phase begins.
    pub fn phase(&self, name: &'static str) {
        let now = uptime_ms();
        let new = self.status(|s| {
            let new = s.phase.0 != name;
            if new {
                s.phase = (name, now);
            }
            new
        });
        if !new {
            return;
        }
        self.console(&format!("phase {name}"));
        self.event(None, What::Phase { name: name.to_owned() });
    }

    /// Something failed and is tried again, or stands in the way; `attempt` counts from 1.
    pub fn failure(&self, failure: &Failure, attempt: u32, next: Next) {
        self.console(&format!("{failure}; {}", next.describe(uptime_ms())));
        let Failure { code, cause, .. } = failure.clone();
        self.status(|s| s.trouble = Some(Trouble { code, cause: cause.clone(), next }));
        self.event(None, What::Failure { code, cause, attempt });
    }

    /// What failed last works again, if its code begins with one of `prefixes`.
    pub fn works(&self, prefixes: &[&str]) {
        self.status(|s| {
            s.trouble.take_if(|t| prefixes.iter().any(|prefix| t.code.id().starts_with(prefix)));
        });
    }

    /// What happens next after a script that failed, whose error stays on the screen.
    pub fn after_script(&self, next: &str) {
        self.status(|s| {
            if let Some(trouble) = s.trouble.as_mut().filter(|t| t.code.id().starts_with("XB-RUN"))
            {
                trouble.next = Next::Text(next.to_owned());
            }
        });
    }

    /// A secret was handed to the script: it is not to be seen in what the script prints.
    pub fn hide(&self, secret: &[u8]) {
        lock(&self.0.masks).hide(secret);
    }

    /// A script's words, with the secrets in them covered.
    #[must_use]
    pub fn cover(&self, text: String) -> String {
        lock(&self.0.masks).cover(text)
    }

    /// A line of a script's output.
    pub fn output(&self, run: RunId, source: Source, line: String) {
        let line = self.cover(line);
        self.status(|s| s.push_output(&line));
        self.0.consoles.say(&format!("{} script: {}", stamp(), text::ascii(&line)));
        self.event(Some(run), What::Line { source, text: line });
    }

    /// A line that the agent says itself.
    pub fn say(&self, run: Option<RunId>, line: &str) {
        let line = text::cut(line, MAX_TEXT);
        self.console(&line);
        self.event(run, What::Line { source: Source::Agent, text: line });
    }

    /// A line to the consoles and standard error alone.
    pub fn console(&self, line: &str) {
        let line = format!("{} {}", stamp(), text::ascii(line));
        self.0.consoles.say(&line);
        // Standard error is a pipe to init, opened non-blocking: what it does not take is lost.
        let _ = rustix::io::write(rustix::stdio::stderr(), format!("{line}\n").as_bytes());
    }

    /// The oldest events that the server has not acknowledged.
    #[must_use]
    pub fn batch(&self) -> Vec<Event> {
        let spool = lock(&self.0.spool);
        spool.batch().unwrap_or_else(|e| {
            drop(spool);
            self.console(&format!("events cannot be read back: {e}"));
            Vec::new()
        })
    }

    /// The server has stored everything up to this number.
    pub fn acknowledge(&self, through: u64) {
        let acked = {
            let mut spool = lock(&self.0.spool);
            spool.acknowledge(through);
            spool.acked()
        };
        self.0.acked.send_replace(acked);
    }

    /// Waits for an event that was put in since the last call.
    pub async fn more(&self) {
        self.0.more.notified().await;
    }

    /// The server may take events now that it refused before.
    pub fn hurry(&self) {
        self.0.hurry.notify_one();
    }

    /// Waits until it may be worth to send again what was refused.
    pub async fn hurried(&self) {
        self.0.hurry.notified().await;
    }

    /// Number of the newest event.
    #[must_use]
    pub fn last(&self) -> u64 {
        lock(&self.0.spool).last()
    }

    /// Waits until the server has stored the event `number`.
    pub async fn stored(&self, number: u64) {
        let mut acked = self.0.acked.subscribe();
        // The sender lives as long as this reporter.
        let _ = acked.wait_for(|&through| through >= number).await;
    }
}

/// Seconds since the kernel started, as in the kernel's log.
fn stamp() -> String {
    let now = uptime_ms();
    format!("[{:5}.{:03}]", now / 1000, now % 1000)
}

/// The `log` facade: what libraries and phases say goes where everything goes.
#[derive(Debug)]
pub struct Logger(pub Reporter);

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        // Other people's libraries are heard only when something is wrong.
        let ours = metadata.target().starts_with("xenoboot");
        metadata.level()
            <= if ours {
                log::max_level().to_level().unwrap_or(log::Level::Info)
            } else {
                log::Level::Warn
            }
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let target = record.target().split("::").nth(1).unwrap_or(record.target());
            self.0.say(None, &format!("{target}: {}", record.args()));
        }
    }

    fn flush(&self) {}
}
