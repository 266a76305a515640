//! Any bytes as every configuration that is read, and as a unified kernel image.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xenoboot_menu::{Device, Firmware, memory::Memory, scan};

/// Where configurations are. The first byte says which of them has the input.
const PLACES: [&str; 8] = [
    "/boot/grub/grub.cfg",
    "/boot/grub/grubenv",
    "/loader/entries/a+3-1.conf",
    "/loader/loader.conf",
    "/EFI/Linux/a.efi",
    "/boot/extlinux/extlinux.conf",
    "/etc/lilo.conf",
    "/etc/fstab",
];

fuzz_target!(|data: &[u8]| {
    let Some((which, content)) = data.split_first() else { return };
    let path = PLACES[usize::from(*which) % PLACES.len()];
    let device = Device { name: "sda1".into(), uuid: "77".into(), ..Device::default() };
    let mut files = Memory::new().device(device);
    if path.ends_with("grubenv") {
        files = files.file(PLACES[0], "load_env\nset default=$a\nmenuentry x { linux /$b $c }\n");
    }
    let files = files.file("/boot/vmlinuz-1", "k").file("/boot/initrd.img-1", "i").file(path, content);
    let found = scan(&files, Firmware::Bios);
    assert!(found.default.is_none_or(|nth| nth < found.entries.len()));
});
