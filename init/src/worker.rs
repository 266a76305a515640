//! The worker: everything that init does, in one loop over descriptors and times that never waits for
//! anything else. What may wait has a thread of its own.

use crate::{
    agent::Agent,
    button::Buttons,
    command_line::CommandLine,
    drivers::Drivers,
    early, image, journal,
    keeper::{self, SIGNALS},
    medium, paths, shutdown,
    watchdogs::{SOFTDOG_AFTER, Watchdogs},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    process::{Pid, Signal, kill_process},
};
use std::{
    os::fd::AsFd,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc::Sender,
    },
    time::{Duration, Instant},
};
use xenoboot_sys::{
    Kernel,
    power::{End, Power},
    signal::Signals,
    uevent::{Next, Uevent, Uevents},
};

/// When PID 1 began, for the log.
static START: OnceLock<Instant> = OnceLock::new();

/// The loop turns at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// While something is due that no descriptor tells of.
const SHORT_WAIT: Duration = Duration::from_millis(50);

/// Uevents taken before the loop turns to others.
const MOST_EVENTS: usize = 256;

/// An incomplete image: how long its message can be read before the machine boots again.
const INCOMPLETE_WAIT: Duration = Duration::from_secs(60);

/// The watchdog is fed through a shutdown for this long; then a reset is better than waiting.
const SHUTDOWN_FED: Duration = Duration::from_secs(60);

/// A kernel started from this one has so long to bring up its own watchdog driver, if nothing else was said.
const KEXEC_WATCHDOG: Duration = Duration::from_secs(180);

/// For a serial line to send its last lines.
const DRAIN: Duration = Duration::from_secs(1);

/// Workers that PID 1 has started.
static WORKERS: AtomicU32 = AtomicU32::new(0);

/// Remembers when PID 1 began.
pub(crate) fn mark_start() {
    let _ = START.set(Instant::now());
}

/// PID 1 is about to fork a worker.
pub(crate) fn count() {
    WORKERS.fetch_add(1, Ordering::Relaxed);
}

/// Milliseconds since PID 1 began.
fn since_start() -> u128 {
    START.get().map_or(0, |start| start.elapsed().as_millis())
}

struct Worker {
    signals: Signals,
    uevents: Option<Uevents>,
    drivers: Drivers,
    medium: Option<Sender<String>>,
    watchdogs: Watchdogs,
    buttons: Buttons,
    /// `None` when the image is incomplete: then nothing of it is run.
    agent: Option<Agent>,
    started: Instant,
    softdog_asked: bool,
    /// How long a kernel that is started has until the watchdog resets the machine.
    kexec_watchdog: Duration,
    ending: Option<Ending>,
}

struct Ending {
    how: End,
    since: Instant,
    agent_gone: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
}

/// Runs in the forked child until it dies.
pub(crate) fn run() -> ! {
    let _ = rustix::process::setsid();
    // Inherited blocked; this process reads its own.
    let signals = match Signals::block(SIGNALS) {
        Ok(signals) => signals,
        Err(_) => std::process::exit(1),
    };
    let mut worker = Worker::start(signals);
    loop {
        worker.turn();
    }
}

impl Worker {
    /// In the order of urgency: the drivers' threads, the agent, and only then the rest.
    fn start(signals: Signals) -> Self {
        let line = set_up();
        let now = Instant::now();
        // Listening begins before the first look: a device comes in one of the two at least.
        let uevents = open_uevents();
        let drivers = Drivers::start(line.words.clone());
        let mut agent = whole_image(line.memory).then(|| {
            Agent::new(line.agent.as_deref().unwrap_or(paths::AGENT), paths::AGENT_LAST, now)
        });
        if let Some(agent) = &mut agent {
            agent.tick(now, false);
        }
        let mut watchdogs = Watchdogs::new(now);
        watchdogs.look();
        let worker = Self {
            signals,
            uevents,
            medium: medium::start(&drivers),
            drivers,
            watchdogs,
            buttons: Buttons::default(),
            agent,
            started: now,
            softdog_asked: false,
            kexec_watchdog: KEXEC_WATCHDOG,
            ending: None,
        };
        early::unhurried();
        log::info!("init is ready after {} ms; consoles: {}", since_start(), journal::consoles());
        worker
    }

    fn turn(&mut self) {
        self.wait();
        let now = Instant::now();
        self.read_signals(now);
        self.read_uevents();
        if self.buttons.pressed() {
            log::warn!("the power button was pressed");
            ask(End::PowerOff);
        }
        let hardware = self.watchdogs.hardware();
        if let Some(agent) = &mut self.agent {
            if let Some(asked) = agent.read(now) {
                self.kexec_watchdog = asked.watchdog.unwrap_or(self.kexec_watchdog);
                ask(asked.end);
            }
            agent.tick(now, hardware);
        }
        self.feed(now);
        self.guard_without_hardware(now);
        self.leave_incomplete(now);
        self.go_on_ending(now);
    }

    fn wait(&self) {
        let now = Instant::now();
        let next_start = self.agent.as_ref().and_then(Agent::next_start);
        let due = [Some(self.watchdogs.next_feeding()), next_start];
        let due = due.into_iter().flatten().map(|at| at.saturating_duration_since(now)).min();
        let mut wait = due.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        if journal::flush() || self.ending.is_some() {
            wait = wait.min(SHORT_WAIT);
        }
        let mut fds = vec![self.signals.as_fd()];
        fds.extend(self.uevents.as_ref().map(AsFd::as_fd));
        fds.extend(self.buttons.descriptors());
        fds.extend(self.agent.iter().flat_map(Agent::descriptors));
        let mut fds: Vec<_> =
            fds.into_iter().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let timeout = Timespec::try_from(wait).ok();
        if let Err(e) = poll(&mut fds, timeout.as_ref()) {
            log::error!("poll: {e}");
            std::thread::sleep(SHORT_WAIT);
        }
    }

    fn read_signals(&mut self, now: Instant) {
        // The dead first.
        if let Some(agent) = &mut self.agent {
            agent.child_died(now);
        }
        while let Ok(Some(signal)) = self.signals.next() {
            if signal == Signal::CHILD {
                if let Some(agent) = &mut self.agent {
                    agent.child_died(now);
                }
            } else if let Some(end) = keeper::meaning(signal) {
                self.begin_ending(end, now);
            }
        }
    }

    fn read_uevents(&mut self) {
        for _ in 0..MOST_EVENTS {
            match self.uevents.as_ref().map(Uevents::next) {
                Some(Ok(Next::Event(event))) => self.device(&event),
                Some(Ok(Next::Empty)) => return,
                Some(Ok(Next::Lost)) => {
                    log::warn!(
                        "devices were announced faster than they could be read; looking anew"
                    );
                    self.drivers.look();
                    self.watchdogs.look();
                }
                Some(Err(e)) => {
                    log::error!("the announcements of devices ended: {e}; beginning anew");
                    self.uevents = open_uevents();
                    self.drivers.look();
                    return;
                }
                None => return,
            }
        }
    }

    fn device(&mut self, event: &Uevent) {
        if let (Some(alias), "add") = (&event.modalias, event.action.as_str()) {
            self.drivers.device(alias);
        }
        let Some(devname) = event.devname.as_deref() else { return };
        match (event.subsystem.as_str(), event.action.as_str()) {
            ("watchdog", "add") => self.watchdogs.appeared(devname),
            ("block", "add" | "change") => {
                if let Some(medium) = &self.medium {
                    // An error means that it was found.
                    let _ = medium.send(devname.to_owned());
                }
            }
            ("input", "add") => self.buttons.appeared(devname),
            ("tty", "add") => journal::refresh_consoles(),
            _ => {}
        }
    }

    fn feed(&mut self, now: Instant) {
        let alive = match (&self.ending, &self.agent) {
            (Some(ending), _) => now.saturating_duration_since(ending.since) < SHUTDOWN_FED,
            (None, Some(agent)) => agent.alive(now),
            (None, None) => true,
        };
        self.watchdogs.feed(now, alive);
    }

    fn guard_without_hardware(&mut self, now: Instant) {
        let waited = now.saturating_duration_since(self.started) >= SOFTDOG_AFTER;
        if waited && !self.softdog_asked && !self.watchdogs.any() {
            self.softdog_asked = true;
            log::info!("no hardware watchdog was found");
            let drivers = self.drivers.clone();
            crate::drivers::start_thread("softdog", move || {
                if let Err(e) = drivers.module("softdog") {
                    log::warn!("no software watchdog either: {:#}", anyhow::Error::from(e));
                }
            });
        }
    }

    fn leave_incomplete(&mut self, now: Instant) {
        let waited = now.saturating_duration_since(self.started) >= INCOMPLETE_WAIT;
        if self.agent.is_none() && self.ending.is_none() && waited {
            ask(End::Reboot);
        }
    }

    fn begin_ending(&mut self, how: End, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        journal::give_screen(false);
        log::warn!(
            "{}",
            match how {
                End::Reboot => "the machine restarts",
                End::PowerOff => "the machine powers off",
                End::Kexec => "the loaded kernel is started",
            }
        );
        if let Some(agent) = &mut self.agent {
            agent.stop();
        }
        let agent_gone = Arc::new(AtomicBool::new(false));
        let done = shutdown::start(how, Arc::clone(&agent_gone));
        self.ending = Some(Ending { how, since: now, agent_gone, done });
    }

    fn go_on_ending(&mut self, now: Instant) {
        let Some(ending) = &mut self.ending else { return };
        let gone = self.agent.as_ref().is_none_or(Agent::gone);
        ending.agent_gone.store(gone, Ordering::Release);
        if !ending.done.load(Ordering::Acquire) {
            return;
        }
        match ending.how {
            End::Reboot => self.watchdogs.feed(now + LONGEST_WAIT, true),
            End::PowerOff => self.watchdogs.disarm(),
            End::Kexec => self.watchdogs.hand_on(now + LONGEST_WAIT, self.kexec_watchdog),
        }
        log::info!("everything is stopped, unmounted and written");
        journal::drain(now + DRAIN);
        std::thread::sleep(DRAIN);
        // Not PID 1: the kernel may end the caller.
        if let Err(e) = Kernel.end(ending.how) {
            log::error!("the kernel refuses: {e}");
            // A kernel that does not start is no reason to stay down.
            ending.how = End::Reboot;
        }
    }
}

/// Mounts, log, settings: what comes before everything else.
fn set_up() -> CommandLine {
    let failed = early::mount_all(&Kernel);
    quiet_standard_streams();
    let line = CommandLine::read();
    journal::start(&line);
    early::settings(&line);
    let workers = WORKERS.load(Ordering::Relaxed);
    if workers > 1 {
        log::error!("init's worker died and was started again (worker {workers})");
    }
    for failure in failed {
        log::error!("{failure}");
    }
    early::prepare();
    line
}

/// Nothing is read from or written to a terminal by way of 0, 1 and 2: it might block.
fn quiet_standard_streams() {
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

fn open_uevents() -> Option<Uevents> {
    Uevents::open()
        .inspect_err(|e| log::error!("devices that appear later will not be seen: {e}"))
        .ok()
}

/// Every request goes through PID 1, which sees to it that it is carried out even if we die of it.
fn ask(end: End) {
    if let Err(e) = kill_process(Pid::INIT, keeper::request(end)) {
        log::error!("cannot ask PID 1: {e}");
    }
}

/// Whether everything of the image is here, with memory to work in; says so if not.
fn whole_image(needed: Option<u64>) -> bool {
    let memory = image::check_memory(image::memory(), needed);
    let whole = image::check(Path::new("/"), paths::MANIFEST, paths::END_MARKER);
    let what = match (memory, whole) {
        (Ok(()), Ok(())) => return true,
        (Err(what), _) => what,
        (Ok(()), Err(what)) => {
            format!("the boot loader or the medium delivered only a part of the image: {what}")
        }
    };
    log::error!("XB-INI-03 {what}");
    log::error!("The machine restarts in 60 s.");
    false
}
