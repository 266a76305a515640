//! A machine that runs nothing but a script: the image's kernel and programs, without loader, init, agent and server.
//! For what begins where all of these have ended.

use crate::{Scenario, Vm, VmBuilder, paths};
use anyhow::{Context, Result};
use std::{
    fs::{self, File},
    path::Path,
};
use xenoboot_image::{cpio::Archive, iso9660::Iso};

/// Largest kernel or initramfs, bytes.
const LARGEST: u32 = 256 << 20;

/// What the kernel is told besides what the script is for. On a busy host an emulated timer can be too late for the
/// kernel's check of it, which panics then: `no_timer_check`.
const COMMAND_LINE: &str =
    "console=ttyS0,115200 rdinit=/script loglevel=4 panic=-1 no_timer_check scenario=1";

/// What comes before every script.
const BEFORE: &str = "#!/bin/sh\nmkdir -p /proc /sys /dev /tmp; mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev\n";

/// When a script has come to its end, so that a scenario need not wait for what will not come.
const AFTER: &str = "\necho the script has ended; sleep 1000\n";

/// Such a machine's files.
pub struct Bare(Archive);

impl Bare {
    /// With this script.
    #[must_use]
    pub fn new(script: &str) -> Self {
        let mut archive = Archive::new();
        archive.file("script", 0o755, [BEFORE, script, AFTER].concat().as_bytes());
        Self(archive)
    }

    /// With one more file, `/NAME`.
    #[must_use]
    pub fn with(mut self, name: &str, content: &[u8]) -> Self {
        self.0.file(name, 0o755, content);
        self
    }

    /// With one more file, `/NAME`, that is `from` on the host.
    pub fn copy(self, name: &str, from: &Path) -> Result<Self> {
        let content = fs::read(from).with_context(|| from.display().to_string())?;
        Ok(self.with(name, &content))
    }

    /// The machine, named `name`.
    pub fn machine(self, scenario: &Scenario, name: &str) -> Result<VmBuilder> {
        let (kernel, initramfs) =
            (scenario.path(&format!("{name}.kernel")), scenario.path(&format!("{name}.initrd")));
        fs::write(&kernel, on_image("boot/kernel")?)?;
        let mut parts = on_image("boot/base.img")?;
        parts.resize(parts.len().next_multiple_of(4), 0);
        parts.extend(self.0.finish());
        fs::write(&initramfs, parts)?;
        Ok(Vm::new(scenario, name).kernel(&kernel, &initramfs, COMMAND_LINE).newest())
    }
}

/// A file of the image under test.
pub fn on_image(path: &str) -> Result<Vec<u8>> {
    let iso = paths::iso()?;
    let file = File::open(&iso).with_context(|| iso.display().to_string())?;
    Iso::open(file)?.read(path, LARGEST).with_context(|| format!("{path} in {}", iso.display()))
}
