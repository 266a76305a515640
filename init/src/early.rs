//! The first things: mounts, limits, the kernel's settings. Nothing here is fatal: what fails is said
//! and the boot goes on.

use crate::{command_line::CommandLine, paths};
use rustix::{
    mount::MountFlags,
    process::{Resource, Rlimit, setrlimit},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::SystemTime,
};
use xenoboot_sys::{
    Kernel,
    cgroup::ROOT,
    clock, link,
    mount::{Mount, Mounts},
};

/// Source and file system type, target, options; no set-user-ID anywhere.
const MOUNTS: &[(&str, &str, MountFlags, &str)] = &[
    ("proc", "/proc", SAFE, ""),
    ("sysfs", "/sys", SAFE, ""),
    ("devtmpfs", "/dev", MountFlags::NOSUID, "mode=0755"),
    // Bundles are unpacked and run below /run: not noexec.
    ("tmpfs", "/run", NO_DEVICES, "mode=0755,size=50%"),
    ("tmpfs", "/tmp", NO_DEVICES, "mode=1777,size=25%"),
    ("devpts", "/dev/pts", NO_EXEC, "gid=5,mode=620,ptmxmode=000"),
    ("tmpfs", "/dev/shm", NO_DEVICES, "mode=1777,size=25%"),
    ("cgroup2", ROOT, SAFE, "nsdelegate,memory_recursiveprot"),
];

/// What only some machines have: mounted when the folder is there.
const MOUNTS_IF_THERE: &[(&str, &str)] =
    &[("efivarfs", "/sys/firmware/efi/efivars"), ("pstore", "/sys/fs/pstore")];

const NO_DEVICES: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);
const NO_EXEC: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);
const SAFE: MountFlags = NO_DEVICES.union(MountFlags::NOEXEC);

const DEVICE_LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

/// Where script and agent look for commands.
pub(crate) const PATH: &str = "/usr/bin:/usr/sbin:/bin:/sbin";

/// What becomes of a process that crashes; not there in a kernel that has no dumps.
const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// Open files a process may have.
const MOST_FILES: u64 = 65_536;

/// Makes the mounts that everything needs. Returns what failed; the log does not exist yet.
pub(crate) fn mount_all(mounts: &impl Mounts) -> Vec<String> {
    let here: Vec<_> = mounts.mounted().unwrap_or_default().into_iter().map(|m| m.target).collect();
    let mut failed = Vec::new();
    for (kind, target, flags, options) in MOUNTS {
        let target = Path::new(target);
        // A worker that was started again finds everything mounted.
        if here.iter().any(|t| t == target) {
            continue;
        }
        let mount = Mount { source: kind, target, kind, flags: *flags, options };
        let made = fs::create_dir_all(target).and_then(|()| mounts.mount(&mount));
        if let Err(e) = made {
            failed.push(format!("cannot mount {kind} on {}: {e}", target.display()));
        }
    }
    failed
}

/// Mounts what the firmware offers. Needs drivers, so it comes after them.
pub(crate) fn mount_firmware(mounts: &impl Mounts) {
    for (kind, target) in MOUNTS_IF_THERE {
        let target = Path::new(target);
        if target.is_dir() {
            let mount = Mount { source: kind, target, kind, flags: SAFE, options: "" };
            if let Err(e) = mounts.mount(&mount) {
                log::debug!("cannot mount {kind}: {e}");
            }
        }
    }
}

/// Folders, links and limits for everything that is started later.
pub(crate) fn prepare() {
    for (target, link) in DEVICE_LINKS {
        let _ = symlink(target, link);
    }
    if let Err(e) = fs::create_dir_all(paths::RUN)
        .and_then(|()| fs::set_permissions(paths::RUN, fs::Permissions::from_mode(0o700)))
    {
        log::error!("cannot make {}: {e}", paths::RUN);
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let files = Rlimit { current: Some(MOST_FILES), maximum: Some(MOST_FILES) };
    say("limit of open files", setrlimit(Resource::Nofile, files));
    // A dump of the agent's memory would hold its key.
    let core = Rlimit { current: Some(0), maximum: Some(0) };
    say("limit of core dumps", setrlimit(Resource::Core, core));
}

/// Tells the kernel how to behave.
pub(crate) fn settings(line: &CommandLine) {
    // Given on the command line, it cannot be changed.
    if !line.devkmsg {
        // The handler insists on the newline.
        set("/proc/sys/kernel/printk_devkmsg", "on\n");
    }
    if !line.debug {
        // Only emergencies: the screen is the agent's.
        set("/proc/sys/kernel/printk", "1 4 1 7");
    }
    if !line.panic {
        set("/proc/sys/kernel/panic", "10");
    }
    // An oops ends the process that met it, often a mount of a damaged file system: the agent can then
    // report that. If it took more with it, the agent falls silent and the watchdog resets the machine.
    set("/proc/sys/kernel/panic_on_oops", "0");
    set("/proc/sys/kernel/modprobe", paths::INIT);
    set("/proc/sys/kernel/poweroff_cmd", &format!("{} poweroff", paths::INIT));
    if Path::new(CORE_PATTERN).exists() {
        set(CORE_PATTERN, "|/bin/false");
    }
    for process in ["self", "1"] {
        set(&format!("/proc/{process}/oom_score_adj"), "-1000");
    }
    // One by one: a kernel without one of them would take none.
    for controller in ["cpu", "io", "memory", "pids"] {
        set(&format!("{ROOT}/cgroup.subtree_control"), &format!("+{controller}"));
    }
    say("host name", rustix::system::sethostname(b"xenoboot"));
}

/// What the agent can start without.
pub(crate) fn unhurried() {
    say("loopback", link::loopback_up());
    raise_clock();
}

/// The clock is at least at the time when the image was built.
fn raise_clock() {
    let built = fs::metadata(paths::INIT).and_then(|m| m.modified());
    let raised = built.and_then(|floor| clock::raise_to(&Kernel, SystemTime::now(), floor));
    match raised {
        Ok(true) => log::info!("the clock was before the image's time and has been set to that"),
        Ok(false) => {}
        Err(e) => log::warn!("cannot raise the clock: {e}"),
    }
}

fn set(path: &str, value: &str) {
    say(path, fs::write(path, value));
}

fn say<E: std::fmt::Display>(what: &str, result: Result<(), E>) {
    if let Err(e) = result {
        log::warn!("cannot set {what}: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenoboot_sys::fake::MountTable;

    #[test]
    fn a_worker_started_again_mounts_nothing_twice() {
        let table = MountTable::default();
        assert_eq!(mount_all(&table), [] as [&str; 0]);
        assert_eq!(table.table.borrow().len(), MOUNTS.len());
        assert_eq!(mount_all(&table), [] as [&str; 0]);
        assert_eq!(table.table.borrow().len(), MOUNTS.len());
    }

    #[test]
    fn one_that_fails_stops_no_other() {
        let table = MountTable { unknown: ["cgroup2".to_owned()].into(), ..MountTable::default() };
        let failed = mount_all(&table);
        assert!(matches!(failed.as_slice(), [one] if one.starts_with("cannot mount cgroup2")));
        assert_eq!(table.table.borrow().len(), MOUNTS.len() - 1);
    }
}
