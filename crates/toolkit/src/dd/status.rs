//! What was copied so far, and who wants to know: the end, `status=progress`, SIGUSR1, Ctrl-C.

use super::operands::Level;
use crate::conversion::Spec;
use rustix::{io::Errno, process::Signal};
use std::{
    io::Write as _,
    time::{Duration, Instant},
};
use xenoboot_sys::signal;

/// Between lines of progress.
const PACE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) full: u64,
    pub(crate) partial: u64,
}

impl Counts {
    pub(crate) fn all(self) -> u64 {
        self.full.saturating_add(self.partial)
    }

    /// Counts a record of so many bytes.
    pub(crate) fn add(&mut self, bytes: usize, record: usize) {
        if bytes < record {
            self.partial += 1;
        } else {
            self.full += 1;
        }
    }
}

#[derive(Debug)]
pub(crate) struct Status {
    level: Level,
    began: Instant,
    next: Instant,
    /// Columns of the line of progress that the cursor is in.
    line: usize,
    pub(crate) read: Counts,
    pub(crate) written: Counts,
    pub(crate) truncated: u64,
    /// Bytes written.
    pub(crate) bytes: u64,
}

impl Status {
    pub(crate) fn new(level: Level) -> Self {
        let began = Instant::now();
        Self {
            level,
            began,
            next: began + PACE,
            line: 0,
            read: Counts::default(),
            written: Counts::default(),
            truncated: 0,
            bytes: 0,
        }
    }

    /// Says what went wrong, in a line of its own.
    pub(crate) fn complain(&mut self, what: &str) {
        self.end_line();
        eprintln!("dd: {what}");
    }

    /// The same for what may be kept quiet.
    pub(crate) fn warn(&mut self, what: &str) {
        if self.level != Level::None {
            self.complain(what);
        }
    }

    /// The copy begins: what went before, as waiting for the other end of a pipe, is not its time.
    pub(crate) fn begin(&mut self) {
        self.began = Instant::now();
        self.next = self.began + PACE;
    }

    /// Does what may wait, and again when a signal interrupts it.
    pub(crate) fn unless_interrupted<T>(
        &mut self,
        mut call: impl FnMut() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        loop {
            self.attend();
            match call() {
                Err(Errno::INTR) => {}
                result => return result,
            }
        }
    }

    /// Does what signals ask for. Ctrl-C ends this process, after it has told how far it came.
    pub(crate) fn attend(&mut self) {
        while let Some(signal) = signal::interruption() {
            self.tell();
            if signal == Signal::INT {
                // It only returns if the kernel refuses: then the copy goes on.
                let _ = signal::end_by(signal);
            }
        }
    }

    /// A line of progress, if it is wanted and time.
    pub(crate) fn progress(&mut self) {
        if self.level != Level::Progress || Instant::now() < self.next {
            return;
        }
        self.next += PACE;
        let text = self.transfer(true);
        let width = text.chars().count();
        eprint!("\r{text:<0$}", self.line.max(width));
        self.line = width;
    }

    /// The records, and what they come to.
    pub(crate) fn tell(&mut self) {
        self.end_line();
        if self.level == Level::None {
            return;
        }
        let Counts { full, partial } = self.read;
        let mut text = format!("{full}+{partial} records in\n");
        let Counts { full, partial } = self.written;
        text.push_str(&format!("{full}+{partial} records out\n"));
        match self.truncated {
            0 => {}
            1 => text.push_str("1 truncated record\n"),
            count => text.push_str(&format!("{count} truncated records\n")),
        }
        if self.level != Level::NoTransfer {
            text.push_str(&self.transfer(false));
            text.push('\n');
        }
        // In one piece, so that it does not mix with what others write.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.line) > 0 {
            eprintln!();
        }
    }

    fn transfer(&self, rough: bool) -> String {
        let took = self.began.elapsed();
        let seconds = took.as_secs_f64();
        let time = if rough {
            format!("{seconds:.0}")
        } else {
            let (general, ..) = Spec::parse(b"g", || 0);
            String::from_utf8_lossy(&general.real(b'g', seconds)).into_owned()
        };
        let nanoseconds = took.as_nanos().max(1);
        let rate = u128::from(self.bytes) * 1_000_000_000;
        let rate = human(rate, nanoseconds, 1000, 1);
        let bytes = self.bytes;
        let noun = if bytes == 1 { "byte" } else { "bytes" };
        let sizes = match bytes {
            0..1000 => String::new(),
            1000..1024 => format!(" ({})", human(bytes.into(), 1, 1000, 0)),
            _ => {
                let (si, iec) = (human(bytes.into(), 1, 1000, 0), human(bytes.into(), 1, 1024, 0));
                format!(" ({si}, {iec})")
            }
        };
        format!("{bytes} {noun}{sizes} copied, {time} s, {rate}/s")
    }
}

/// `amount / parts` bytes for people, rounded to the nearest: two digits when there is one before the point. `base` is
/// 1000 or 1024, `least` the smallest power of it.
fn human(amount: u128, parts: u128, base: u128, least: u32) -> String {
    const LETTERS: [&str; 11] = ["", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"];
    let rounded = |dividend: u128, divisor: u128| (dividend + divisor / 2) / divisor;
    let mut power = least;
    loop {
        let unit = parts * base.pow(power);
        let tenths = rounded(amount * 10, unit);
        let whole = rounded(amount, unit);
        if whole >= base && (power as usize) < LETTERS.len() - 1 {
            power += 1;
            continue;
        }
        let number = if power > 0 && tenths < 100 {
            format!("{}.{}", tenths / 10, tenths % 10)
        } else {
            whole.to_string()
        };
        let letter = LETTERS.get(power as usize).copied().unwrap_or_default();
        let unit = match (base, power) {
            (1024, 1) => "KiB".to_owned(),
            (1024, 2..) => format!("{letter}iB"),
            _ => format!("{letter}B"),
        };
        return format!("{number} {unit}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_for_people() {
        for (bytes, base, text) in [
            (1000, 1000, "1.0 kB"),
            (9949, 1000, "9.9 kB"),
            (9950, 1000, "10 kB"),
            (999_499, 1000, "999 kB"),
            (999_500, 1000, "1.0 MB"),
            (1024, 1024, "1.0 KiB"),
            (1 << 20, 1024, "1.0 MiB"),
            (u128::from(u64::MAX), 1000, "18 EB"),
            (u128::from(u64::MAX), 1024, "16 EiB"),
        ] {
            assert_eq!(human(bytes, 1, base, 0), text, "{bytes}");
        }
        assert_eq!(human(0, 1, 1000, 1), "0.0 kB");
        assert_eq!(human(512 * 1_000_000_000, 1_000_000_000, 1000, 1), "0.5 kB");
    }
}
