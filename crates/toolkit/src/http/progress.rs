//! How far a transfer has come, for a person at a terminal.

use crate::sizes::{Style, human};
use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// One line that is written again and again.
#[derive(Debug)]
pub(crate) struct Progress {
    on: bool,
    began: Instant,
    shown: Option<Instant>,
    /// What was there before, bytes.
    before: u64,
}

impl Progress {
    /// Shown when it is wanted and standard error is a terminal.
    pub(crate) fn new(wanted: bool, before: u64) -> Self {
        let on = wanted && stderr().is_terminal();
        Self { on, began: Instant::now(), shown: None, before }
    }

    /// So many bytes are there, of so many.
    pub(crate) fn at(&mut self, bytes: u64, whole: Option<u64>) {
        let now = Instant::now();
        if !self.on || self.shown.is_some_and(|shown| now - shown < EVERY) {
            return;
        }
        self.shown = Some(now);
        let _ = write!(stderr(), "\r{}\x1b[K", line(bytes, self.before, whole, now - self.began));
    }

    /// The last word.
    pub(crate) fn end(&mut self, bytes: u64, whole: Option<u64>) {
        if self.on && self.shown.is_some() {
            let took = self.began.elapsed();
            let _ = writeln!(stderr(), "\r{}\x1b[K", line(bytes, self.before, whole, took));
        }
        self.on = false;
    }
}

fn line(bytes: u64, before: u64, whole: Option<u64>, took: Duration) -> String {
    let milliseconds = took.as_millis().max(1);
    let rate = u128::from(bytes.saturating_sub(before)) * 1000 / milliseconds;
    let rate = u64::try_from(rate).unwrap_or(u64::MAX);
    let size = |bytes| human(bytes, Style::Long);
    match whole.filter(|whole| *whole > 0) {
        None => format!("{}  {}/s", size(bytes), size(rate)),
        Some(whole) => {
            let percent = u128::from(bytes) * 100 / u128::from(whole);
            let left = whole.saturating_sub(bytes).checked_div(rate).unwrap_or(0);
            let (whole, bytes, rate) = (size(whole), size(bytes), size(rate));
            format!(
                "{percent:3} %  {bytes} of {whole}  {rate}/s  {}:{:02} left",
                left / 60,
                left % 60
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_long() {
        let took = Duration::from_secs(2);
        assert_eq!(
            line(3 << 20, 1 << 20, Some(131 << 20), took),
            "  2 %  3 MiB of 131 MiB  1 MiB/s  2:08 left"
        );
        assert_eq!(line(2048, 0, None, took), "2 KiB  1 KiB/s");
        assert_eq!(line(0, 0, Some(9), Duration::ZERO), "  0 %  0 B of 9 B  0 B/s  0:00 left");
    }
}
