//! Whether hardware virtualisation works. `/dev/kvm` may exist and the guest still stop with an emulation
//! error: now in its first instructions, so that a guest has to have booted; now later, where the processor's own
//! virtualisation is not to be had and KVM plays it.

use anyhow::Result;
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// A boot sector that tells QEMU's `isa-debug-exit` device 0x10: `mov dx, 0xf4; mov al, 0x10; out dx, al; hlt`.
const SECTOR: &[u8] = &[0xba, 0xf4, 0x00, 0xb0, 0x10, 0xee, 0xf4];

/// What QEMU exits with then: twice the value and one.
const TOLD: i32 = 0x21;

/// The accelerator to use, `kvm` or `tcg`: `$XENOBOOT_ACCEL`, or found out once in a process.
pub fn best() -> &'static str {
    static BEST: OnceLock<&str> = OnceLock::new();
    BEST.get_or_init(|| match env::var("XENOBOOT_ACCEL").as_deref() {
        Ok("kvm") => "kvm",
        Ok("tcg") => "tcg",
        _ if works("kvm").unwrap_or(false) => "kvm",
        _ => "tcg",
    })
}

/// The processor that a machine gets: the newest that can be emulated, or that one without what only costs time there. `rep
/// movsb`, which the kernel prefers when it is said to be quick, moves a byte at a time; what SMAP adds to each copy to and from
/// programs ends a translated block; la57 makes page tables one level deeper.
#[must_use]
pub fn processor(newest: bool) -> &'static str {
    match (best(), newest) {
        ("kvm", _) => "host",
        (_, true) => "max",
        (_, false) => "max,-erms,-smap,-la57",
    }
}

/// Whether the processor does (Intel VT-x or AMD-V), by what `/proc/cpuinfo` says of it.
fn virtualises(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"))
}

/// Boots a guest of one sector.
fn works(accel: &str) -> Result<bool> {
    if accel == "kvm"
        && !(Path::new("/dev/kvm").exists() && virtualises(&fs::read_to_string("/proc/cpuinfo")?))
    {
        return Ok(false);
    }
    let folder = tempfile::tempdir()?;
    let disk = folder.path().join("probe");
    let mut sector = SECTOR.to_vec();
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    fs::write(&disk, sector)?;
    let status = Command::new("timeout")
        .args(["-s", "KILL", "20", "qemu-system-x86_64", "-nodefaults", "-no-user-config"])
        .args([
            "-display",
            "none",
            "-machine",
            "pc",
            "-cpu",
            if accel == "kvm" { "host" } else { "max" },
        ])
        .args(["-accel", accel, "-m", "16", "-device", "isa-debug-exit,iobase=0xf4,iosize=1"])
        .arg("-drive")
        .arg(format!("file={},format=raw,if=ide", disk.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.code() == Some(TOLD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_boots_in_software_and_fails_without_an_accelerator() {
        assert!(works("tcg").unwrap());
        assert!(!works("no-such-accelerator").unwrap());
    }

    #[test]
    fn a_processor_that_does_not_virtualise_is_not_asked_to() {
        assert!(virtualises("processor\t: 0\nflags\t\t: fpu vmx smx\n"));
        assert!(virtualises("flags\t\t: fpu svm"));
        assert!(
            !virtualises("vmx flags\t: vnmi\nflags\t\t: fpu vme kvm-pvm\n") && !virtualises("")
        );
    }
}
