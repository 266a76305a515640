//! The consoles: every one that the kernel writes to. Writing never blocks: what a console does not
//! take at once is kept, up to a limit, and offered again.

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    collections::VecDeque,
    fs,
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

/// What is kept for a console that is stuck, bytes: a few screens.
const MOST_KEPT: usize = 16 << 10;

/// How long to wait before a console that failed is opened again.
const REOPEN: Duration = Duration::from_secs(5);

/// The screen: the first virtual terminal, which the agent draws on.
const SCREEN: &str = "tty1";

/// All consoles.
#[derive(Debug, Default)]
pub(crate) struct Consoles {
    all: Vec<Console>,
    /// The screen is the agent's.
    screen_taken: bool,
}

#[derive(Debug)]
struct Console {
    name: String,
    device: Option<OwnedFd>,
    /// When it may be opened again.
    reopen: Option<Instant>,
    kept: VecDeque<u8>,
}

impl Consoles {
    /// Opens the consoles in `/sys/class/tty/console/active`; those already open stay as they are.
    /// Returns the names of those in `wanted` that are not there, which is no failure.
    pub(crate) fn refresh(&mut self, wanted: &[String]) -> Vec<String> {
        let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
        let names = real_terminals(&active);
        for name in &names {
            if !self.all.iter().any(|c| c.name == *name) {
                self.all.push(Console::open(name));
            }
        }
        let missing = |w: &&String| !real_terminals(w).iter().all(|w| names.contains(w));
        wanted.iter().filter(missing).cloned().collect()
    }

    /// The names, the last being the one that `/dev/console` means.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.all.iter().map(|c| c.name.as_str()).collect()
    }

    /// Says whether the screen is the agent's; then nothing is written there.
    pub(crate) fn take_screen(&mut self, taken: bool) {
        self.screen_taken = taken;
    }

    /// Writes a line, without its end, to each.
    pub(crate) fn line(&mut self, text: &str) {
        for console in &mut self.all {
            if !(self.screen_taken && console.name == SCREEN) {
                console.line(text);
            }
        }
    }

    /// Offers again what was kept; says whether some is still kept.
    pub(crate) fn flush(&mut self) -> bool {
        // Each is offered its own, whatever the others say.
        self.all.iter_mut().filter_map(|console| console.flush().then_some(())).count() > 0
    }

    /// Waits until what was written has left the machine, at most until `deadline`.
    pub(crate) fn drain(&mut self, deadline: Instant) {
        while self.flush() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// `tty0` is whichever virtual terminal is in front: we mean the first.
fn real_terminals(active: &str) -> Vec<String> {
    let real = |name: &str| if name == "tty0" { SCREEN.to_owned() } else { name.to_owned() };
    let mut names: Vec<String> = Vec::new();
    for name in active.split_whitespace().map(real) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

impl Console {
    fn open(name: &str) -> Self {
        let mut console =
            Self { name: name.to_owned(), device: None, reopen: None, kept: VecDeque::new() };
        console.reopen();
        console
    }

    fn reopen(&mut self) {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = Path::new("/dev").join(&self.name);
        self.device = rustix::fs::open(path, flags, Mode::empty()).ok();
        self.reopen = Instant::now().checked_add(REOPEN);
    }

    fn line(&mut self, text: &str) {
        // A whole line or none: half a line would be read as another message.
        if self.kept.len() + text.len() < MOST_KEPT {
            self.kept.extend(text.bytes());
            self.kept.push_back(b'\n');
        }
        self.flush();
    }

    fn flush(&mut self) -> bool {
        if self.device.is_none() && self.reopen.is_none_or(|at| at <= Instant::now()) {
            self.reopen();
        }
        while let (Some(device), false) = (&self.device, self.kept.is_empty()) {
            match rustix::io::write(device, self.kept.as_slices().0) {
                Ok(written) => drop(self.kept.drain(..written.min(self.kept.len()))),
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => self.device = None,
            }
        }
        self.kept.clear();
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_terminal_is_the_first() {
        assert_eq!(real_terminals("tty0 ttyS0\n"), ["tty1", "ttyS0"]);
        assert_eq!(real_terminals("tty1 tty0"), ["tty1"]);
        assert_eq!(real_terminals(""), [] as [&str; 0]);
    }

    /// A pipe that nobody reads stands for a serial line held by its other end.
    fn stuck() -> (std::io::PipeReader, Console) {
        let (reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let device = Some(writer.into());
        (reader, Console { name: "stuck".into(), device, reopen: None, kept: VecDeque::new() })
    }

    #[test]
    fn a_stuck_console_neither_blocks_nor_grows() {
        let (reader, mut console) = stuck();
        for _ in 0..10_000 {
            console.line("a line of some length, so that the pipe is full soon");
        }
        assert!(console.flush(), "some is kept");
        assert!(console.kept.len() <= MOST_KEPT);
        drop(reader);
        assert!(!console.flush(), "one that failed is given up until it is opened again");
        assert!(console.kept.is_empty());
    }
}
