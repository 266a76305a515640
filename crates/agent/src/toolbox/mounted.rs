//! The file as a mounted file system: a loop device, dm-verity on that, squashfs on that. All three go with
//! the mount.

use super::{FOLDER, Facts, facts::BLOCK};
use anyhow::{Context as _, Result, anyhow};
use rustix::mount::MountFlags;
use std::{
    fs::{self, File},
    io,
    path::Path,
};
use xenoboot_sys::{
    Kernel,
    dm::{self, Target},
    kmod::Modules,
    loopdev::{self, Attach},
    mount::{Mount, Mounts},
};

const MODULES: &[&str] = &["loop", "dm_mod", "dm_verity", "squashfs"];

/// One whose medium failed lives on for as long as a program of it runs: more than these are not tried.
const MOST: usize = 8;

/// What is mounted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    /// The loop device, `loop0`.
    pub(super) backing: String,
}

impl Mounted {
    /// What is mounted now, if anything.
    pub(super) fn now(_: &Kernel) -> Option<Self> {
        let table = fs::read_to_string("/proc/self/mounts").ok()?;
        let device = source(&table)?;
        let below = fs::read_dir(format!("/sys/block/{device}/slaves")).ok()?.next()?.ok()?;
        Some(Self { backing: below.file_name().into_string().ok()? })
    }

    /// Where its file is, for people.
    pub(super) fn place(&self) -> String {
        let file = format!("/sys/block/{}/loop/backing_file", self.backing);
        let file = fs::read_to_string(file).unwrap_or_default();
        if file.contains("/medium.d/") {
            let medium = fs::read_to_string("/run/xenoboot/medium").unwrap_or_default();
            let device = medium.split_whitespace().next().unwrap_or("a device that is gone");
            format!("the toolbox on the boot medium, {device}")
        } else {
            "the toolbox in memory".to_owned()
        }
    }
}

/// The device-mapper device mounted last on the folder, by `/proc/self/mounts`.
fn source(table: &str) -> Option<&str> {
    let lines = table.lines().rev().map(|line| line.split(' ').collect::<Vec<_>>());
    lines.into_iter().find_map(|fields| match fields[..] {
        [source, FOLDER, "squashfs", ..] => source.strip_prefix("/dev/"),
        _ => None,
    })
}

/// Mounts the file, in the place of one that failed.
pub(super) fn mount(kernel: &Kernel, file: &Path, facts: &Facts) -> Result<()> {
    load_modules(kernel)?;
    if Mounted::now(kernel).is_some() {
        // What a program has open of it stays.
        kernel.unmount(Path::new(FOLDER), true).context("the toolbox that was damaged")?;
    }
    let open = File::open(file)?;
    let how = Attach { read_only: true, auto_clear: true, direct: true, ..Attach::default() };
    // Held open until the device above it holds it.
    let (_loop, path) = loopdev::attach(&open, how).context("loop device")?;
    let (name, device) = verified(&path.display().to_string(), facts)?;
    let mounted = fs::create_dir_all(FOLDER).and_then(|()| {
        let source = device.display().to_string();
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
        let target = Path::new(FOLDER);
        kernel.mount(&Mount { source: &source, target, kind: "squashfs", flags, options: "" })
    });
    // With the mount, or at once when there is none.
    let removed = dm::remove_when_unused(&name);
    mounted.context("mount")?;
    removed.context("device mapper")
}

fn load_modules(kernel: &Kernel) -> Result<()> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let modules = Modules::open(&Path::new("/usr/lib/modules").join(release))?;
    for name in MODULES {
        modules.load(kernel, name).with_context(|| format!("kernel module {name}"))?;
    }
    Ok(())
}

/// A device that gives an error instead of a block that does not have its digest.
fn verified(below: &str, facts: &Facts) -> Result<(String, std::path::PathBuf)> {
    let target = table(below, facts);
    for number in 0..MOST {
        let name = format!("toolbox-{number}");
        match dm::create(&name, &target) {
            Ok(device) => return Ok((name, device)),
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {}
            Err(e) => return Err(e).context("dm-verity"),
        }
    }
    Err(anyhow!("{MOST} toolboxes are mounted already"))
}

/// The kernel's Documentation/admin-guide/device-mapper/verity.rst.
fn table(below: &str, facts: &Facts) -> Target {
    let Facts { data_blocks, root_hash, salt, .. } = facts;
    let salt = if salt.is_empty() { "-" } else { salt };
    let parameters = format!(
        "1 {below} {below} {BLOCK} {BLOCK} {data_blocks} {data_blocks} sha256 {root_hash} {salt}"
    );
    Target { kind: "verity", sectors: data_blocks * (BLOCK / 512), parameters }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenoboot_wire::Digest;

    #[test]
    fn the_last_mount_counts() {
        let table = "rootfs / rootfs rw 0 0\n/dev/dm-0 /toolbox squashfs ro 0 0\n\
                     /dev/dm-1 /toolbox squashfs ro 0 0\n/dev/sda1 /mnt ext4 rw 0 0\n";
        assert_eq!(source(table), Some("dm-1"));
        assert_eq!(source("/dev/dm-1 /toolbox/x squashfs ro 0 0\n"), None);
        assert_eq!(source(""), None);
    }

    #[test]
    fn the_hash_tree_begins_behind_the_data() {
        let facts = Facts {
            size: 1 << 20,
            sha256: Digest::of(b""),
            data_blocks: 200,
            root_hash: "ab".into(),
            salt: "0f".into(),
        };
        let table = table("/dev/loop3", &facts);
        assert_eq!(table.sectors, 1600);
        assert_eq!(table.parameters, "1 /dev/loop3 /dev/loop3 4096 4096 200 200 sha256 ab 0f");
    }
}
