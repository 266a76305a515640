//! Systems that are installed on the machine's disks: found without writing anything, and made ready for kexec.
//!
//! [`disks`] brings up what is on the disks, [`volumes`] gives files of it to `xenoboot_menu`, which says what there
//! is to boot, and [`parts`] makes files of it that can be loaded. docs/decisions/local.md says why it is so.

pub(crate) mod assemble;
pub(crate) mod disks;
pub(crate) mod mounting;
pub(crate) mod names;
pub(crate) mod parts;
pub(crate) mod report;
pub(crate) mod volumes;

use xenoboot_menu::Firmware;

/// The firmware of this machine.
pub(crate) fn firmware() -> Firmware {
    if std::path::Path::new("/sys/firmware/efi").exists() { Firmware::Uefi } else { Firmware::Bios }
}
