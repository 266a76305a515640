//! Writing the hybrid image.

use crate::tools::run;
use anyhow::{Context, Result};
use std::{fs, path::Path, process::Command};

/// Makes `output` from the files in `disk`. `sector` is the file with the boot sector for a disk; `date`
/// becomes the volume's identifier.
pub(crate) fn write(disk: &Path, sector: &Path, date: &[u8; 16], output: &Path) -> Result<()> {
    // An old one would be added to.
    let _ = fs::remove_file(output);
    let made = run(Command::new("xorriso")
        // A fixed moment: every date that the image holds is the same in each build.
        .env("SOURCE_DATE_EPOCH", "946684800")
        .args(["-no_rc", "-as", "mkisofs", "-quiet", "-V", "XENOBOOT", "-r", "-iso-level", "3"])
        .arg("-o")
        .arg(output)
        .arg("-isohybrid-mbr")
        .arg(sector)
        .args(["-c", "isolinux/boot.cat", "-b", "isolinux/isolinux.bin"])
        .args(["-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"])
        .args(["-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot"])
        .arg("-isohybrid-gpt-basdat")
        .arg(format!("--modification-date={}", String::from_utf8_lossy(date)))
        .args(["--gpt_disk_guid", "modification-date"])
        .args(["--set_all_file_dates", "2000010100000000"])
        .arg(disk));
    made.map(drop).with_context(|| format!("writing {}", output.display()))
}
