//! The terminal of a full-screen program: raw mode, its size, keys and signals as events.
//!
//! What is sent are plain ECMA-48 sequences: the image has no terminfo database, and serial lines,
//! the Linux console and clients of ssh all know them.

mod keys;

pub(crate) use keys::Key;

use keys::Decoder;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    io::{Errno, fcntl_dupfd_cloexec},
    process::Signal,
    termios::{InputModes, OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr},
};
use std::{
    io::{self, Write as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};
use xenoboot_sys::signal::{Signals, act};

/// So long a byte ESC waits for the rest of its sequence. A remote console may take its time.
const ESCAPE_DELAY: Duration = Duration::from_millis(100);
/// Another screen, so that what was there before comes back; cursor keys as in ECMA-48.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?1l";
/// What is pasted comes between two keys of its own.
const MARK_PASTES: &[u8] = b"\x1b[?2004h";
/// Attributes off, cursor shown, the first screen.
const LEAVE: &[u8] = b"\x1b[m\x1b[?25h\x1b[?1049l";

/// Characters that fit on the terminal; neither is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A key; Ctrl-C and SIGINT both are `Ctrl('c')`.
    Key(Key),
    /// The size may have changed, or something else may have written: draw everything again.
    Redraw,
    /// The time is over.
    Timeout,
    /// The other descriptor can be read.
    Ready,
    /// Nobody is at the terminal any more.
    Closed,
}

/// Raw mode until this is dropped. Signals that end or stop a program give the terminal back first.
pub(crate) struct Terminal {
    keyboard: OwnedFd,
    before: Termios,
    raw: Termios,
    signals: Signals,
    decoder: Decoder,
    /// Whether the program has a screen of its own.
    own_screen: bool,
    /// Whether a line is edited: nothing is read ahead, for it may be for another program, and
    /// Ctrl-Z is a key like any other.
    for_line: bool,
    /// Whether pasted text is to be told from what is typed.
    pastes: bool,
    /// Whether the program has something to do before a signal ends it.
    defers: bool,
    /// The signal that is to end it.
    ending: Option<Signal>,
}

impl Terminal {
    /// Takes the terminal: that of standard input, or of the session where standard input is none.
    ///
    /// # Errors
    /// When there is no terminal.
    pub(crate) fn take(own_screen: bool) -> io::Result<Self> {
        Self::take_for(own_screen, false)
    }

    /// Takes the terminal to edit a line.
    ///
    /// # Errors
    /// When there is no terminal.
    pub(crate) fn take_for_line() -> io::Result<Self> {
        Self::take_for(false, true)
    }

    fn take_for(own_screen: bool, for_line: bool) -> io::Result<Self> {
        let keyboard = keyboard()?;
        let before = tcgetattr(&keyboard)?;
        let mut raw = before.clone();
        raw.make_raw();
        // `\n` stays a new line: what is printed in between looks as it should.
        raw.output_modes = before.output_modes;
        if for_line {
            // What is typed ahead is for a program that reads lines.
            raw.input_modes |= before.input_modes & InputModes::ICRNL;
        }
        let signals = Signals::block(&[
            Signal::INT,
            Signal::QUIT,
            Signal::TERM,
            Signal::HUP,
            Signal::TSTP,
            Signal::WINCH,
        ])?;
        let decoder = Decoder::default();
        let terminal = Self {
            keyboard,
            before,
            raw,
            signals,
            decoder,
            own_screen,
            for_line,
            pastes: false,
            defers: false,
            ending: None,
        };
        terminal.enter()?;
        Ok(terminal)
    }

    /// Asks the terminal to say what is pasted, from now on ([`Key::Paste`]).
    ///
    /// # Errors
    /// When nothing can be written.
    pub(crate) fn mark_pastes(&mut self) -> io::Result<()> {
        self.pastes = true;
        print(MARK_PASTES)
    }

    /// From now on a signal that ends the program closes the terminal first; then
    /// [`Terminal::end_if_asked`] does what the signal means.
    pub(crate) fn defer_signals(&mut self) {
        self.defers = true;
    }

    /// Gives the terminal back, for another program.
    pub(crate) fn lend(&self) {
        self.leave();
    }

    /// Keys as they are typed again, on the screen that others wrote to.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn take_keys(&self) -> io::Result<()> {
        Ok(tcsetattr(&self.keyboard, OptionalActions::Drain, &self.raw)?)
    }

    /// Takes it again.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn take_back(&self) -> io::Result<()> {
        self.enter()
    }

    /// Stops the program as Ctrl-Z does, until it is continued.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn suspend(&self) -> io::Result<()> {
        self.stop()
    }

    /// Ends the program with the signal that closed the terminal, if one did.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn end_if_asked(mut self) -> io::Result<()> {
        let Some(signal) = self.ending.take() else { return Ok(()) };
        self.leave();
        act(signal)
    }

    /// The size now.
    pub(crate) fn size(&self) -> Size {
        size_of(&self.keyboard)
    }

    /// Waits for the next event, so long at most, or for ever; also until `other` can be read.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub(crate) fn next(
        &mut self,
        patience: Option<Duration>,
        other: Option<BorrowedFd<'_>>,
    ) -> io::Result<Event> {
        loop {
            if let Some(key) = self.decoder.next() {
                match key {
                    Key::Ctrl('z') if !self.for_line => self.stop()?,
                    key => return Ok(Event::Key(key)),
                }
                return Ok(Event::Redraw);
            }
            let patience = if self.decoder.is_amid() { Some(ESCAPE_DELAY) } else { patience };
            let other = other.filter(|_| !self.decoder.is_amid());
            let [keys, signal, ready] = self.wait(patience, other)?;
            if signal && let Some(event) = self.signal()? {
                return Ok(event);
            }
            if keys {
                if !self.read()? {
                    return Ok(Event::Closed);
                }
            } else if ready {
                return Ok(Event::Ready);
            } else if !signal && self.decoder.is_amid() {
                self.decoder.finish();
            } else if !signal {
                return Ok(Event::Timeout);
            }
        }
    }

    /// Whether each of keyboard, signals, `other` can be read, after waiting for that.
    fn wait(
        &self,
        patience: Option<Duration>,
        other: Option<BorrowedFd<'_>>,
    ) -> io::Result<[bool; 3]> {
        let time = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let mut polled = vec![
            PollFd::new(&self.keyboard, PollFlags::IN),
            PollFd::new(&self.signals, PollFlags::IN),
        ];
        polled.extend(other.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut polled, time.as_ref()) {
            Ok(_) => {}
            // Stopped and continued.
            Err(Errno::INTR) => return Ok([false, true, false]),
            Err(error) => return Err(error.into()),
        }
        let mut ready = polled.iter().map(|fd| !fd.revents().is_empty());
        Ok(std::array::from_fn(|_| ready.next().unwrap_or(false)))
    }

    /// Takes what was typed; false when the line is cut.
    fn read(&mut self) -> io::Result<bool> {
        let mut typed = [0; 256];
        let length = if self.for_line { 1 } else { typed.len() };
        let room = typed.get_mut(..length).unwrap_or_default();
        match rustix::io::read(&self.keyboard, room) {
            Ok(0) | Err(Errno::IO) => Ok(false),
            Ok(length) => {
                self.decoder.add(typed.get(..length).unwrap_or_default());
                Ok(true)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    fn signal(&mut self) -> io::Result<Option<Event>> {
        match self.signals.next()? {
            None => Ok(None),
            Some(Signal::WINCH) => Ok(Some(Event::Redraw)),
            Some(Signal::INT) => Ok(Some(Event::Key(Key::Ctrl('c')))),
            Some(Signal::TSTP) if self.for_line => Ok(None),
            Some(Signal::TSTP) => self.stop().map(|()| Some(Event::Redraw)),
            Some(signal) if self.defers => {
                self.ending = Some(signal);
                Ok(Some(Event::Closed))
            }
            Some(signal) => {
                self.leave();
                act(signal)?;
                Ok(Some(Event::Closed))
            }
        }
    }

    /// Gives the terminal back, stops as Ctrl-Z stops a program, and takes it again afterwards.
    fn stop(&self) -> io::Result<()> {
        self.leave();
        let done = act(Signal::TSTP);
        self.enter()?;
        done
    }

    fn enter(&self) -> io::Result<()> {
        tcsetattr(&self.keyboard, OptionalActions::Drain, &self.raw)?;
        if self.own_screen {
            print(ENTER)?;
        }
        if self.pastes { print(MARK_PASTES) } else { Ok(()) }
    }

    fn leave(&self) {
        // Nothing is left to be done about a terminal that is gone.
        if self.pastes {
            let _ = print(b"\x1b[?2004l");
        }
        if self.own_screen {
            let _ = print(LEAVE);
        }
        let _ = tcsetattr(&self.keyboard, OptionalActions::Drain, &self.before);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Writes to standard output at once.
pub(crate) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// The size of a terminal. A serial line does not know it: then it is what the environment says, or
/// 80 by 24.
pub(crate) fn size_of(terminal: impl AsFd) -> Size {
    let asked = tcgetwinsize(terminal).ok();
    let of = |asked: Option<u16>, variable: &str, default: usize| {
        let asked = asked.map(usize::from).filter(|number| *number > 0);
        let said =
            || std::env::var(variable).ok()?.parse().ok().filter(|n| (1..10_000).contains(n));
        asked.or_else(said).unwrap_or(default)
    };
    Size {
        rows: of(asked.map(|size| size.ws_row), "LINES", 24),
        columns: of(asked.map(|size| size.ws_col), "COLUMNS", 80),
    }
}

/// Where keys come from.
fn keyboard() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if isatty(&stdin) {
        return Ok(fcntl_dupfd_cloexec(&stdin, 3)?);
    }
    let session = rustix::fs::open("/dev/tty", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    // A console without a session has no /dev/tty; where messages go, keys come from.
    match session {
        Err(_) if isatty(io::stderr()) => Ok(fcntl_dupfd_cloexec(io::stderr(), 3)?),
        session => Ok(session.map_err(|_| Errno::NOTTY)?),
    }
}
