//! Linux by `kexec_file_load`: the running kernel places, relocates and, if it is locked down, verifies it.

use super::{Loaded, files::Input};
use crate::{
    applet::reason,
    sizes::{self, Style},
};
use anyhow::{Context as _, bail, ensure};
use rustix::fs::{MemfdFlags, memfd_create};
use std::{
    ffi::CString,
    fs::{self, File},
    io::{self, Read as _},
    os::fd::AsFd as _,
};
use xenoboot_boot::linux::Kernel as Header;
use xenoboot_sys::{
    Kernel,
    kexec::{Kexec as _, meaning},
};

/// The kernel reads an initial RAM disk by a signed 32-bit number (`kernel_read_file`).
const LONGEST: u64 = i32::MAX as u64;

/// What else is taken while a kernel is loaded: tables, the control page, slack.
pub(super) const SLACK: u64 = 16 << 20;

/// Checks that there is room, and loads.
pub(super) fn load(
    kernel: &Input,
    header: &Header,
    initrds: Vec<Input>,
    line: &str,
) -> anyhow::Result<Loaded> {
    header.takes(line)?;
    let initrd_size: u64 = initrds.iter().map(|initrd| initrd.size).sum();
    room(header, kernel.size, initrd_size, initrds.len() > 1)?;
    let initrd = join(initrds)?;
    let given = CString::new(line).context("the command line has a zero byte")?;
    let loaded = Kernel.load(kernel.file.as_fd(), initrd.as_ref().map(File::as_fd), &given);
    loaded.map_err(refused)?;
    let version = if header.version.is_empty() { "Linux" } else { &header.version };
    Ok(Loaded {
        kernel: version.to_owned(),
        given: vec![("initrd", human(initrd_size))],
        command_line: line.to_owned(),
    })
}

/// The running kernel's answer, for people.
pub(crate) fn refused(error: io::Error) -> anyhow::Error {
    match meaning(&error) {
        Some(text) => anyhow::anyhow!("{text}"),
        None => anyhow::anyhow!("the running kernel refuses: {}", reason(&error)),
    }
}

pub(super) fn human(bytes: u64) -> String {
    sizes::human(bytes, Style::Long)
}

/// While it loads, the kernel holds each file twice: as read, and in the pages that will be moved.
/// Several initial RAM disks are joined in memory first.
fn room(header: &Header, size: u64, initrd: u64, joined: bool) -> anyhow::Result<()> {
    ensure!(initrd <= LONGEST, "the initrds have {initrd} bytes together; 2 GiB are the most");
    let copy = if joined { initrd } else { 0 };
    let needs = 2 * (size + initrd) + copy + SLACK;
    let (total, available) = memory()?;
    if needs > available {
        bail!(
            "not enough memory: to load kernel ({}) and initrd ({}) takes {}, and {} is available",
            human(size),
            human(initrd),
            human(needs),
            human(available)
        );
    }
    let starts = header.init_size + initrd;
    if starts > total {
        bail!(
            "the new kernel needs {} to start, and the machine has {}",
            human(starts),
            human(total)
        );
    }
    Ok(())
}

/// Memory in all, and available without swapping, bytes.
pub(super) fn memory() -> anyhow::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().split(' ').next()?.parse::<u64>().ok()? << 10)
    };
    field("MemTotal:").zip(field("MemAvailable:")).context("/proc/meminfo is incomplete")
}

/// One file with the contents of all, in order.
fn join(mut initrds: Vec<Input>) -> anyhow::Result<Option<File>> {
    if initrds.len() < 2 {
        return Ok(initrds.pop().map(|initrd| initrd.file));
    }
    let mut all = File::from(memfd_create("initrd", MemfdFlags::CLOEXEC)?);
    for mut initrd in initrds {
        let copied = io::copy(&mut initrd.file, &mut all).context("an initrd cannot be read")?;
        ensure!(copied == initrd.size, "an initrd was changed while it was read");
        // The kernel looks for the next archive at a multiple of four.
        let padding = initrd.size.next_multiple_of(4) - initrd.size;
        io::copy(&mut io::repeat(0).take(padding), &mut all)?;
    }
    Ok(Some(all))
}
