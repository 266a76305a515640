//! Commands on a pseudo-terminal, and what one sees there.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]
#![allow(dead_code, reason = "not every test needs all of it")]

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    num::NonZero,
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};
use xenoboot_sys::process::{Setup, prepare};

/// Longer than anything takes that works.
const LIMIT: Duration = Duration::from_secs(20);

fn nonzero(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

/// A terminal of which the test is the screen and the keyboard.
pub(crate) struct Pty {
    master: File,
    /// The other side; held open, so that its settings outlive a command.
    pub(crate) line: OwnedFd,
    screen: vt100::Parser,
    /// Everything that was printed.
    pub(crate) printed: Vec<u8>,
}

impl Pty {
    /// A terminal of that size.
    pub(crate) fn new(rows: u16, columns: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let line = rustix::fs::open(path, flags, Mode::empty()).unwrap();
        let screen = vt100::Parser::new(nonzero(rows), nonzero(columns), 0);
        let mut pty = Self { master: master.into(), line, screen, printed: Vec::new() };
        pty.resize(rows, columns);
        pty
    }

    pub(crate) fn resize(&mut self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.line, size).unwrap();
        self.screen.screen_mut().set_size(nonzero(rows), nonzero(columns));
    }

    /// Starts a command on it, with a session of its own.
    pub(crate) fn start(&self, mut command: Command) -> Child {
        command.stdin(self.line.try_clone().unwrap()).stdout(self.line.try_clone().unwrap());
        self.start_with(command)
    }

    fn start_with(&self, mut command: Command) -> Child {
        let setup = Setup { new_session: true, controlling_terminal: true, ..Setup::default() };
        prepare(&mut command, setup).unwrap();
        command.stderr(self.line.try_clone().unwrap()).env("TERM", "xterm").spawn().unwrap()
    }

    /// Starts a command whose standard input is something else; it types where messages go.
    pub(crate) fn start_on_session(&self, mut command: Command) -> Child {
        let setup = Setup { new_session: true, ..Setup::default() };
        prepare(&mut command, setup).unwrap();
        command.stdout(self.line.try_clone().unwrap());
        command.stderr(self.line.try_clone().unwrap()).env("TERM", "xterm").spawn().unwrap()
    }

    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(&self.line).unwrap()
    }

    /// The name of the program that the keyboard is for.
    pub(crate) fn foreground(&self) -> String {
        let group = rustix::termios::tcgetpgrp(&self.master).ok();
        let name = group.and_then(|pid| {
            std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).ok()
        });
        name.unwrap_or_default().trim_end().to_owned()
    }

    /// Types.
    pub(crate) fn send(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// What stands on the screen.
    pub(crate) fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// The screen itself, for colours and the cursor.
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Reads what was printed, for a moment at most.
    pub(crate) fn look(&mut self) {
        let moment = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        let mut polled = [PollFd::new(&self.master, PollFlags::IN)];
        if poll(&mut polled, Some(&moment)).unwrap() == 0 {
            return;
        }
        let mut bytes = [0; 4096];
        let length = self.master.read(&mut bytes).unwrap();
        self.printed.extend(&bytes[..length]);
        self.screen.process(&bytes[..length]);
    }

    /// Waits until the screen is as it should be.
    pub(crate) fn wait_for(&mut self, what: &str, mut is_there: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !is_there(self) {
            assert!(Instant::now() < deadline, "no {what} on the screen:\n{}", self.text());
            self.look();
        }
    }

    /// Waits until the text stands on the screen.
    pub(crate) fn wait_for_text(&mut self, text: &str) {
        self.wait_for(&format!("{text:?}"), |pty| pty.text().contains(text));
    }

    /// Waits until the command ends, and reads what it has printed.
    pub(crate) fn end(&mut self, child: &mut Child) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    panic!("does not end:\n{}", self.text());
                }
                None => self.look(),
            }
        };
        let mut before = usize::MAX;
        while before != self.printed.len() {
            before = self.printed.len();
            self.look();
        }
        status
    }
}
