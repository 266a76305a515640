//! What the running kernel knows of the machine and another one must be told.

use anyhow::{Context as _, ensure};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
};
use xenoboot_boot::{
    memory::{END_32, Kind, Map, Range},
    multiboot::Rsdp,
};

const MEMORY: &str = "/sys/firmware/memmap";
const PARAMETERS: &str = "/sys/kernel/boot_params/data";
const EFI: &str = "/sys/firmware/efi";

/// The machine.
pub(super) struct Machine {
    /// Its memory as the firmware described it.
    pub(super) map: Map,
    /// The page of parameters that the running kernel was started with.
    pub(super) parameters: Vec<u8>,
    /// Where its ACPI tables begin, if that is known.
    pub(super) rsdp: Option<Rsdp>,
    /// It was started by UEFI: there is no BIOS.
    pub(super) uefi: bool,
}

impl Machine {
    pub(super) fn read() -> anyhow::Result<Self> {
        let parameters = fs::read(PARAMETERS).context(PARAMETERS)?;
        let uefi = Path::new(EFI).exists();
        let rsdp = if uefi { of_efi() } else { of_bios() };
        Ok(Self { map: map(Path::new(MEMORY))?, parameters, rsdp, uefi })
    }
}

fn map(folder: &Path) -> anyhow::Result<Map> {
    let mut ranges = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let folder = entry?.path();
        let field = |name| fs::read_to_string(folder.join(name));
        let address = |name| {
            let text = field(name)?;
            let digits = text.trim().trim_start_matches("0x");
            u64::from_str_radix(digits, 16).with_context(|| format!("{name}: {text:?}"))
        };
        let (start, last) = (address("start")?, address("end")?);
        let end = last.checked_add(1).context("a range of the memory map does not end")?;
        ranges.push(Range { start, end, kind: Kind::of(field("type")?.trim()) });
    }
    ensure!(!ranges.is_empty(), "the running kernel tells nothing of the firmware's memory map");
    Ok(Map::new(ranges))
}

/// By the firmware's table of tables.
fn of_efi() -> Option<Rsdp> {
    systab(&fs::read_to_string(Path::new(EFI).join("systab")).ok()?)
}

/// Lines such as `ACPI20=0x7fb7e014`.
fn systab(text: &str) -> Option<Rsdp> {
    let of = |name: &str, new| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=0x"))?;
        let address = u64::from_str_radix(value.trim(), 16).ok()?;
        let below = (1..END_32 - 36).contains(&address);
        Some(Rsdp { address: u32::try_from(address).ok().filter(|_| below)?, new })
    };
    of("ACPI20", true).or_else(|| of("ACPI", false))
}

/// Where a BIOS has it (ACPI 6.5, 5.2.5.1): in the first KiB of the extended BIOS data area, or from E0000 on.
fn of_bios() -> Option<Rsdp> {
    let memory = File::open("/dev/mem").ok()?;
    let read = |at: u32, length: usize| {
        let mut data = vec![0; length];
        memory.read_exact_at(&mut data, at.into()).ok()?;
        Some(data)
    };
    let area = read(0x40E, 2).and_then(|bytes| Some(u16::from_le_bytes(*bytes.first_chunk()?)));
    let area = area.map_or(0, |segment| u32::from(segment) << 4);
    let places = [(area, 1024), (0xE_0000, 0x2_0000)];
    let within = |(at, _): &(u32, usize)| (0x8_0000..0x10_0000).contains(at);
    places.into_iter().filter(within).find_map(|(at, length)| find(&read(at, length)?, at))
}

/// Looks in what lies at `base`.
fn find(data: &[u8], base: u32) -> Option<Rsdp> {
    let sums = |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) == 0;
    for at in (0..data.len()).step_by(16) {
        let Some(rest) = data.get(at..) else { break };
        let Some(old) = rest.get(..20) else { break };
        if old.starts_with(b"RSD PTR ") && sums(old) {
            let new = old.get(15).is_some_and(|revision| *revision >= 2);
            let new = new && rest.get(..36).is_some_and(sums);
            return Some(Rsdp { address: base.checked_add(u32::try_from(at).ok()?)?, new });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmwares_map_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let range = |name: &str, start: &str, end: &str, kind: &str| {
            let folder = folder.path().join(name);
            fs::create_dir(&folder).unwrap();
            for (file, text) in [("start", start), ("end", end), ("type", kind)] {
                fs::write(folder.join(file), format!("{text}\n")).unwrap();
            }
        };
        range("1", "0x100000", "0x7ffffff", "System RAM");
        range("0", "0x0", "0x9fbff", "System RAM");
        let map = map(folder.path()).unwrap();
        assert_eq!((map.low_end(), map.high_size()), (0x9fc00, 0x7f0_0000));
        range("2", "0x0", "nonsense", "Reserved");
        assert!(super::map(folder.path()).is_err());
        assert!(super::map(&folder.path().join("0")).is_err());
    }

    #[test]
    fn tables_are_found() {
        let new = Rsdp { address: 0x1fb7_e014, new: true };
        assert_eq!(systab("ACPI20=0x1fb7e014\nACPI=0x1fb7e000\nSMBIOS=0xf0\n"), Some(new));
        assert_eq!(systab("ACPI=0x1000\n"), Some(Rsdp { address: 0x1000, new: false }));
        assert_eq!(systab("ACPI20=0x100000000\n"), None);
        let mut area = vec![0; 256];
        area[32..40].copy_from_slice(b"RSD PTR ");
        assert_eq!(find(&area, 0xe0000), None, "it does not add up");
        area[40] = 0_u8.wrapping_sub(b"RSD PTR ".iter().fold(0, |sum, b| b.wrapping_add(sum)));
        assert_eq!(find(&area, 0xe0000), Some(Rsdp { address: 0xe0020, new: false }));
    }
}
