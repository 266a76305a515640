//! Drivers: each device says by its modalias what it is; a few threads load what fits. Network cards
//! come first, because everything waits for the network, and nothing for the rest.

use crate::{early, paths};
use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashSet},
    fs,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};
use xenoboot_sys::{
    Kernel,
    kmod::{LoadError, Modules},
};

/// Looked at in this order; devices that bring others come before those. `/sys/bus/X/devices` holds
/// every device with a driver's modalias except the machine itself, which `dmi` describes.
const FIRST_BUSES: &[&str] = &["virtio", "pci", "vmbus", "xen", "usb"];
const MACHINE: &str = "/sys/class/dmi/id/modalias";

/// Folders of modules that are not loaded because a device asks for them: a display driver would
/// take the text screen away and replace it by a frame buffer; sound is of no use, and one of its
/// drivers beeps. By name (`modprobe`) each can still be had.
const UNWANTED: &[&str] = &["kernel/drivers/gpu", "kernel/drivers/video", "kernel/sound"];
const UNWANTED_NAMES: &[&str] = &["pcspkr.ko", "snd-pcsp.ko", "floppy.ko"];

/// Modaliases remembered as done. A device that makes up names without end fills no memory.
const MOST_REMEMBERED: usize = 16_384;

/// Threads: loading is mostly decompression, and some drivers sleep while they look for devices.
const MOST_THREADS: usize = 4;

/// For this long after the start, once there is a network card, only its driver is loaded: the others
/// would take processors, caches and locks from the way to the server, and the kernel does not interrupt
/// decompression. Scripts that need a disk wait for it (`xb settle`).
const NETWORK_ALONE: Duration = Duration::from_millis(1500);

/// In which order drivers are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Network,
    /// Randomness, for keys; the watchdog.
    Guard,
    Storage,
    Rest,
}

#[derive(Debug, PartialEq, Eq)]
struct Job {
    rank: Rank,
    number: u64,
    alias: String,
}

/// The threads that load drivers. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Drivers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    command_line: Vec<String>,
    /// Opened by the first thread that needs them; `None` inside when that failed.
    modules: OnceLock<Option<Modules>>,
    queue: Mutex<Queue>,
    more: Condvar,
    begun: Instant,
}

impl Shared {
    fn new(command_line: Vec<String>) -> Self {
        Self {
            command_line,
            modules: OnceLock::new(),
            queue: Mutex::default(),
            more: Condvar::new(),
            begun: Instant::now(),
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    jobs: BinaryHeap<Job>,
    known: HashSet<String>,
    count: u64,
    /// Jobs in work.
    busy: usize,
    /// There is a network card.
    network: bool,
    /// The first look at all devices is over.
    looked: bool,
    /// Everything that the first look found has been loaded, and that was said.
    settled: bool,
}

impl Drivers {
    /// Starts the threads and looks at all devices. Without modules, says so and does nothing.
    pub(crate) fn start(command_line: Vec<String>) -> Self {
        let drivers = Self(Arc::new(Shared::new(command_line)));
        drivers.look();
        let threads = thread::available_parallelism().map_or(1, usize::from).clamp(2, MOST_THREADS);
        for _ in 0..threads {
            let copy = drivers.clone();
            start_thread("drivers", move || copy.work());
        }
        drivers
    }

    /// Looks at all devices, in a thread of its own.
    pub(crate) fn look(&self) {
        let copy = self.clone();
        start_thread("coldplug", move || copy.coldplug(Path::new("/sys/bus")));
    }

    /// A device came.
    pub(crate) fn device(&self, alias: &str) {
        let mut queue = self.lock();
        if queue.known.len() >= MOST_REMEMBERED {
            queue.known.clear();
        }
        if alias.is_empty() || !queue.known.insert(alias.to_owned()) {
            return;
        }
        queue.count += 1;
        let (number, rank) = (queue.count, rank(alias));
        queue.network |= rank == Rank::Network;
        queue.jobs.push(Job { rank, number, alias: alias.to_owned() });
        self.0.more.notify_one();
    }

    /// Loads a module by name, now.
    ///
    /// # Errors
    /// When there is none or the kernel refuses.
    pub(crate) fn module(&self, name: &str) -> Result<(), LoadError> {
        match self.modules() {
            Some(modules) => modules.load(&Kernel, name).map(drop),
            None => Err(LoadError::Unknown(name.to_owned())),
        }
    }

    fn modules(&self) -> Option<&Modules> {
        let open = || match Modules::open(&paths::modules()) {
            Ok(modules) => {
                Some(modules.with_command_line(self.0.command_line.iter().map(String::as_str)))
            }
            Err(e) => {
                log::error!("no drivers can be loaded: {:#}", anyhow::Error::from(e));
                None
            }
        };
        self.0.modules.get_or_init(open).as_ref()
    }

    fn coldplug(&self, buses: &Path) {
        let mut all: Vec<String> = FIRST_BUSES.iter().map(|b| (*b).to_owned()).collect();
        let found = fs::read_dir(buses).into_iter().flatten().flatten();
        let found = found.filter_map(|entry| entry.file_name().into_string().ok());
        all.extend(found.filter(|bus| !FIRST_BUSES.contains(&bus.as_str())));
        for bus in all {
            for device in
                fs::read_dir(buses.join(bus).join("devices")).into_iter().flatten().flatten()
            {
                if let Ok(alias) = fs::read_to_string(device.path().join("modalias")) {
                    self.device(alias.trim_end());
                }
            }
        }
        if let Ok(alias) = fs::read_to_string(MACHINE) {
            self.device(alias.trim_end());
        }
        self.lock().looked = true;
        self.0.more.notify_all();
    }

    /// A thread's life.
    fn work(&self) {
        let mut politeness = 0;
        loop {
            let Some(job) = self.next() else { continue };
            // What is not urgent shall not take the processor from what is.
            let wanted = if job.rank == Rank::Network { 0 } else { 10 };
            if wanted != politeness {
                let _ = rustix::process::setpriority_process(None, wanted);
                politeness = wanted;
            }
            self.load(&job);
            self.lock().done();
            self.0.more.notify_all();
        }
    }

    /// Waits for a job; `None` when the wait is to be begun anew.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        if let Some(job) = queue.take(self.0.begun.elapsed()) {
            return Some(job);
        }
        if queue.looked && queue.busy == 0 && queue.jobs.is_empty() && !queue.settled {
            queue.settled = true;
            drop(queue);
            early::mount_firmware(&Kernel);
            let _ = fs::write(paths::SETTLED, "");
            log::info!("drivers of the devices found first are loaded");
            return None;
        }
        // Held jobs are looked at again when the network's time is over.
        let left =
            NETWORK_ALONE.saturating_sub(self.0.begun.elapsed()).max(Duration::from_millis(10));
        let wait = if queue.jobs.is_empty() { Duration::from_secs(60) } else { left };
        drop(self.0.more.wait_timeout(queue, wait).map_err(PoisonError::into_inner));
        None
    }

    fn load(&self, job: &Job) {
        let Some(modules) = self.modules() else { return };
        let start = Instant::now();
        let alias = &job.alias;
        match modules.load_only(&Kernel, alias, wanted) {
            Ok(loaded) if loaded.is_empty() => {}
            Ok(loaded) => {
                let took = start.elapsed().as_millis();
                log::debug!("{} for {alias} ({took} ms)", loaded.join(" "));
            }
            // Most devices need no driver of ours.
            Err(LoadError::Unknown(_)) => {}
            Err(e) => log::warn!("driver for {alias}: {:#}", anyhow::Error::from(e)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// The most urgent job, unless it is to wait for a network card's. `age` is the queue's.
    fn take(&mut self, age: Duration) -> Option<Job> {
        let urgent = self.jobs.peek()?.rank == Rank::Network;
        if !urgent && self.network && age < NETWORK_ALONE {
            return None;
        }
        let job = self.jobs.pop()?;
        self.busy += 1;
        Some(job)
    }

    fn done(&mut self) {
        self.busy -= 1;
    }
}

/// Starts a thread; when that fails, says so: init goes on without what it would have done.
pub(crate) fn start_thread(name: &str, body: impl FnOnce() + Send + 'static) {
    if let Err(e) = thread::Builder::new().name(name.to_owned()).stack_size(256 << 10).spawn(body) {
        log::error!("cannot start the thread {name}: {e}");
    }
}

fn wanted(file: &Path) -> bool {
    let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    !UNWANTED.iter().any(|folder| file.starts_with(folder))
        && !UNWANTED_NAMES.iter().any(|unwanted| name.starts_with(unwanted))
}

/// What a modalias is about, as far as it matters for the order.
fn rank(alias: &str) -> Rank {
    let (bus, rest) = alias.split_once(':').unwrap_or((alias, ""));
    // pci:v...d...sv...sd...bcXXscYYiZZ: the class code.
    let class = rest.rsplit_once("bc").and_then(|(_, class)| class.get(..2));
    match (bus, class) {
        ("pci", Some("02")) => Rank::Network,
        // Mass storage; bridges and system peripherals, where watchdogs are.
        ("pci", Some("01")) => Rank::Storage,
        ("pci", Some("06" | "08")) => Rank::Guard,
        // Serial bus controllers: USB, behind which there may be a network card or the boot medium.
        ("pci", Some("0c" | "0C")) => Rank::Storage,
        ("virtio", _) if rest.starts_with("d00000001") => Rank::Network,
        ("virtio", _) if rest.starts_with("d00000004") => Rank::Guard,
        ("virtio" | "scsi" | "usb" | "nvme", _) => Rank::Storage,
        // Hyper-V's network card; its other devices.
        ("vmbus", _) if rest.starts_with("635161f83edfc546913ff2d2f965ed0e") => Rank::Network,
        ("vmbus", _) => Rank::Storage,
        ("platform", _) if rest.to_ascii_lowercase().contains("wdt") => Rank::Guard,
        _ => Rank::Rest,
    }
}

/// The heap gives the greatest first: the lower rank, and of equals the earlier one, is greater.
impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank.cmp(&self.rank).then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_first() {
        let sata = "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01";
        let card = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00";
        let video = "pci:v00001234d00001111sv00001AF4sd00001100bc03sc00i00";
        let wdt = "pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00";
        let mut heap: BinaryHeap<Job> = [video, sata, "virtio:d00000001v00001AF4", wdt, card]
            .iter()
            .zip(0..)
            .map(|(alias, number)| Job { rank: rank(alias), number, alias: (*alias).to_owned() })
            .collect();
        let order: Vec<String> = std::iter::from_fn(|| heap.pop()).map(|j| j.alias).collect();
        assert_eq!(order, ["virtio:d00000001v00001AF4", card, wdt, sata, video]);
    }

    #[test]
    fn others_wait_when_there_is_a_network_card_but_not_long() {
        let mut queue = Queue::default();
        let job = |rank, number| Job { rank, number, alias: String::new() };
        queue.jobs.extend([job(Rank::Storage, 1), job(Rank::Network, 2), job(Rank::Network, 3)]);
        queue.network = true;
        let (early, late) = (Duration::ZERO, NETWORK_ALONE);
        assert_eq!(queue.take(early).unwrap().number, 2);
        assert_eq!(queue.take(early).unwrap().number, 3, "another card does not wait");
        assert_eq!(queue.take(early), None);
        assert_eq!(queue.take(late).unwrap().number, 1);
        let mut queue = Queue::default();
        queue.jobs.push(job(Rank::Rest, 4));
        assert_eq!(queue.take(early).unwrap().number, 4, "nothing to wait for without a card");
    }

    #[test]
    fn displays_and_beeps_are_not_wanted() {
        let wanted = |file| wanted(Path::new(file));
        assert!(wanted("kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko.xz"));
        assert!(!wanted("kernel/drivers/gpu/drm/tiny/bochs.ko.xz"));
        assert!(!wanted("kernel/drivers/input/misc/pcspkr.ko.xz"));
    }

    #[test]
    fn a_flood_of_names_is_forgotten() {
        let drivers = Drivers(Arc::new(Shared::new(Vec::new())));
        for n in 0..MOST_REMEMBERED + 10 {
            drivers.device(&format!("usb:v{n}"));
        }
        drivers.device("usb:v5");
        assert!(drivers.lock().known.len() <= MOST_REMEMBERED);
    }
}
