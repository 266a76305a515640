//! Another kernel: checked, and loaded into memory to be started later.
//!
//! [`load`] is the way in for every command that starts one. It loads all or nothing: what is wrong is
//! found before the running kernel is asked, and what was loaded before stays until then.

mod command_line;
mod files;
mod linux;
mod machine;
mod multiboot;
mod placing;
mod protocol;

use anyhow::{Context as _, bail, ensure};
use files::Input;
use std::{ffi::OsStr, fmt, path::PathBuf};
use xenoboot_boot::{
    elf,
    linux::{Kernel, Start},
    multiboot::{Error, Header},
};

pub(crate) use command_line::CommandLine;
pub(crate) use files::Expected;
pub(crate) use linux::refused;

/// What to load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// The kernel; compressed by gzip, zstd, xz or bzip2 as a whole, if it is.
    pub(crate) kernel: PathBuf,
    /// Linux' initial RAM disks, joined in this order.
    pub(crate) initrds: Vec<PathBuf>,
    /// What a Multiboot kernel is given, in this order.
    pub(crate) modules: Vec<Module>,
    /// The command line.
    pub(crate) command_line: CommandLine,
    /// Digests that files must have.
    pub(crate) expected: Vec<Expected>,
    /// What the kernel's file is to be taken for.
    pub(crate) way: Way,
}

/// A file for a Multiboot kernel.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// The file.
    pub(crate) path: PathBuf,
    /// What follows its name on its command line.
    pub(crate) arguments: String,
}

/// What a kernel's file is to be taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// What it looks like.
    #[default]
    Any,
    /// A Multiboot kernel, of this version if one is named.
    Multiboot(Option<u8>),
    /// A bzImage to be started at its 16-bit entry.
    Real,
}

/// What was loaded, for people: a line each.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Name and version.
    pub(crate) kernel: String,
    /// What it was given besides the command line, with sizes.
    pub(crate) given: Vec<(&'static str, String)>,
    /// The command line as it was given.
    pub(crate) command_line: String,
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernel: {}", self.kernel)?;
        for (what, text) in &self.given {
            writeln!(f, "{what}: {text}")?;
        }
        write!(f, "command line: {}", self.command_line)
    }
}

/// Checks everything, then loads.
///
/// # Errors
/// What is wrong with which file, what there is not enough of, or why the running kernel refuses. Nothing has
/// changed then.
pub(crate) fn load(order: &Order) -> anyhow::Result<Loaded> {
    let modules = order.modules.iter().map(|module| &module.path);
    let named = [&order.kernel].into_iter().chain(&order.initrds).chain(modules);
    let named: Vec<&OsStr> = named.map(|path| path.as_os_str()).collect();
    for file in order.expected.iter().filter_map(|expected| expected.file.as_deref()) {
        ensure!(
            named.contains(&file),
            "--sha256 names {file:?}, which is none of the files to load"
        );
    }
    let kernel = Input::open(&order.kernel)?;
    kernel.check(&order.expected, true)?;
    let open = |path: &PathBuf| {
        let input = Input::open(path)?;
        input.check(&order.expected, false)?;
        Ok(input)
    };
    let initrds = order.initrds.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let modules = order.modules.iter().map(|module| Ok((module.clone(), open(&module.path)?)));
    let modules = modules.collect::<anyhow::Result<Vec<_>>>()?;
    let kernel = kernel.unpacked()?;
    match kind(&kernel, order.way).with_context(|| kernel.name())? {
        Kind::Multiboot(header) => {
            ensure!(initrds.is_empty(), "a Multiboot kernel takes --module, not --initrd");
            multiboot::load(&kernel, &header, modules, &order.command_line.for_others())
        }
        _ if !modules.is_empty() => {
            bail!("--module is for Multiboot kernels; Linux takes --initrd")
        }
        Kind::Linux(header) if header.start == Start::System => {
            linux::load(&kernel, &header, initrds, &order.command_line.for_linux())
        }
        Kind::Linux(header) => protocol::image(&kernel, &header, initrds, &order.command_line),
        Kind::Program => protocol::program(&kernel, initrds, &order.command_line),
    }
}

/// What a file is.
enum Kind {
    Linux(Kernel),
    Multiboot(Header),
    /// A vmlinux.
    Program,
}

fn kind(kernel: &Input, way: Way) -> anyhow::Result<Kind> {
    let head = kernel.head()?;
    if let Way::Multiboot(version) = way {
        return Ok(Kind::Multiboot(Header::find(&head, version)?));
    }
    match Kernel::parse(&head, kernel.size) {
        Ok(header) if way == Way::Real => {
            return Ok(Kind::Linux(Kernel { start: Start::Real, ..header }));
        }
        Ok(header) => return Ok(Kind::Linux(header)),
        Err(xenoboot_boot::linux::Error::NoHeader) if way == Way::Any => {}
        Err(error) => return Err(error.into()),
    }
    match Header::find(&head, None) {
        Ok(header) => return Ok(Kind::Multiboot(header)),
        Err(Error::NoHeader) => {}
        Err(error) => return Err(error.into()),
    }
    if elf::is_64(&head) {
        return Ok(Kind::Program);
    }
    if head.starts_with(b"MZ") {
        bail!(
            "an EFI program that is no Linux kernel: only the firmware can start it (`efibootmgr -n NUMBER`, \
             then reboot)"
        );
    }
    bail!("not a kernel that is known here: neither bzImage nor Multiboot nor vmlinux")
}
