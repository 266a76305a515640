//! What is counted and timed while the machines live.

use super::connection::Trouble;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use xenoboot_wire::RunId;

/// What takes time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// TCP and TLS.
    Connect,
    /// The question what to do.
    Boot,
    /// A bundle's envelope and blobs.
    Fetch,
    /// A batch of events, until it is acknowledged.
    Events,
    /// From power-on to the first line of the first run.
    ToScript,
    /// One download, where nothing else is done.
    Download,
}

impl Step {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Boot => "boot",
            Self::Fetch => "fetch",
            Self::Events => "events",
            Self::ToScript => "to_script",
            Self::Download => "download",
        }
    }
}

/// A run, and how many of its lines the server has acknowledged.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) run: RunId,
    pub(super) lines: u32,
}

/// One machine's part.
#[derive(Default)]
struct Part {
    runs: u32,
    told: Vec<Told>,
}

/// All of it.
pub(super) struct Tally {
    begun: Mutex<Instant>,
    over: AtomicBool,
    parts: Vec<Mutex<Part>>,
    times: Mutex<BTreeMap<Step, Vec<Duration>>>,
    troubles: Mutex<BTreeMap<String, u64>>,
    /// When a machine was told last to run something, milliseconds since 1970.
    ordered_ms: AtomicI64,
    postponed: AtomicU64,
    connected: AtomicU32,
    waiting: AtomicU32,
    bytes: AtomicU64,
    lines: AtomicU64,
}

/// The maps are whole after each statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that is counted for as long as this lives.
pub(super) struct Counted<'a>(&'a AtomicU32);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Tally {
    pub(super) fn new(machines: u32) -> Self {
        Self {
            begun: Mutex::new(Instant::now()),
            over: AtomicBool::new(false),
            parts: (0..machines).map(|_| Mutex::default()).collect(),
            times: Mutex::default(),
            troubles: Mutex::default(),
            ordered_ms: AtomicI64::new(0),
            postponed: AtomicU64::new(0),
            connected: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            lines: AtomicU64::new(0),
        }
    }

    /// The first machine is switched on now.
    pub(super) fn begin(&self) {
        *lock(&self.begun) = Instant::now();
    }

    /// What fails from now on was ended by us: a connection may go before the machine that asks something over it.
    pub(super) fn end(&self) {
        self.over.store(true, Relaxed);
    }

    pub(super) fn elapsed(&self) -> Duration {
        lock(&self.begun).elapsed()
    }

    pub(super) fn took(&self, step: Step, time: Duration) {
        lock(&self.times).entry(step).or_default().push(time);
    }

    pub(super) fn failed(&self, trouble: &Trouble) {
        if self.over.load(Relaxed) {
            return;
        }
        *lock(&self.troubles).entry(trouble.what.clone()).or_default() += 1;
    }

    /// The server asked a machine to come back later.
    pub(super) fn postpone(&self) {
        self.postponed.fetch_add(1, Relaxed);
    }

    pub(super) fn postponed(&self) -> u64 {
        self.postponed.load(Relaxed)
    }

    pub(super) fn connect(&self) -> Counted<'_> {
        Counted::new(&self.connected)
    }

    pub(super) fn wait(&self) -> Counted<'_> {
        Counted::new(&self.waiting)
    }

    /// A machine was told to run something.
    pub(super) fn ordered(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        self.ordered_ms.fetch_max(now, Relaxed);
    }

    pub(super) fn ordered_ms(&self) -> i64 {
        self.ordered_ms.load(Relaxed)
    }

    /// So many bytes were fetched.
    pub(super) fn fetched(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// A machine begins a run.
    pub(super) fn begin_run(&self, machine: u32, run: RunId) {
        if let Some(part) = self.parts.get(machine as usize) {
            lock(part).told.push(Told { run, lines: 0 });
        }
    }

    /// The server has a line of a machine's last run.
    pub(super) fn line_stored(&self, machine: u32) {
        self.lines.fetch_add(1, Relaxed);
        let Some(part) = self.parts.get(machine as usize) else { return };
        if let Some(told) = lock(part).told.last_mut() {
            told.lines += 1;
        }
    }

    pub(super) fn lines(&self) -> u64 {
        self.lines.load(Relaxed)
    }

    /// The server has the result of a machine's run.
    pub(super) fn end_run(&self, machine: u32) {
        if let Some(part) = self.parts.get(machine as usize) {
            lock(part).runs += 1;
        }
    }

    /// How many machines have not reported so many runs.
    pub(super) fn short_of(&self, runs: u32) -> usize {
        self.parts.iter().filter(|part| lock(part).runs < runs).count()
    }

    pub(super) fn machines(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn runs(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(lock(part).runs)).sum()
    }

    /// All runs that were begun.
    pub(super) fn told(&self) -> Vec<Told> {
        self.parts.iter().flat_map(|part| lock(part).told.clone()).collect()
    }

    /// Each step's times, sorted.
    pub(super) fn times(&self) -> BTreeMap<Step, Vec<Duration>> {
        let mut times = lock(&self.times).clone();
        times.values_mut().for_each(|times| times.sort_unstable());
        times
    }

    /// What went wrong, and how often.
    pub(super) fn troubles(&self) -> BTreeMap<String, u64> {
        lock(&self.troubles).clone()
    }

    pub(super) fn connected(&self) -> u32 {
        self.connected.load(Relaxed)
    }

    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// How it goes, in a line.
    pub(super) fn line(&self) -> String {
        let (connected, waiting, runs) = (self.connected(), self.waiting(), self.runs());
        let (failures, lines) = (self.troubles().values().sum::<u64>(), self.lines());
        let postponed = self.postponed();
        format!(
            "{connected} connected, {waiting} waiting, {runs} runs, {lines} lines stored, {postponed} times put off, {failures} failures, {:.0} s",
            self.elapsed().as_secs_f64()
        )
    }
}
