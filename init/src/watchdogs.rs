//! Hardware watchdogs: armed as soon as their driver is there, fed only while the agent is alive.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};
use xenoboot_sys::watchdog::{Device, Watchdog};

/// After this long without food the hardware resets the machine.
const TIMEOUT_SECONDS: u32 = 30;

/// How often they are fed.
pub(crate) const FEED_EVERY: Duration = Duration::from_secs(5);

/// When no hardware watchdog has shown itself for this long, the kernel's own (`softdog`) guards
/// init: it helps when init hangs or user space stops, though not when the kernel does.
pub(crate) const SOFTDOG_AFTER: Duration = Duration::from_secs(20);

/// What the kernel's software watchdog calls itself.
const SOFTDOG: &str = "Software Watchdog";

struct Armed {
    name: String,
    device: Box<dyn Watchdog>,
    hardware: bool,
}

/// All watchdogs of the machine.
pub(crate) struct Watchdogs {
    armed: Vec<Armed>,
    next_feeding: Instant,
}

impl Watchdogs {
    pub(crate) fn new(now: Instant) -> Self {
        Self { armed: Vec::new(), next_feeding: now }
    }

    /// Arms those in `/dev` that are not armed yet.
    pub(crate) fn look(&mut self) {
        let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| is_watchdog(name))
            .collect();
        names.sort();
        for name in names {
            self.appeared(&name);
        }
    }

    /// Arms `/dev/NAME`, if it is a watchdog that is not armed yet. `/dev/watchdog` is another name of
    /// the first and is left out.
    pub(crate) fn appeared(&mut self, name: &str) {
        if !is_watchdog(name) || self.armed.iter().any(|a| a.name == name) {
            return;
        }
        match Device::open(&Path::new("/dev").join(name)) {
            Ok(device) => {
                let identity = fs::read_to_string(format!("/sys/class/watchdog/{name}/identity"));
                self.arm(name, Box::new(device), identity.unwrap_or_default().trim());
            }
            Err(e) => log::warn!("cannot open the watchdog /dev/{name}: {e}"),
        }
    }

    fn arm(&mut self, name: &str, device: Box<dyn Watchdog>, identity: &str) {
        match device.set_timeout(TIMEOUT_SECONDS) {
            Ok(seconds) => log::info!("watchdog {identity} ({name}): {seconds} s"),
            Err(e) => log::warn!("watchdog {identity} ({name}) keeps its own timeout: {e}"),
        }
        let hardware = identity != SOFTDOG;
        self.armed.push(Armed { name: name.to_owned(), device, hardware });
    }

    /// Whether a hardware watchdog guards the machine.
    pub(crate) fn hardware(&self) -> bool {
        self.armed.iter().any(|a| a.hardware)
    }

    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        !self.armed.is_empty()
    }

    /// When [`Watchdogs::feed`] has something to do next.
    pub(crate) fn next_feeding(&self) -> Instant {
        self.next_feeding
    }

    /// Feeds when it is time: the hardware only when the `agent_alive`, the software one always, for
    /// it guards init and init is alive when it comes here.
    pub(crate) fn feed(&mut self, now: Instant, agent_alive: bool) {
        if now < self.next_feeding {
            return;
        }
        self.next_feeding = now + FEED_EVERY;
        for armed in self.armed.iter().filter(|a| agent_alive || !a.hardware) {
            if let Err(e) = armed.device.feed() {
                log::warn!("cannot feed {}: {e}", armed.name);
            }
        }
    }

    /// The last feeding before another kernel is started: it has `time` until the hardware resets the
    /// machine, so that one that hangs brings the machine back.
    pub(crate) fn hand_on(&mut self, now: Instant, time: Duration) {
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        for armed in self.armed.iter().filter(|a| a.hardware) {
            match armed.device.set_timeout(seconds) {
                Ok(seconds) => log::info!("the watchdog {} waits for {seconds} s", armed.name),
                Err(e) => log::warn!("the watchdog {} keeps its timeout: {e}", armed.name),
            }
        }
        self.next_feeding = now;
        self.feed(now, true);
    }

    /// Stops all: the machine is powered off on purpose. Before a reboot they stay armed, so that one
    /// that hangs on the way down or up is reset.
    pub(crate) fn disarm(&mut self) {
        for armed in self.armed.drain(..) {
            if let Err(e) = armed.device.disarm() {
                log::warn!("cannot stop {}: {e}", armed.name);
            }
        }
    }
}

fn is_watchdog(name: &str) -> bool {
    let number = name.strip_prefix("watchdog").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenoboot_sys::fake;

    #[test]
    fn fed_each_five_seconds_while_the_agent_lives() {
        let start = Instant::now();
        let (hard, soft) = (fake::Watchdog::default(), fake::Watchdog::default());
        let mut dogs = Watchdogs::new(start);
        dogs.arm("watchdog0", Box::new(hard.clone()), "i6300ESB timer");
        dogs.arm("watchdog1", Box::new(soft.clone()), SOFTDOG);
        assert_eq!(hard.0.timeout.get(), 30);
        for second in 0..10 {
            dogs.feed(start + Duration::from_secs(second), true);
        }
        assert_eq!((hard.0.fed.get(), soft.0.fed.get()), (2, 2));
        for second in 10..20 {
            dogs.feed(start + Duration::from_secs(second), false);
        }
        assert_eq!((hard.0.fed.get(), soft.0.fed.get()), (2, 4));
        dogs.hand_on(start, Duration::from_secs(90));
        assert_eq!((hard.0.timeout.get(), hard.0.fed.get()), (90, 3));
        dogs.disarm();
        assert!(hard.0.disarmed.get() && soft.0.disarmed.get());
        assert!(!dogs.any());
    }

    #[test]
    fn names_of_watchdogs() {
        assert!(is_watchdog("watchdog0"));
        assert!(!is_watchdog("watchdog") && !is_watchdog("watchdogd") && !is_watchdog("tty1"));
    }
}
