//! How far it has come: a line at the terminal, and the agent's progress for screen and operator.

use crate::sizes::{Style, human};
use std::{
    io::{IsTerminal as _, Write as _, stderr},
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use xenoboot_wire::script::Request;

/// Between two lines at the terminal.
const EVERY: Duration = Duration::from_millis(250);

/// Between two messages to the agent, looks.
const TELL: u32 = 8;

/// Who is told of a percentage.
pub(crate) type Tell<'a> = dyn Fn(Request) + Sync + 'a;

/// The work: shared by those who do it and the one who shows it.
pub(crate) struct Progress {
    began: Instant,
    /// Bytes that shall be worked through.
    whole: AtomicU64,
    done: AtomicU64,
    over: (Mutex<bool>, Condvar),
}

impl Progress {
    /// Nothing done yet of `whole` bytes.
    pub(crate) fn new(whole: u64) -> Self {
        let over = (Mutex::new(false), Condvar::new());
        Self { began: Instant::now(), whole: whole.into(), done: AtomicU64::new(0), over }
    }

    /// So many bytes were worked through before it began, of `whole`.
    pub(crate) fn begin(&self, done: u64, whole: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.whole.store(whole, Ordering::Relaxed);
    }

    /// So many bytes more.
    pub(crate) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Nothing more will come: [`show`](Self::show) ends.
    pub(crate) fn end(&self) {
        *self.over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.1.notify_all();
    }

    /// Shows it until the end.
    pub(crate) fn show(&self, what: &str, tell: &Tell<'_>, quiet: bool) {
        let on = !quiet && stderr().is_terminal();
        let mut looks = 0_u32;
        loop {
            let over = self.over.0.lock().unwrap_or_else(PoisonError::into_inner);
            let over = self.over.1.wait_timeout_while(over, EVERY, |over| !*over);
            let over = *over.unwrap_or_else(PoisonError::into_inner).0;
            let done = self.done.load(Ordering::Relaxed);
            let (percent, line) =
                line(done, self.whole.load(Ordering::Relaxed), self.began.elapsed());
            if on {
                let end = if over { "\n" } else { "" };
                let _ = write!(stderr(), "\r{what}  {percent:3} %  {line}\x1b[K{end}");
            }
            if over {
                return;
            }
            if looks.is_multiple_of(TELL) {
                tell(Request::Progress { percent, text: format!("{what}: {line}") });
            }
            looks += 1;
        }
    }
}

/// The percentage; how much of how much, the rate, and the time left.
fn line(done: u64, whole: u64, took: Duration) -> (u8, String) {
    let rate = u128::from(done) * 1000 / took.as_millis().max(1);
    let rate = u64::try_from(rate).unwrap_or(u64::MAX);
    let percent = (u128::from(done) * 100).checked_div(u128::from(whole)).unwrap_or(100).min(100);
    let size = |bytes| human(bytes, Style::Long);
    let left = whole.saturating_sub(done).checked_div(rate);
    let left = left.map_or("?".into(), |left| format!("{}:{:02}", left / 60, left % 60));
    let text = format!("{} of {}  {}/s  {left} left", size(done), size(whole), size(rate));
    (u8::try_from(percent).unwrap_or(100), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_long() {
        let took = Duration::from_secs(2);
        let said = (1, "2 MiB of 130 MiB  1 MiB/s  2:08 left".to_owned());
        assert_eq!(line(2 << 20, 130 << 20, took), said);
        assert_eq!(line(0, 0, took), (100, "0 B of 0 B  0 B/s  ? left".to_owned()));
    }
}
