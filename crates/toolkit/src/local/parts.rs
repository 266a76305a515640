//! What an entry names, as files that can be loaded.

use super::volumes::{Volumes, path_of};
use anyhow::{Context as _, bail};
use rustix::fs::{MemfdFlags, memfd_create};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    os::fd::AsRawFd as _,
    path::PathBuf,
};
use xenoboot_menu::{Entry, Kind, Place, uki};

/// A kernel and what goes with it, by paths that are good as long as this is held.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The kernel.
    pub(crate) kernel: PathBuf,
    /// Initial RAM disks, in order.
    pub(crate) initrds: Vec<PathBuf>,
    /// The kernel's command line.
    pub(crate) command_line: String,
    /// Modules of a Multiboot kernel, with their command lines.
    pub(crate) modules: Vec<(PathBuf, String)>,
    /// The version of Multiboot; `None` for Linux.
    pub(crate) multiboot: Option<u8>,
    /// Parts that were taken out of a file.
    _held: Vec<File>,
}

/// Opens all that an entry needs.
pub(crate) fn of(volumes: &Volumes, entry: &Entry) -> anyhow::Result<Parts> {
    if let Some(trouble) = &entry.trouble {
        bail!("{trouble}");
    }
    let path = |place: &Place| -> anyhow::Result<PathBuf> {
        let open = volumes.open(place);
        let open =
            open.map_err(|e| anyhow::anyhow!("{}: {}", place.path, crate::partitions::plain(&e)))?;
        Ok(path_of(&open)?)
    };
    let multiboot = match entry.kind {
        Kind::Uki => return unified(volumes, entry),
        Kind::Efi => {
            let file = volumes.open(&entry.kernel)?;
            if !has_kernel_header(&file)? {
                return unified(volumes, entry)
                    .context("this EFI program is no kernel that kexec could start");
            }
            None
        }
        Kind::Chain => {
            bail!("another loader or a boot sector is started there; it is not loaded by kexec")
        }
        Kind::Linux => None,
        Kind::Multiboot => Some(1),
        Kind::Multiboot2 => Some(2),
    };
    let modules = entry.modules.iter().map(|m| Ok((path(&m.place)?, m.command_line.clone())));
    Ok(Parts {
        kernel: path(&entry.kernel)?,
        initrds: entry.initrds.iter().map(path).collect::<anyhow::Result<_>>()?,
        command_line: entry.command_line.clone(),
        modules: modules.collect::<anyhow::Result<_>>()?,
        multiboot,
        _held: Vec::new(),
    })
}

/// A Linux kernel is an EFI program, too, when it has the stub.
fn has_kernel_header(mut file: &File) -> io::Result<bool> {
    let mut magic = [0; 4];
    file.seek(SeekFrom::Start(0x202))?;
    Ok(file.read_exact(&mut magic).is_ok() && &magic == b"HdrS")
}

fn unified(volumes: &Volumes, entry: &Entry) -> anyhow::Result<Parts> {
    use xenoboot_menu::Files as _;
    let mut file = volumes.open(&entry.kernel)?;
    let size = file.metadata()?.len();
    let facts = uki::read(size, |at, most| volumes.read(&entry.kernel, at, most))?;
    let mut held = Vec::new();
    let mut part = |range: &Range<u64>, name| -> anyhow::Result<PathBuf> {
        let taken = copy(&mut file, range, name)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", taken.as_raw_fd()));
        held.push(taken);
        Ok(path)
    };
    let kernel = part(&facts.linux, "kernel")?;
    let initrds = facts.initrds.iter().map(|range| part(range, "initrd"));
    let initrds = initrds.collect::<anyhow::Result<Vec<_>>>()?;
    let command_line =
        if entry.command_line.is_empty() { facts.command_line } else { entry.command_line.clone() };
    Ok(Parts { kernel, initrds, command_line, modules: Vec::new(), multiboot: None, _held: held })
}

/// A range of a file as a file of its own, in memory.
fn copy(file: &mut File, range: &Range<u64>, name: &str) -> anyhow::Result<File> {
    let length = range.end - range.start;
    file.seek(SeekFrom::Start(range.start))?;
    let mut out = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    let copied =
        io::copy(&mut file.by_ref().take(length), &mut out).context("the image cannot be read")?;
    anyhow::ensure!(copied == length, "the image was cut short while it was read");
    Ok(out)
}
