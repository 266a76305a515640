//! Linux' older ways in, for what `kexec_file_load` does not take: a plain vmlinux, the 32-bit entry (memtest86+,
//! kernels for 32-bit processors), and real mode (iPXE, GRUB's `lnxboot`).

use super::{
    CommandLine, Loaded,
    files::Input,
    linux::human,
    machine::Machine,
    placing::{MIB, Placing, room},
};
use anyhow::{Context as _, ensure};
use xenoboot_boot::{
    elf::Image,
    linux::{Kernel as Header, Start},
    memory::{END_32, PAGE, Wish},
    params::{self, Facts},
    real,
};
use xenoboot_sys::kexec::entry::Cpu;

/// A vmlinux does not say where its initial RAM disk may end; every kernel takes it there.
const INITRD_MOST: u32 = 0x7FFF_FFFF;

/// What is started, besides the kernel itself.
struct Work<'a> {
    machine: Machine,
    placing: Placing,
    kernel: &'a Input,
    initrds: Vec<Input>,
    line: String,
}

impl<'a> Work<'a> {
    fn new(kernel: &'a Input, initrds: Vec<Input>, line: String) -> anyhow::Result<Self> {
        let files: u64 = initrds.iter().map(|initrd| initrd.size).sum();
        room(2 * kernel.size + files, kernel.size + files)?;
        let machine = Machine::read()?;
        let placing = Placing::new(&machine.map);
        Ok(Self { machine, placing, kernel, initrds, line })
    }

    /// Places the initial RAM disks, one after the other, as high as can be; returns where and how long.
    fn initrd(&mut self, most: u32) -> anyhow::Result<Option<(u32, u32)>> {
        if self.initrds.is_empty() {
            return Ok(None);
        }
        // The kernel looks for the next archive at a multiple of four.
        let size: u64 = self.initrds.iter().map(|initrd| initrd.size.next_multiple_of(4)).sum();
        let most = u64::from(most) + 1;
        let wish = Wish { size, align: PAGE, least: MIB, most, high: true };
        let at = self.placing.find("the initrd", wish)?;
        let mut data = Vec::with_capacity(usize::try_from(size)?);
        for initrd in &self.initrds {
            initrd.append_to(&mut data)?;
            data.resize(data.len().next_multiple_of(4), 0);
        }
        self.placing.put(at, size, data);
        Ok(Some((u32::try_from(at)?, u32::try_from(size)?)))
    }

    /// Places the page of parameters and the command line behind it; returns where.
    fn parameters(&mut self, head: Option<&[u8]>, most: u32) -> anyhow::Result<u32> {
        let initrd = self.initrd(most)?;
        let size = params::SIZE as u64 + self.line.len() as u64 + 1;
        let wish = Wish { size, align: PAGE, least: MIB, most: END_32, high: true };
        let place = self.placing.find("the parameters", wish)?;
        let at = u32::try_from(place)?;
        let facts = Facts {
            running: &self.machine.parameters,
            map: &self.machine.map,
            rsdp: self.machine.rsdp.map_or(0, |rsdp| rsdp.address.into()),
            command_line: at + params::SIZE as u32,
            initrd,
        };
        let mut page = match head {
            Some(head) => params::of_image(head, &facts)?,
            None => params::of_program(&facts)?,
        };
        page.extend(self.line.bytes());
        page.push(0);
        self.placing.put(place, size, page);
        Ok(at)
    }

    fn load(self, cpu: Cpu, kind: &str) -> anyhow::Result<Loaded> {
        let size = self.initrds.iter().map(|initrd| initrd.size).sum();
        self.placing.load(cpu, &[])?;
        Ok(Loaded {
            kernel: format!("{} ({kind})", self.kernel.name()),
            given: vec![("initrd", human(size))],
            command_line: self.line,
        })
    }
}

/// A vmlinux, at its 64-bit entry.
pub(super) fn program(
    kernel: &Input,
    initrds: Vec<Input>,
    line: &CommandLine,
) -> anyhow::Result<Loaded> {
    let mut work = Work::new(kernel, initrds, line.for_linux())?;
    let image = Image::parse(&kernel.read()?).with_context(|| kernel.name())?;
    let Image { at, data, size, entry } = image;
    work.placing.take("the kernel", at, at + size)?;
    work.placing.put(at, size, data);
    let parameters = work.parameters(None, INITRD_MOST)?.into();
    work.load(Cpu::Long { entry, parameters }, "vmlinux")
}

/// A bzImage at its 32-bit or 16-bit entry.
pub(super) fn image(
    kernel: &Input,
    header: &Header,
    initrds: Vec<Input>,
    line: &CommandLine,
) -> anyhow::Result<Loaded> {
    let (text, start) = match header.start {
        Start::Protected(start) => (line.for_linux(), Some(start)),
        // What is started by a BIOS' means has no consoles to hand on: iPXE takes all words for commands.
        _ => (line.for_others(), None),
    };
    header.takes(&text).with_context(|| kernel.name())?;
    let mut work = Work::new(kernel, initrds, text)?;
    let mut setup = kernel.read()?;
    let rest = setup.split_off(usize::try_from(header.setup_size)?.min(setup.len()));
    match start {
        Some(start) => protected(work, header, &setup, rest, start),
        None => {
            ensure!(
                !work.machine.uefi,
                "{}: it needs a BIOS, and this machine was started by UEFI: have the firmware start what is to run \
                 there (`efibootmgr -n NUMBER`, then reboot)",
                kernel.name()
            );
            let size = rest.len() as u64;
            work.placing.take("the kernel", real::LOAD.into(), u64::from(real::LOAD) + size)?;
            work.placing.put(real::LOAD.into(), size, rest);
            real_mode(work, header, &setup)
        }
    }
}

fn protected(
    mut work: Work<'_>,
    header: &Header,
    setup: &[u8],
    rest: Vec<u8>,
    start: u32,
) -> anyhow::Result<Loaded> {
    let (at, size) = (u64::from(start), rest.len() as u64);
    // It moves itself to where it likes to lie, and unpacks itself there.
    let end = (at + size).max(header.preferred.max(at).saturating_add(header.init_size));
    work.placing.take("the kernel", at, end)?;
    work.placing.put(at, size, rest);
    let parameters = work.parameters(Some(setup), header.initrd_most)?;
    let registers = [0, 0, parameters];
    work.load(Cpu::Protected { entry: start, registers }, "32-bit entry")
}

fn real_mode(mut work: Work<'_>, header: &Header, setup: &[u8]) -> anyhow::Result<Loaded> {
    let initrd = work.initrd(header.initrd_most)?;
    let size = real::size(&work.line);
    let wish = Wish { size, align: PAGE, least: 0x1_0000, most: 0xA_0000, high: true };
    let place = work.placing.find("the setup code", wish)?;
    let at = u32::try_from(place)?;
    let code = real::setup(header, setup, at, &work.line, initrd);
    work.placing.put(place, size, code.with_context(|| work.kernel.name())?);
    let segment = u16::try_from(at >> 4)?;
    work.load(Cpu::Real { segment, stack: real::HEAP_END }, "real mode")
}
