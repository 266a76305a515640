//! What the hardware is, from /sys and /proc. Every list and text is bounded: a machine may have a
//! thousand disks, and firmware may say anything.

use crate::text;
use std::{fs, path::Path};
use xenoboot_wire::{
    BootId,
    boot::{DiskInfo, Inventory, LinkInfo},
};

/// Most cards and most disks that are told of.
const MOST: usize = 64;
/// Longest text, bytes.
const MAX_TEXT: usize = 128;

/// Looks at the machine. `root` is `/`, `links` the cards as the network part knows them, `medium` the device that it
/// booted from (`sr0`, `sda`), if it was found.
#[must_use]
pub fn take(root: &Path, links: Vec<LinkInfo>, medium: Option<&str>) -> Inventory {
    let dmi = |name: &str| line(&root.join("sys/class/dmi/id").join(name));
    let cpuinfo = fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    let fields = |key: &str| {
        let key = key.to_owned();
        cpuinfo.lines().filter_map(move |l| l.split_once(':').filter(|(k, _)| k.trim() == key))
    };
    let cpu = fields("model name").next().map_or("", |(_, v)| v.trim());
    Inventory {
        vendor: dmi("sys_vendor"),
        product: dmi("product_name"),
        serial: dmi("product_serial"),
        cpu: text::cut(cpu, MAX_TEXT),
        cpus: u32::try_from(fields("processor").count()).unwrap_or(u32::MAX),
        memory: memory(root).0,
        firmware: if root.join("sys/firmware/efi").exists() { "uefi" } else { "bios" }.to_owned(),
        links: links.into_iter().take(MOST).collect(),
        disks: disks(root, medium),
    }
}

/// Memory in bytes: all that the kernel manages, and what could be had now.
#[must_use]
pub fn memory(root: &Path) -> (u64, u64) {
    let meminfo = fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let field = |key: &str| {
        let kilobytes = meminfo
            .lines()
            .find_map(|l| l.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse().ok());
        kilobytes.unwrap_or(0u64) * 1024
    };
    (field("MemTotal:"), field("MemAvailable:"))
}

/// This power-on, by the kernel's name for it; `None` when /proc is not there.
#[must_use]
pub fn boot_id(root: &Path) -> Option<BootId> {
    let uuid = fs::read_to_string(root.join("proc/sys/kernel/random/boot_id")).ok()?;
    uuid.trim().replace('-', "").parse().ok()
}

fn disks(root: &Path, medium: Option<&str>) -> Vec<DiskInfo> {
    let entries = fs::read_dir(root.join("sys/block")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    let disk = |name: String| {
        let dir = root.join("sys/block").join(&name);
        // Loop, RAM and device-mapper devices have no device behind them.
        let size = line(&dir.join("size")).parse::<u64>().ok()?.saturating_mul(512);
        if !dir.join("device").exists() || size == 0 {
            return None;
        }
        let model = line(&dir.join("device/model"));
        let serial = Some(line(&dir.join("serial"))).filter(|s| !s.is_empty());
        let serial = serial.unwrap_or_else(|| line(&dir.join("device/serial")));
        let boot_medium =
            medium.is_some_and(|m| m == name || m.starts_with(&name) && part_of(m, &name));
        Some(DiskInfo { name, size, model, serial, boot_medium })
    };
    names.into_iter().filter_map(disk).take(MOST).collect()
}

/// Whether `device` is a partition of `disk`: `sda1` of `sda`, `nvme0n1p2` of `nvme0n1`.
fn part_of(device: &str, disk: &str) -> bool {
    let rest = device.strip_prefix(disk).unwrap_or_default();
    let digits = rest.strip_prefix('p').unwrap_or(rest);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn line(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let said = String::from_utf8_lossy(bytes.get(..4096).unwrap_or(&bytes)).into_owned();
    text::cut(&text::ascii(said.lines().next().unwrap_or_default().trim()), MAX_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_described() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write("sys/class/dmi/id/sys_vendor", &format!("{}\nmore\n", "V\x1b".repeat(100)));
        write(
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: A CPU\n\nprocessor\t: 1\nmodel name\t: A CPU\n",
        );
        write("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  500 kB\n");
        write("proc/sys/kernel/random/boot_id", "00112233-4455-6677-8899-aabbccddeeff\n");
        write("sys/block/loop0/size", "8\n");
        for disk in ["sda", "sdaa"] {
            write(&format!("sys/block/{disk}/size"), "2048\n");
            write(&format!("sys/block/{disk}/device/model"), "DISK   \n");
        }
        let seen = take(dir.path(), Vec::new(), Some("sda1"));
        assert!(seen.vendor.starts_with("V^[V^[") && seen.vendor.len() == MAX_TEXT);
        assert_eq!((seen.cpu.as_str(), seen.cpus, seen.memory), ("A CPU", 2, 1_024_000));
        assert_eq!(memory(dir.path()).1, 512_000);
        assert_eq!(seen.firmware, "bios");
        let disks: Vec<_> =
            seen.disks.iter().map(|d| (d.name.as_str(), d.size, d.boot_medium)).collect();
        assert_eq!(disks, [("sda", 1 << 20, true), ("sdaa", 1 << 20, false)]);
        assert_eq!(boot_id(dir.path()).unwrap().to_string(), "00112233445566778899aabbccddeeff");
    }

    #[test]
    fn an_empty_machine_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            take(dir.path(), Vec::new(), None),
            Inventory { firmware: "bios".into(), ..Inventory::default() }
        );
        assert_eq!(boot_id(dir.path()), None);
    }
}
