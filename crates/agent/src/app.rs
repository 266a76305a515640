//! Puts the parts together, in the order that wastes no time: the network is set to work first, and
//! everything that can be done while it waits for answers is done then.

use crate::{
    backoff::Backoff,
    confirm::Confirmations,
    console::{self, Consoles},
    context::{self, Context, Parts},
    enrolment::Enrolment,
    events::{
        sender,
        spool::{Bounds, Spool},
    },
    failure::Failure,
    identity::Identity,
    init::{Init, Tell},
    inventory,
    layout::Layout,
    life,
    phase::{
        contact,
        network::{self, Network},
    },
    random,
    report::{Logger, Reporter},
    run_state::{CurrentRun, Kept},
    secrets::Secrets,
    server::{Server, Slot},
    settings,
    socket::{self, Desk},
    ssh::door,
    status::{Next, Status},
    time::ServerTime,
    toolbox::{self, Toolbox},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{MissedTickBehavior, sleep, timeout},
};
use xenoboot_wire::{
    BootId, Code,
    event::{MAX_TEXT, Source, What},
};

/// How often init hears that the event loop turns.
const ALIVE: Duration = Duration::from_secs(2);
/// For a script to end when the machine is shut down.
const SCRIPT_ENDS: Duration = Duration::from_secs(4);
/// For events to reach the server then.
const FLUSH: Duration = Duration::from_secs(5);
/// For the consoles to take the last lines.
const DRAIN: Duration = Duration::from_millis(300);
/// Most lines of the agent before that are kept.
const LAST_WORDS: usize = 100;

/// Runs until init says stop.
pub async fn run(layout: Layout, init: Init) {
    tokio::spawn(alive(init.clone()));
    let (boot, reporter) = begin(&layout).await;
    if !init.is_there() {
        reporter.console("there is no init on descriptor 3: the agent was started by hand");
    }
    last_words(&layout, &reporter);
    let (stop, stopping) = watch::channel(false);
    let (slot, server) = Server::new();
    let current = CurrentRun::default();
    tokio::spawn(sender::run(reporter.clone(), server.clone(), boot));
    let parts = Foundation {
        layout,
        init: init.clone(),
        boot,
        reporter: reporter.clone(),
        server,
        current: current.clone(),
        stopping,
    };
    tokio::select! {
        () = parts.build(slot) => {}
        () = shut_down_when_told(&init, &reporter, &current, &stop) => {}
    }
}

/// The main loop's sign of life: it comes from the same thread and event loop as everything else.
async fn alive(init: Init) {
    let mut tick = tokio::time::interval(ALIVE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        init.tell(Tell::Alive);
    }
}

/// Consoles, screen and events: whatever happens from here on can be said.
async fn begin(layout: &Layout) -> (BootId, Reporter) {
    let mut backoff = Backoff::default();
    let boot = inventory::boot_id(Path::new("/")).unwrap_or_else(|| BootId(random::bytes()));
    let spool = loop {
        let opened = layout
            .prepare()
            .and_then(|()| Spool::open(&layout.state("spool"), &boot, Bounds::DEFAULT));
        match opened {
            Ok(spool) => break spool,
            Err(e) => {
                let line = format!("{}: {e}\n", layout.state("spool").display());
                let _ = rustix::io::write(rustix::stdio::stderr(), line.as_bytes());
                sleep(backoff.failed(None).1).await;
            }
        }
    };
    let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    let devices = if layout.by_hand() { Vec::new() } else { console::line_consoles(&active) };
    let status =
        Status { version: settings::image(layout).version.to_string(), ..Status::default() };
    let reporter = Reporter::new(spool, Consoles::start(&devices), status);
    let drawn = reporter.clone();
    if !layout.by_hand() {
        tokio::spawn(console::draw(PathBuf::from("/dev/tty1"), move || {
            drawn.status(|s| s.clone())
        }));
    }
    // Fails only when there is a logger already.
    if log::set_boxed_logger(Box::new(Logger(reporter.clone()))).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
    (boot, reporter)
}

/// What the agent before this one printed last, if it died.
fn last_words(layout: &Layout, reporter: &Reporter) {
    let path = layout.state("agent.last");
    let Ok(bytes) = fs::read(&path) else { return };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(LAST_WORDS)) {
        let text = crate::text::cut(line, MAX_TEXT);
        reporter.event(None, What::Line { source: Source::Init, text });
    }
    // init's own line, how it ended, comes first.
    let (how, words) = lines.split_first().unwrap_or((&"init does not say how", &[]));
    let words = words.last().map_or("none", |line| line.trim());
    let next = Next::Text("going on where it stopped".to_owned());
    let cause = format!("{how}; its last words: {words}");
    reporter.failure(&Failure::new(Code::AgentDied, cause), 1, next);
    // Told again if it stays, which is better than not at all.
    let _ = fs::remove_file(path);
}

/// What is there before the image's files have been read.
struct Foundation {
    layout: Layout,
    init: Init,
    boot: BootId,
    reporter: Reporter,
    server: Server,
    current: CurrentRun,
    stopping: watch::Receiver<bool>,
}

impl Foundation {
    /// Builds the rest and lives.
    async fn build(self, slot: Slot) {
        self.reporter.phase(network::PHASE.name);
        let reporter = self.reporter.clone();
        let site = again(&reporter, || settings::site(&self.layout)).await;
        let machine = again(&reporter, || settings::machine(&self.layout)).await;
        let network =
            again(&reporter, || Network::start(&self.layout, &site, machine.name.as_deref())).await;
        // From here on cards negotiate, and DHCP servers think: time for everything else.
        let identity = Arc::new(again(&reporter, || self.identity()).await);
        let trust = again(&reporter, || settings::trust(&self.layout)).await;
        let known = again(&reporter, || {
            site.servers
                .iter()
                .map(|s| settings::known_server(s, &identity))
                .collect::<anyhow::Result<Vec<_>>>()
        })
        .await;
        reporter.status(|s| {
            s.fingerprint = Some(identity.machine.fingerprint());
            s.machine = machine.name.clone();
        });
        reporter.works(&["XB-INI-05", "XB-INI-06"]);
        let fleet = trust.fleet;
        let secrets = again(&reporter, || Secrets::new(&identity, fleet)).await;
        let signer = again(&reporter, || identity.signing_key()).await;
        let desk = Desk {
            reporter: reporter.clone(),
            current: self.current.clone(),
            secrets: Arc::new(secrets),
            confirmations: Confirmations::new(self.server.clone(), self.boot, &site),
            signer: Arc::new(signer),
        };
        serve_scripts(self.layout.socket(), desk);
        let kept = Kept::load(&self.layout.state("state"), self.boot);
        let context = Context::new(Parts {
            image: settings::image(&self.layout),
            layout: self.layout,
            reporter,
            server: self.server,
            init: self.init,
            identity,
            trust,
            name: machine.name,
            groups: machine.groups,
            boot: self.boot,
            inventory: context::inventory_of_machine,
            time: ServerTime::default(),
            kept: Mutex::new(kept),
            enrolment: Enrolment::of_command_line(
                &fs::read_to_string("/proc/cmdline").unwrap_or_default(),
            ),
            toolbox: Toolbox::default(),
            current: self.current,
            stop: self.stopping,
        });
        let connecting = async {
            network::run(&context, &network).await;
            contact::keep_connected(&context, slot, &network, &known).await;
        };
        tokio::join!(
            network::watch(&context, &network),
            connecting,
            life::live(context.clone()),
            door::keep(&context),
            toolbox::to_memory(&context)
        );
    }

    fn identity(&self) -> anyhow::Result<Identity> {
        if !random::ready() {
            anyhow::bail!("the kernel's random numbers are not seeded yet");
        }
        Identity::load(&self.layout)
    }
}

/// Does something that the image's files may make impossible, until it works: an image that is wrong
/// is replaced by people, who need to read on the screen what is wrong with it.
async fn again<T>(reporter: &Reporter, mut work: impl FnMut() -> anyhow::Result<T>) -> T {
    let mut backoff = Backoff::default();
    loop {
        match work() {
            Ok(done) => return done,
            Err(e) => {
                let code = if random::ready() { Code::SiteInvalid } else { Code::NoRandomness };
                let (attempt, delay) = backoff.failed(None);
                // Randomness comes soon, and nobody need read that for a moment it was not there.
                if code == Code::SiteInvalid || attempt > 2 {
                    reporter.failure(
                        &Failure::new(code, format!("{e:#}")),
                        attempt,
                        Next::after(delay),
                    );
                }
                sleep(if code == Code::NoRandomness {
                    delay.min(Duration::from_millis(200))
                } else {
                    delay
                })
                .await;
            }
        }
    }
}

fn serve_scripts(path: PathBuf, desk: Desk) {
    tokio::spawn(async move {
        let mut backoff = Backoff::default();
        let listener = loop {
            match socket::listen(&path) {
                Ok(listener) => break listener,
                Err(e) => {
                    desk.reporter.say(None, &format!("{}: {e}", path.display()));
                    sleep(backoff.failed(None).1).await;
                }
            }
        };
        socket::serve(listener, desk).await;
    });
}

/// init says stop; or, by hand, a signal does.
async fn ended(init: &Init) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return init.stop().await;
    };
    tokio::select! {
        () = init.stop() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn shut_down_when_told(
    init: &Init,
    reporter: &Reporter,
    current: &CurrentRun,
    stop: &watch::Sender<bool>,
) {
    ended(init).await;
    reporter.say(None, "the agent stops: the machine is shut down");
    reporter.status(|s| s.phase = ("shutting down", crate::time::uptime_ms()));
    stop.send_replace(true);
    let script = async {
        while current.get().is_some() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = timeout(SCRIPT_ENDS, script).await;
    if timeout(FLUSH, reporter.stored(reporter.last())).await.is_err() {
        reporter.console("the server could not be told everything before the end");
    }
    reporter.consoles().drain(DRAIN).await;
}
