//! What every phase has at hand.

use crate::{
    enrolment::Enrolment,
    failure::Failure,
    identity::Identity,
    init::Init,
    inventory,
    layout::Layout,
    random,
    report::Reporter,
    run_state::{CurrentRun, Kept},
    server::Server,
    time::{ServerTime, uptime_ms},
    toolbox::Toolbox,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;
use xenoboot_bundle::TrustedSigners;
use xenoboot_sys::{Kernel, clock::Clock as _};
use xenoboot_wire::{
    BootId, Code, Nonce, PROTOCOL,
    boot::{BootReply, BootRequest, ImageInfo, Inventory},
};

/// A clock that is off by no more is left alone.
const CLOCK_TOLERANCE_MS: u64 = 1000;

/// What every phase has at hand; clones share it.
#[derive(Clone, Debug)]
pub struct Context(Arc<Parts>);

/// The parts of a [`Context`].
#[derive(Debug)]
pub struct Parts {
    /// Where files are.
    pub layout: Layout,
    /// Where everything is said.
    pub reporter: Reporter,
    /// The connection.
    pub server: Server,
    /// The socket to init.
    pub init: Init,
    /// The machine's key.
    pub identity: Arc<Identity>,
    /// Whose bundles run here.
    pub trust: TrustedSigners,
    /// The name stamped into the image.
    pub name: Option<String>,
    /// The groups stamped into the image.
    pub groups: Vec<String>,
    /// This power-on.
    pub boot: BootId,
    /// The image that booted.
    pub image: ImageInfo,
    /// What the hardware is; taken at the last moment, when cards and disks have been found.
    pub inventory: fn(&Layout, &Reporter) -> Inventory,
    /// The server's time.
    pub time: ServerTime,
    /// What outlives the agent.
    pub kept: Mutex<Kept>,
    /// How the machine is approved with no operator at hand.
    pub enrolment: Enrolment,
    /// The packaged programs.
    pub toolbox: Toolbox,
    /// The run in progress.
    pub current: CurrentRun,
    /// Becomes true when the agent shall stop.
    pub stop: watch::Receiver<bool>,
}

impl std::ops::Deref for Context {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Context {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// What outlives the agent.
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the machine says when it asks what to do.
    #[must_use]
    pub fn boot_request(&self, nonce: Nonce) -> BootRequest {
        BootRequest {
            protocol: PROTOCOL,
            nonce,
            boot: self.boot,
            image: self.image.clone(),
            name: self.name.clone(),
            inventory: (self.inventory)(&self.layout, &self.reporter),
            last_run: self.kept().get().last_run.clone(),
            token: self.enrolment.token(),
            uptime_ms: uptime_ms(),
        }
    }

    /// Takes an answer in: the nonce must be ours, and the clock is set before anything looks at it.
    ///
    /// # Errors
    /// `BadAnswer` when the answer is to another question.
    pub fn accept(&self, nonce: Nonce, reply: &BootReply) -> Result<(), Failure> {
        if reply.nonce != nonce {
            return Err(Failure::new(
                Code::BadAnswer,
                "the answer repeats another nonce than the one sent",
            ));
        }
        self.time.learn(reply.time_ms);
        if !self.layout.by_hand() {
            self.set_clock(reply.time_ms);
        }
        Ok(())
    }

    fn set_clock(&self, time_ms: u64) {
        let time = Duration::from_millis(time_ms);
        let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let off = ours.abs_diff(time);
        if off.as_millis() <= CLOCK_TOLERANCE_MS.into() {
            return;
        }
        let set = Kernel.set(time);
        self.reporter.say(
            None,
            &format!("the clock was off by {} s and is set to the server's", off.as_secs()),
        );
        if let Err(e) = set {
            self.reporter.say(None, &format!("the clock cannot be set: {e}"));
        }
        // Slow on some hardware, and nothing waits for it.
        let reporter = self.reporter.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(e) = Kernel.set_hardware(time) {
                reporter.say(None, &format!("the hardware clock cannot be set: {e}"));
            }
        });
    }

    /// A nonce nobody has seen.
    #[must_use]
    pub fn nonce() -> Nonce {
        Nonce(random::bytes())
    }

    /// Whether the agent shall stop.
    #[must_use]
    pub fn stopping(&self) -> bool {
        *self.stop.borrow()
    }
}

/// The inventory of this machine.
#[must_use]
pub fn inventory_of_machine(layout: &Layout, reporter: &Reporter) -> Inventory {
    let medium = std::fs::read_to_string(layout.state("medium")).unwrap_or_default();
    let medium = medium
        .split_whitespace()
        .next()
        .map(|device| device.trim_start_matches("/dev/").to_owned());
    inventory::take(std::path::Path::new("/"), reporter.links(), medium.as_deref())
}
