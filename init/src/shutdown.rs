//! The orderly end: all processes, all mounts, all disks. It needs nothing from the boot medium.

use crate::{drivers::start_thread, quiet};
use rustix::process::Signal;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread::sleep,
    time::{Duration, Instant},
};
use xenoboot_sys::{
    Kernel,
    block::Disks,
    mount::{Mounted, Mounts},
    power::{End, Power},
    process::Processes,
};

/// The agent's time to say goodbye.
const AGENT_PATIENCE: Duration = Duration::from_secs(10);
/// From SIGTERM to SIGKILL.
const TERM_PATIENCE: Duration = Duration::from_secs(5);
/// For the killed to be gone: one that waits for a dead disk never is.
const KILL_PATIENCE: Duration = Duration::from_secs(2);
/// For dirty pages; a dead disk takes them never.
const SYNC_PATIENCE: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(20);

/// Mounts of mounts and loops on mounts: unmounting is tried this often. What lay on what was unmounted is let
/// go a moment later.
const PASSES: usize = 10;

/// File systems with nothing behind them.
const VIRTUAL: &[&str] = &[
    "rootfs",
    "ramfs",
    "tmpfs",
    "devtmpfs",
    "devpts",
    "proc",
    "sysfs",
    "cgroup2",
    "efivarfs",
    "pstore",
    "debugfs",
    "tracefs",
    "securityfs",
    "configfs",
    "bpf",
    "mqueue",
    "hugetlbfs",
    "binfmt_misc",
];

/// Runs the shutdown in a thread of its own: the loop goes on feeding the watchdog. `agent_gone` is set
/// by the loop; the flag returned is set when the machine may be ended in the way of `how`.
pub(crate) fn start(how: End, agent_gone: Arc<AtomicBool>) -> Arc<AtomicBool> {
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    start_thread("shutdown", move || {
        wait_until(AGENT_PATIENCE, || agent_gone.load(Ordering::Acquire));
        end_processes(&Kernel, TERM_PATIENCE, KILL_PATIENCE);
        unmount_all(&Kernel, &Kernel);
        sync();
        if how == End::Kexec {
            quiet::devices();
        }
        flag.store(true, Ordering::Release);
    });
    done
}

/// Whether `done` came true in time.
fn wait_until(patience: Duration, done: impl Fn() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        sleep(POLL);
    }
}

fn end_processes(processes: &impl Processes, term: Duration, kill: Duration) {
    // An error means that there was nobody to signal.
    let _ = processes.signal_all(Signal::TERM);
    // A stopped process does not see TERM before it goes on.
    let _ = processes.signal_all(Signal::CONT);
    let nobody = || processes.others().is_empty();
    if wait_until(term, nobody) {
        return;
    }
    let _ = processes.signal_all(Signal::KILL);
    if !wait_until(kill, nobody) {
        let names: Vec<String> = processes.others().into_iter().map(|(_, name)| name).collect();
        log::warn!("still running after SIGKILL: {}", names.join(" "));
    }
}

fn unmount_all(mounts: &impl Mounts, disks: &impl Disks) {
    let real = || -> Vec<Mounted> {
        let all = mounts.mounted().unwrap_or_default().into_iter();
        all.filter(|m| !VIRTUAL.contains(&m.kind.as_str())).rev().collect()
    };
    for _ in 0..PASSES {
        for mounted in real() {
            let _ = mounts.unmount(&mounted.target, false);
        }
        if disks.detach_loops() == 0 && real().is_empty() {
            return;
        }
        sleep(POLL);
    }
    for mounted in real() {
        log::warn!("{} is in use: made read-only", mounted.target.display());
        if let Err(e) = mounts.make_read_only(&mounted.target) {
            log::warn!("cannot make {} read-only: {e}", mounted.target.display());
        }
        let _ = mounts.unmount(&mounted.target, true);
    }
}

fn sync() {
    let (done, wait) = channel();
    start_thread("sync", move || {
        Kernel.sync();
        let _ = done.send(());
    });
    if wait.recv_timeout(SYNC_PATIENCE).is_err() {
        log::error!("the disks did not take everything within 30 s");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::Pid;
    use xenoboot_sys::fake::{Blocks, MountTable, ProcessTable};

    fn mounted(target: &str, kind: &str) -> Mounted {
        Mounted { target: target.into(), kind: kind.into() }
    }

    #[test]
    fn who_obeys_is_not_killed() {
        let process = |stubborn| (Pid::from_raw(77).unwrap(), "sh".to_owned(), stubborn);
        let table = ProcessTable { table: vec![process(false)].into(), ..ProcessTable::default() };
        end_processes(&table, Duration::ZERO, Duration::ZERO);
        assert_eq!(*table.sent.borrow(), [Signal::TERM, Signal::CONT]);
        let table = ProcessTable { table: vec![process(true)].into(), ..ProcessTable::default() };
        end_processes(&table, Duration::ZERO, Duration::ZERO);
        assert_eq!(*table.sent.borrow(), [Signal::TERM, Signal::CONT, Signal::KILL]);
    }

    #[test]
    fn what_scripts_mounted_goes_in_reverse_and_a_busy_one_is_made_read_only() {
        let table = vec![
            mounted("/", "rootfs"),
            mounted("/proc", "proc"),
            mounted("/mnt", "ext4"),
            mounted("/mnt/busy", "xfs"),
            mounted("/mnt/iso", "iso9660"),
        ];
        let busy = ["/mnt/busy".into()].into();
        let mounts = MountTable {
            table: table.into(),
            busy: std::cell::RefCell::new(busy),
            ..MountTable::default()
        };
        let disks = Blocks { loops: 1.into(), ..Blocks::default() };
        unmount_all(&mounts, &disks);
        assert_eq!(disks.loops.get(), 0);
        assert_eq!(*mounts.read_only.borrow(), [std::path::PathBuf::from("/mnt/busy")]);
        let left: Vec<_> = mounts.table.borrow().iter().map(|m| m.kind.clone()).collect();
        assert_eq!(left, ["rootfs", "proc"]);
    }
}
