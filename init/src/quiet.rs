//! Before another kernel is started: devices whose drivers are known to leave them talking are taken from these. The
//! kernel shuts every driver down as well, but what shares an interrupt line with one that goes on raises a storm of
//! interrupts in the next kernel, which then turns the line off for all.

use crate::drivers::start_thread;
use std::{fs, path::Path, sync::mpsc::channel, time::Duration};

/// By bus: USB host controllers, Intel's older network cards, the floppy controller.
const NOISY: &[(&str, &[&str])] = &[
    ("pci", &["uhci_hcd", "ohci-pci", "ehci-pci", "xhci_hcd", "e1000", "e1000e"]),
    ("platform", &["floppy"]),
];

/// A driver may wait for a device that is dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the devices from their drivers; goes on after a while whether that is done or not.
pub(crate) fn devices() {
    let (done, wait) = channel();
    start_thread("quiet", move || {
        for device in unbind(Path::new("/sys/bus")) {
            log::info!("quieted before the jump: {device}");
        }
        let _ = done.send(());
    });
    if wait.recv_timeout(PATIENCE).is_err() {
        log::warn!("a driver does not let go of its device");
    }
}

/// Returns `DRIVER DEVICE` for each that was taken.
fn unbind(buses: &Path) -> Vec<String> {
    let mut taken = Vec::new();
    for (bus, drivers) in NOISY {
        for driver in *drivers {
            let folder = buses.join(bus).join("drivers").join(driver);
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            // Devices are links; so is `module`, which has no number in its name.
            let links =
                entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
            let names = links.filter_map(|entry| entry.file_name().into_string().ok());
            let names: Vec<_> = names.filter(|name| name.contains(['.', ':'])).collect();
            for name in names {
                match fs::write(folder.join("unbind"), &name) {
                    Ok(()) => taken.push(format!("{driver} {name}")),
                    Err(e) => log::warn!("{driver} keeps {name}: {e}"),
                }
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn devices_of_noisy_drivers_are_taken() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str, devices: &[&str]| {
            let folder = root.path().join(path);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("unbind"), "").unwrap();
            symlink("/nowhere", folder.join("module")).unwrap();
            for device in devices {
                symlink("/nowhere", folder.join(device)).unwrap();
            }
        };
        make("pci/drivers/xhci_hcd", &["0000:00:03.0"]);
        make("pci/drivers/virtio-pci", &["0000:00:04.0"]);
        make("platform/drivers/floppy", &["floppy.0"]);
        assert_eq!(unbind(root.path()), ["xhci_hcd 0000:00:03.0", "floppy floppy.0"]);
        let told = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
        assert_eq!(told("pci/drivers/xhci_hcd/unbind"), "0000:00:03.0");
        assert_eq!(told("pci/drivers/virtio-pci/unbind"), "");
    }
}
