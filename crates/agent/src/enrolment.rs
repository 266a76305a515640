//! A token by which the machine is approved with no operator at hand: on the kernel's command line
//! (`xenoboot.token=`), or typed at a console while the machine is pending.

use crate::{console, context::Context};
use rustix::fs::OFlags;
use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::unix::pipe::Receiver, sync::mpsc, task::JoinSet};

/// The word of the kernel's command line.
const WORD: &str = "xenoboot.token=";
/// What may be a token: so many letters and digits.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=64;
/// Longest line that is read, bytes.
const MAX_LINE: usize = 256;
/// Before a console that cannot be read is opened again.
const REOPEN: Duration = Duration::from_secs(5);

/// The token to show, if there is one; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Enrolment {
    /// Of the kernel's command line: shown each time, since it may become good.
    given: Option<String>,
    typed: Arc<Mutex<Option<String>>>,
}

impl Enrolment {
    /// With what the kernel's command line has.
    #[must_use]
    pub fn of_command_line(line: &str) -> Self {
        let word = line.split_whitespace().find_map(|word| word.strip_prefix(WORD));
        Self { given: word.and_then(token), typed: Arc::default() }
    }

    /// The token to show.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        self.typed().clone().or_else(|| self.given.clone())
    }

    /// The server has been shown the token, and the machine is pending still.
    pub fn refused(&self) -> bool {
        self.typed().take().is_some() || self.given.is_some()
    }

    fn set(&self, token: String) {
        *self.typed() = Some(token);
    }

    fn typed(&self) -> MutexGuard<'_, Option<String>> {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The letters and digits of what was typed, if that can be a token.
fn token(text: &str) -> Option<String> {
    let typed: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    let plain = typed.bytes().all(|b| b.is_ascii_alphanumeric());
    (plain && LENGTH.contains(&typed.len())).then_some(typed)
}

/// Waits until somebody has typed a token at a console.
pub async fn typed(context: &Context) {
    if context.layout.by_hand() {
        return std::future::pending().await;
    }
    let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    let mut devices = console::line_consoles(&active);
    devices.push(PathBuf::from("/dev/tty1"));
    let (lines, mut typed) = mpsc::channel(1);
    // Dropped with this function, and no console is read any more.
    let mut readers = JoinSet::new();
    for device in devices {
        let lines = lines.clone();
        readers.spawn(async move {
            loop {
                // A console that cannot be read has no place to say so: the others go on.
                let _ = read(&device, &lines).await;
                tokio::time::sleep(REOPEN).await;
            }
        });
    }
    while let Some(line) = typed.recv().await {
        if let Some(token) = token(&line) {
            context.reporter.console("a token was typed: the server is asked");
            context.enrolment.set(token);
            return;
        }
        context.reporter.console("that is no token: 8 to 64 letters and digits");
    }
}

/// Reads lines until the console ends.
async fn read(device: &Path, lines: &mpsc::Sender<String>) -> io::Result<()> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file =
        OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(device)?;
    // As for writing: nothing in this type needs a pipe.
    let console = Receiver::from_file_unchecked(file)?;
    let mut line = Vec::new();
    loop {
        console.readable().await?;
        let mut bytes = [0; 64];
        let count = match console.try_read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            Err(e) => return Err(e),
        };
        for byte in bytes.iter().take(count) {
            match byte {
                b'\n' | b'\r' if line.is_empty() => {}
                b'\n' | b'\r' => {
                    let typed = String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned();
                    let _ = lines.send(typed).await;
                }
                byte if line.len() < MAX_LINE => line.push(*byte),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_letters_and_digits() {
        assert_eq!(token("7ZQ4 0M3K-V9RB").as_deref(), Some("7ZQ40M3KV9RB"));
        for bad in ["", "short", "7ZQ40M3K;V9RB", "7ZQ40M3Kä", &"x".repeat(65)] {
            assert_eq!(token(bad), None, "{bad}");
        }
        let enrolment = Enrolment::of_command_line("quiet xenoboot.token=7ZQ40M3KV9RB x=y");
        assert_eq!(enrolment.token().as_deref(), Some("7ZQ40M3KV9RB"));
        enrolment.set("typed123".into());
        assert_eq!(enrolment.token().as_deref(), Some("typed123"));
        assert!(enrolment.refused());
        assert_eq!(enrolment.token().as_deref(), Some("7ZQ40M3KV9RB"), "it is shown again");
        assert_eq!(Enrolment::of_command_line("quiet").token(), None);
    }
}
