//! The boot medium: found by its UUID among all disks, set read-only and mounted. Nobody waits for it.

use crate::{
    drivers::{Drivers, start_thread},
    paths,
};
use anyhow::{Context, Result};
use rustix::mount::MountFlags;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};
use xenoboot_sys::{
    Kernel,
    block::{Disks, whole_disk},
    mount::{Mount, Mounts},
};

/// How often all disks are looked at again, besides each that appears: a CD drive does not say when
/// its disc is in.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// After this long it is said that the medium was not found.
const PATIENCE: Duration = Duration::from_secs(30);

const BLOCK_DEVICES: &str = "/sys/class/block";

/// Starts the search, if the image says what to search for. Names of block devices (`sda1`) that
/// appear are to be sent to the channel returned.
pub(crate) fn start(drivers: &Drivers) -> Option<Sender<String>> {
    let uuid = match fs::read_to_string(paths::MEDIUM_UUID) {
        Ok(text) => text.trim().to_owned(),
        Err(e) => {
            log::info!("no boot medium is looked for: {}: {e}", paths::MEDIUM_UUID);
            return None;
        }
    };
    let (sender, receiver) = channel();
    let drivers = drivers.clone();
    start_thread("medium", move || search(&uuid, &receiver, &drivers));
    Some(sender)
}

fn search(uuid: &str, appeared: &Receiver<String>, drivers: &Drivers) {
    let _ = rustix::process::setpriority_process(None, 10);
    let start = Instant::now();
    let mut told = false;
    let mut names = all_disks();
    loop {
        for name in names.drain(..) {
            if is_medium(&name, uuid) {
                match take(&Kernel, &Kernel, Path::new(BLOCK_DEVICES), &name, drivers) {
                    Ok(()) => return log::info!("boot medium: /dev/{name}"),
                    Err(e) => log::error!("the boot medium /dev/{name} cannot be used: {e:#}"),
                }
            }
        }
        if !told && start.elapsed() >= PATIENCE {
            log::warn!(
                "XB-INI-04 the boot medium was not found: no disk has the UUID {uuid}. \
                 The boot goes on without it; the search too."
            );
            told = true;
        }
        names = match appeared.recv_timeout(LOOK_AGAIN) {
            Ok(name) => vec![name],
            Err(RecvTimeoutError::Timeout) => all_disks(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
    }
}

fn all_disks() -> Vec<String> {
    let entries = fs::read_dir(BLOCK_DEVICES).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    // RAM disks and loops are never it; CD drives are it most often.
    names.retain(|name| !name.starts_with("ram") && !name.starts_with("loop"));
    names.sort_by_key(|name| !name.starts_with("sr"));
    names
}

fn is_medium(name: &str, uuid: &str) -> bool {
    let device = Path::new("/dev").join(name);
    matches!(File::open(device).and_then(|d| iso_uuid(&d)), Ok(Some(found)) if found == uuid)
}

/// The UUID that blkid and GRUB give an ISO 9660 file system: its modification date or, when that is
/// not set, its creation date, `YYYY-MM-DD-HH-MM-SS-CC` (ECMA-119, 8.4.26 and 8.4.26.1).
fn iso_uuid(device: &impl FileExt) -> io::Result<Option<String>> {
    const PRIMARY: u64 = 16 * 2048;
    let mut head = [0; 6];
    device.read_exact_at(&mut head, PRIMARY)?;
    // Type 1, primary; standard identifier.
    if head != *b"\x01CD001" {
        return Ok(None);
    }
    for offset in [830, 813] {
        let mut date = [0; 16];
        device.read_exact_at(&mut date, PRIMARY + offset)?;
        if let Some(uuid) = dashed(&date) {
            return Ok(Some(uuid));
        }
    }
    Ok(None)
}

/// Sixteen digits, not all zero, with dashes.
fn dashed(date: &[u8; 16]) -> Option<String> {
    if !date.iter().all(u8::is_ascii_digit) || date.iter().all(|d| *d == b'0') {
        return None;
    }
    let mut out = String::with_capacity(22);
    for (i, digit) in date.iter().enumerate() {
        if i >= 4 && i % 2 == 0 {
            out.push('-');
        }
        out.push(char::from(*digit));
    }
    Some(out)
}

/// Sets the device and the disk it is on read-only, mounts it and writes down where it is.
fn take(
    disks: &impl Disks,
    mounts: &impl Mounts,
    class: &Path,
    name: &str,
    drivers: &Drivers,
) -> Result<()> {
    for part in [Some(name.to_owned()), whole_disk(class, name)].into_iter().flatten() {
        let device = Path::new("/dev").join(part);
        disks
            .set_read_only(&device)
            .with_context(|| format!("set {} read-only", device.display()))?;
    }
    // When it is built into the kernel, or this fails, mount(2) tells.
    let _ = drivers.module("isofs");
    let source = format!("/dev/{name}");
    let target = Path::new(paths::MEDIUM_FOLDER);
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    fs::create_dir_all(target).with_context(|| format!("make {}", target.display()))?;
    let already = mounts.mounted().unwrap_or_default().iter().any(|m| m.target == target);
    if !already {
        let mount = Mount { source: &source, target, kind: "iso9660", flags, options: "" };
        mounts.mount(&mount).with_context(|| format!("mount {source}"))?;
    }
    let line = format!("{source} {}\n", paths::MEDIUM_FOLDER);
    paths::replace(paths::MEDIUM, &line).with_context(|| format!("write {}", paths::MEDIUM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn disk(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn volume(modified: &[u8; 16], created: &[u8; 16]) -> Vec<u8> {
        let mut bytes = vec![0; 17 * 2048];
        bytes[32768..32774].copy_from_slice(b"\x01CD001");
        bytes[32768 + 813..][..16].copy_from_slice(created);
        bytes[32768 + 830..][..16].copy_from_slice(modified);
        bytes
    }

    #[test]
    fn the_modification_date_counts_then_the_creation_date() {
        let uuid = |m, c| iso_uuid(&disk(&volume(m, c))).unwrap();
        let (none, one, two) = (b"0000000000000000", b"2026112302211500", b"1999123123595999");
        assert_eq!(uuid(one, two).as_deref(), Some("2026-11-23-02-21-15-00"));
        assert_eq!(uuid(none, two).as_deref(), Some("1999-12-31-23-59-59-99"));
        assert_eq!(uuid(none, none), None);
        assert_eq!(uuid(b"2026-11-23 02:21", none), None);
    }

    #[test]
    fn other_disks_are_not_it() {
        assert_eq!(iso_uuid(&disk(&[0; 17 * 2048])).unwrap(), None);
        assert!(iso_uuid(&disk(&[0; 100])).is_err());
    }

    proptest! {
        #[test]
        fn any_descriptor_is_survived(noise in proptest::collection::vec(any::<u8>(), 40)) {
            let mut bytes = volume(b"0000000000000000", b"0000000000000000");
            bytes[32768 + 810..][..40].copy_from_slice(&noise);
            if let Some(uuid) = iso_uuid(&disk(&bytes)).unwrap() {
                prop_assert_eq!(uuid.len(), 22);
            }
        }
    }
}
