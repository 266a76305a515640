//! The consoles: the screen on tty1, and plain log lines on all others. Nothing here waits: a console
//! that takes nothing loses lines and never stops the agent.

use crate::{
    history::History,
    screen::{self, HEIGHT},
    status::Status,
    time::uptime_ms,
};
use rustix::fs::OFlags;
use std::{
    collections::VecDeque,
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::unix::pipe::Sender, sync::Notify};

/// Lines that wait for one console, bytes.
const QUEUE: usize = 64 << 10;
/// Before a console that failed is opened again.
const REOPEN: Duration = Duration::from_secs(5);
/// The screen is drawn at most this often.
const FRAME: Duration = Duration::from_millis(250);
/// The whole screen is drawn again after this many frames, over what others may have written.
const REDRAW: u32 = 8;
/// So many frames are drawn whole at first: init may not have heard yet that the screen is ours.
const FIRST: u32 = 12;

/// The consoles that get log lines.
#[derive(Clone, Debug, Default)]
pub struct Consoles(Vec<Arc<Queue>>, History);

#[derive(Debug, Default)]
struct Queue {
    held: Mutex<Held>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Held {
    bytes: VecDeque<u8>,
    lost: usize,
}

impl Consoles {
    /// Starts a task for each console but the screen's; needs the runtime.
    #[must_use]
    pub fn start(devices: &[PathBuf]) -> Self {
        let start = |device: &PathBuf| {
            let queue = Arc::new(Queue::default());
            tokio::spawn(serve(device.clone(), Arc::clone(&queue)));
            queue
        };
        Self(devices.iter().map(start).collect(), History::default())
    }

    /// Puts a line (printable ASCII) into every console's queue.
    pub fn say(&self, line: &str) {
        self.1.push(line);
        for queue in &self.0 {
            queue.push(line);
        }
    }

    /// What they have shown.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.1
    }

    /// Waits until everything was written, at most `patience`.
    pub async fn drain(&self, patience: Duration) {
        let empty =
            |q: &Arc<Queue>| q.held.lock().unwrap_or_else(PoisonError::into_inner).bytes.is_empty();
        let end = tokio::time::Instant::now() + patience;
        while !self.0.iter().all(empty) && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Queue {
    fn push(&self, line: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.bytes.len() + line.len() + 64 > QUEUE {
            held.lost += 1;
            return;
        }
        if held.lost > 0 {
            let note = format!("[{} lines were not shown on this console]\r\n", held.lost);
            held.bytes.extend(note.bytes());
            held.lost = 0;
        }
        held.bytes.extend(line.bytes());
        held.bytes.extend(b"\r\n");
        drop(held);
        self.more.notify_one();
    }

    fn front(&self) -> Vec<u8> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes.iter().take(4096).copied().collect()
    }

    fn taken(&self, count: usize) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = count.min(held.bytes.len());
        held.bytes.drain(..count);
    }
}

/// The consoles of the kernel (`/sys/class/tty/console/active`) that are not the screen.
#[must_use]
pub fn line_consoles(active: &str) -> Vec<PathBuf> {
    let screen = |name: &str| {
        name.strip_prefix("tty")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    active
        .split_whitespace()
        .filter(|n| !screen(n) && !n.contains('/'))
        .map(|n| Path::new("/dev").join(n))
        .collect()
}

fn open(device: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(device)
}

async fn serve(device: PathBuf, queue: Arc<Queue>) {
    loop {
        // The failure itself has no place to be shown: the other consoles go on.
        let _ = feed(&device, &queue).await;
        tokio::time::sleep(REOPEN).await;
    }
}

async fn feed(device: &Path, queue: &Queue) -> io::Result<()> {
    // Nothing in this type needs a pipe: a terminal opened non-blocking is waited for and written alike.
    let console = Sender::from_file_unchecked(open(device)?)?;
    loop {
        let bytes = queue.front();
        if bytes.is_empty() {
            queue.more.notified().await;
            continue;
        }
        console.writable().await?;
        match console.try_write(&bytes) {
            Ok(written) => queue.taken(written),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}

/// Draws the screen on `device` for ever: at most four times a second, and only lines that changed.
pub async fn draw(device: PathBuf, status: impl Fn() -> Status) {
    let mut frame = 0u32;
    let mut before: Option<[String; HEIGHT]> = None;
    let mut tty = None;
    loop {
        let now = screen::render(&status(), uptime_ms());
        if frame < FIRST || frame.is_multiple_of(REDRAW) {
            before = None;
        }
        let bytes = changes(before.as_ref(), &now, frame == 0);
        if !bytes.is_empty() {
            tty = tty.or_else(|| open(&device).ok());
            // A screen that takes no more (Scroll Lock) or is gone is drawn anew when it takes some.
            let whole = tty
                .as_mut()
                .is_some_and(|t| t.write(bytes.as_bytes()).is_ok_and(|n| n == bytes.len()));
            before = whole.then_some(now);
            if !whole {
                tty = None;
            }
        }
        frame = frame.wrapping_add(1).max(1);
        tokio::time::sleep(FRAME).await;
    }
}

/// What to write so that a screen with `before` on it shows `now`. The last column is reached without
/// wrapping (DECAWM off), and the cursor is hidden and put at the top, so that what others write does not
/// scroll.
fn changes(before: Option<&[String; HEIGHT]>, now: &[String; HEIGHT], clear: bool) -> String {
    let mut out = String::new();
    for (i, line) in now.iter().enumerate() {
        if before.and_then(|b| b.get(i)) != Some(line) {
            let _ = write!(out, "\x1b[{};1H{line}", i + 1);
        }
    }
    if out.is_empty() {
        return out;
    }
    format!("\x1b[?25l\x1b[?7l\x1b[0m{}{out}\x1b[H", if clear { "\x1b[2J" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn the_screen_is_no_line_console() {
        assert_eq!(
            line_consoles("tty0 ttyS0 hvc0\n"),
            [Path::new("/dev/ttyS0"), Path::new("/dev/hvc0")]
        );
        assert!(line_consoles("tty1").is_empty());
        assert!(line_consoles("../sda").is_empty());
    }

    #[test]
    fn only_changed_lines_are_written() {
        let mut lines: [String; HEIGHT] = std::array::from_fn(|i| format!("line {i}"));
        assert!(changes(None, &lines, true).contains("\x1b[2J"));
        let before = lines.clone();
        assert_eq!(changes(Some(&before), &lines, false), "");
        lines[24] = "new".into();
        assert_eq!(
            changes(Some(&before), &lines, false),
            "\x1b[?25l\x1b[?7l\x1b[0m\x1b[25;1Hnew\x1b[H"
        );
    }

    /// A fifo stands for a serial line: it fills up when nobody reads.
    #[tokio::test]
    async fn a_stuck_console_loses_lines_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console");
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            &path,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        )
        .unwrap();
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let mut reader = OpenOptions::new().read(true).custom_flags(flags).open(&path).unwrap();
        let consoles = Consoles::start(std::slice::from_ref(&path));
        let line = "x".repeat(1000);
        for _ in 0..300 {
            consoles.say(&line);
            tokio::task::yield_now().await;
        }
        let mut all = Vec::new();
        for _ in 0..500 {
            let mut part = vec![0; 1 << 16];
            if let Ok(n) = reader.read(&mut part) {
                all.extend_from_slice(&part[..n]);
            }
            if all.ends_with(b"the end\r\n") {
                let text = String::from_utf8(all).unwrap();
                let shown = text.lines().filter(|l| l.len() == 1000).count();
                let note = format!("[{} lines were not shown on this console]", 300 - shown);
                assert!(shown < 200 && text.contains(&note), "{shown} lines were shown");
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            if consoles.0[0].front().is_empty() {
                consoles.say("the end");
            }
        }
        panic!("the console did not recover");
    }
}
