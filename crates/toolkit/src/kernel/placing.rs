//! A kernel by `kexec_load`: what lies where, and the code between.

use super::linux::{SLACK, human, memory};
use anyhow::{Context as _, bail, ensure};
use std::io;
use xenoboot_boot::memory::{END_32, Map, PAGE, Room, Wish};
use xenoboot_sys::{
    Kernel,
    kexec::{
        Kexec as _, Segment,
        entry::{self, Copy, Cpu},
        meaning,
    },
};

/// Below 1 MiB is the firmware's.
pub(super) const MIB: u64 = 1 << 20;

/// Where things lie until they are loaded.
pub(super) struct Placing {
    room: Room,
    parts: Vec<Part>,
}

struct Part {
    at: u64,
    size: u64,
    data: Vec<u8>,
}

impl Part {
    fn segment(&self) -> Segment<'_> {
        Segment { at: self.at, data: &self.data, size: self.size }
    }
}

impl Placing {
    pub(super) fn new(map: &Map) -> Self {
        Self { room: Room::new(map), parts: Vec::new() }
    }

    /// Takes the memory of `start..end`, which is to be used by what is called `what`.
    pub(super) fn take(&mut self, what: &str, start: u64, end: u64) -> anyhow::Result<()> {
        ensure!(
            self.room.take(start, end),
            "{what} must lie from {start:#x} to {end:#x}, and this machine has no free memory there"
        );
        Ok(())
    }

    /// Takes memory that fits, and returns its address.
    pub(super) fn find(&mut self, what: &str, wish: Wish) -> anyhow::Result<u64> {
        let found = self.room.find(wish);
        found.with_context(|| {
            let (size, most) = (human(wish.size), human(wish.most));
            format!(
                "{what} takes {size} in one piece below {most}, and this machine has no such memory"
            )
        })
    }

    /// What is to lie in memory that was taken; `size` is at least the data's.
    pub(super) fn put(&mut self, at: u64, size: u64, data: Vec<u8>) {
        self.parts.push(Part { at, size: size.next_multiple_of(PAGE), data });
    }

    /// Adds the code between, and loads all.
    pub(super) fn load(mut self, cpu: Cpu, copies: &[Copy]) -> anyhow::Result<()> {
        let low = matches!(cpu, Cpu::Real { .. });
        // The first page has the vectors of a BIOS.
        let (least, most) = if low { (PAGE, 0x1_0000) } else { (MIB, END_32) };
        let size = entry::SIZE as u64;
        let wish = Wish { size, align: PAGE, least, most, high: false };
        let at = self.find("the code between the kernels", wish)?;
        self.put(at, size, entry::code(cpu, copies));
        let segments: Vec<_> = self.parts.iter().map(Part::segment).collect();
        Kernel.load_segments(at, &segments).map_err(refused)
    }
}

/// Files of `files` bytes that become `loaded` bytes can be loaded: each is read, and the kernel copies what it will
/// move. It takes no more than half of all memory.
pub(super) fn room(files: u64, loaded: u64) -> anyhow::Result<()> {
    let (total, available) = memory()?;
    let needs = files + loaded + SLACK;
    if needs > available || loaded > total / 2 {
        bail!(
            "not enough memory: to load {} takes {}, of {} there are {} available; no more than half can be loaded",
            human(loaded),
            human(needs),
            human(total),
            human(available)
        );
    }
    Ok(())
}

/// The running kernel's answer, for people.
fn refused(error: io::Error) -> anyhow::Error {
    if error.raw_os_error() == Some(rustix::io::Errno::PERM.raw_os_error()) {
        return anyhow::anyhow!(
            "the running kernel forbids it (lockdown by Secure Boot, or kernel.kexec_load_disabled): it starts nothing \
             but Linux kernels (bzImage) whose signature it knows. Turn Secure Boot off in the firmware, or have the \
             firmware start it: `efibootmgr -n NUMBER`, then reboot"
        );
    }
    match meaning(&error) {
        Some(text) => anyhow::anyhow!("{text}"),
        None => super::refused(error),
    }
}
