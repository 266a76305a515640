//! `reset`: a terminal that is in disorder, as new.

use crate::{
    applet::{Applet, Args},
    applets::stty,
    terminal::print,
};
use rustix::{
    fs::{Mode, OFlags},
    io::fcntl_dupfd_cloexec,
    termios::{OptionalActions, isatty, tcgetattr, tcsetattr},
};
use std::{io, os::fd::OwnedFd};

pub(crate) static APPLET: Applet = Applet {
    name: "reset",
    summary: "Sets a terminal's modes and its screen to what they are at the beginning.",
    usage: "",
    options: &[],
    notes: "After a program that left colours, line drawing or no echo behind: type it blindly, and\n\
            end it with Ctrl-J where Enter does nothing.",
    example: "reset                     sane modes, plain characters, an empty screen",
    run,
};

/// RIS (ECMA-48) and what the Linux console and xterm keep across it: G0 is ASCII, G0 is in use,
/// UTF-8, attributes off, origin and scrolling region as at first, automatic margins, cursor shown,
/// one screen, no mouse, no bracketed paste, cursor keys and keypad as usual; then all is erased.
const SEQUENCE: &[u8] = b"\x1bc\x1b(B\x0f\x1b%G\x1b[m\x1b[?6l\x1b[r\x1b[?7h\x1b[4l\x1b[?25h\
\x1b[?1049l\x1b[?1000l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[H\x1b[2J\x1b[3J";

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    if let Some(line) = line() {
        let mut termios = tcgetattr(&line)?;
        stty::sane(&mut termios);
        // What waits to be written may wait for ever.
        tcsetattr(&line, OptionalActions::Now, &termios)?;
    }
    print(SEQUENCE)?;
    Ok(0)
}

/// The terminal: that of messages, of output, of input, of the session.
fn line() -> Option<OwnedFd> {
    let copy = |fd: rustix::fd::BorrowedFd<'_>| isatty(fd).then(|| fcntl_dupfd_cloexec(fd, 3).ok());
    use std::os::fd::AsFd as _;
    copy(io::stderr().as_fd())
        .or_else(|| copy(io::stdout().as_fd()))
        .or_else(|| copy(io::stdin().as_fd()))
        .flatten()
        .or_else(|| {
            rustix::fs::open("/dev/tty", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).ok()
        })
}
