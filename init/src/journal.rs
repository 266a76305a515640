//! The log: everything goes to the kernel's (`/dev/kmsg`), and what a person should know also to the
//! consoles.

use crate::{command_line::CommandLine, console::Consoles};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

static JOURNAL: Journal = Journal(Mutex::new(None));

struct Journal(Mutex<Option<Sinks>>);

struct Sinks {
    kernel: Option<File>,
    consoles: Consoles,
    /// The kernel itself shows its log on the consoles.
    debug: bool,
}

/// Opens the kernel's log and the consoles, and makes a panic's message go there too. Call once,
/// after `/dev` and `/sys` are mounted.
pub(crate) fn start(line: &CommandLine) {
    let kernel = OpenOptions::new().write(true).open("/dev/kmsg").ok();
    let mut consoles = Consoles::default();
    let missing = consoles.refresh(&line.consoles);
    *JOURNAL.lock() = Some(Sinks { kernel, consoles, debug: line.debug });
    if log::set_logger(&JOURNAL).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
    std::panic::set_hook(Box::new(|panic| log::error!("init: internal error: {panic}")));
    if !missing.is_empty() {
        log::info!("no such console: {}", missing.join(" "));
    }
}

/// Looks for consoles that came since.
pub(crate) fn refresh_consoles() {
    with(|sinks| drop(sinks.consoles.refresh(&[])));
}

/// Gives the screen to the agent, or takes it back.
pub(crate) fn give_screen(to_agent: bool) {
    with(|sinks| sinks.consoles.take_screen(to_agent));
}

/// Offers again what stuck consoles did not take; says whether some is still kept.
pub(crate) fn flush() -> bool {
    with(|sinks| sinks.consoles.flush()).unwrap_or(false)
}

/// Waits until the consoles took everything, at most until `deadline`.
pub(crate) fn drain(deadline: Instant) {
    with(|sinks| sinks.consoles.drain(deadline));
}

/// The consoles' names, for the log.
pub(crate) fn consoles() -> String {
    with(|sinks| sinks.consoles.names().join(" ")).unwrap_or_default()
}

fn with<T>(act: impl FnOnce(&mut Sinks) -> T) -> Option<T> {
    JOURNAL.lock().as_mut().map(act)
}

impl Journal {
    fn lock(&self) -> MutexGuard<'_, Option<Sinks>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Journal {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        with(|sinks| {
            if let Some(kernel) = &mut sinks.kernel {
                // One write, one record; the kernel takes at most 1 kB.
                let line = format!("<{}>xenoboot: {text}", priority(record.level()));
                let end = line.floor_char_boundary(900);
                let _ = kernel.write_all(line.get(..end).unwrap_or_default().as_bytes());
            }
            if !sinks.debug && record.level() <= Level::Info {
                sinks.consoles.line(&text);
            }
        });
    }

    fn flush(&self) {}
}

/// The kernel's levels (syslog(2)).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
