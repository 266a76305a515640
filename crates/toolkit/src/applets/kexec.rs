//! `kexec`: loads another kernel and starts it from this one.

use super::reboot;
use crate::{
    applet::{Applet, Args, Opt, usage_error},
    kernel::{self, CommandLine, Expected, Module, Order, Way, refused},
};
use anyhow::ensure;
use rustix::process::Signal;
use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::PathBuf};
use xenoboot_sys::{Kernel, kexec::Kexec as _, power::End};
use xenoboot_wire::Digest;

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

/// What there is to say of the kernel to load; `xb kexec` has no others.
pub(crate) const LOADING: [Opt; 11] = [
    opt(
        '\0',
        "module",
        "FILE [ARGS]",
        "file for a Multiboot kernel, with its command line; several, in order",
    ),
    opt('\0', "initrd", "FILE", "initial RAM disk; several are joined in order"),
    opt('\0', "ramdisk", "FILE", "the same"),
    opt('\0', "append", "TEXT", "the new kernel's command line"),
    opt('\0', "command-line", "TEXT", "the same"),
    opt('\0', "reuse-cmdline", "", "begin it with the running kernel's"),
    opt('\0', "no-console", "", "do not hand the consoles on"),
    opt('s', "kexec-file-syscall", "", "always so where the system call takes the kernel"),
    opt(
        '\0',
        "multiboot",
        "[1|2]",
        "take KERNEL for a Multiboot kernel, of that version if one is given",
    ),
    opt('\0', "real-mode", "", "start a bzImage at its 16-bit entry, as a BIOS loader does"),
    opt(
        '\0',
        "sha256",
        "HEX",
        "load only if KERNEL has this SHA-256; FILE=HEX for another of the files",
    ),
];

static OPTIONS: &[Opt] = &{
    let [module, initrd, ramdisk, append, line, reuse, console, call, multiboot, real, sha256] =
        LOADING;
    [
        opt('l', "load", "", "load KERNEL (so if nothing is said)"),
        module,
        initrd,
        ramdisk,
        append,
        line,
        reuse,
        console,
        call,
        multiboot,
        real,
        sha256,
        opt('e', "exec", "", "end everything in order, then start the loaded kernel"),
        opt('f', "force", "", "with -e: at once, without init"),
        opt('u', "unload", "", "forget the loaded kernel"),
        opt('S', "status", "", "status 0 if a kernel is loaded, else 1"),
    ]
};

pub(crate) static APPLET: Applet = Applet {
    name: "kexec",
    summary: "Loads another kernel, and starts it without going through the firmware.",
    usage: "[-l] [OPTION]... KERNEL\n-e [-f]\n-u\n-S",
    options: OPTIONS,
    notes: "KERNEL is what its contents say: Linux (bzImage, vmlinux), Multiboot 1 or 2 (Xen), or what starts as Linux does\n\
            (memtest86+; on machines with a BIOS ipxe.lkrn and GRUB's lnxboot image); also compressed by gzip, zstd, xz or\n\
            bzip2. Linux gets the consoles of the running kernel where the command line has no console=. Everything\n\
            is checked before anything is loaded. In a script use `xb kexec`, which takes the same options: the kernel is\n\
            started when the script has succeeded and its result has reached the server.",
    example: "kexec -l /mnt/boot/vmlinuz --initrd=/mnt/boot/initrd.img --append='root=/dev/sda2 ro'\nkexec -e\n\
              kexec -l --module='vmlinuz console=hvc0' --module=initrd.img --append='console=com1 dom0_mem=1G' xen.gz",
    run: |args| {
        let chosen = ["load", "exec", "unload", "status"].map(|option| args.has(option));
        if chosen.iter().filter(|on| **on).count() > 1 {
            return usage_error("-l, -e, -u and -S exclude each other");
        }
        match chosen {
            [_, true, ..] => execute(args),
            [_, _, true, _] => {
                args.no_operands()?;
                Kernel.unload().map_err(refused)?;
                Ok(0)
            }
            [.., true] => {
                args.no_operands()?;
                Ok(u8::from(!Kernel.loaded().map_err(refused)?))
            }
            _ => load(args),
        }
    },
};

fn execute(args: &Args) -> anyhow::Result<u8> {
    ensure!(Kernel.loaded().map_err(refused)?, "no kernel is loaded: `kexec -l KERNEL` first");
    reboot::request(args, Signal::VTALARM, End::Kexec)
}

/// Checks and loads what the options say.
pub(crate) fn load(args: &Args) -> anyhow::Result<u8> {
    let [kernel] = args.operands.as_slice() else {
        return usage_error("give one KERNEL");
    };
    let of = |names: [&str; 2]| {
        let found = args.all().filter(move |(option, _)| names.contains(option));
        found.map(|(_, value)| PathBuf::from(value)).collect()
    };
    let modules = args.values("module").map(module).collect::<Result<_, _>>()?;
    let loaded = kernel::load(&Order {
        kernel: kernel.into(),
        initrds: of(["initrd", "ramdisk"]),
        modules,
        command_line: command_line(args)?,
        expected: args.values("sha256").map(expected).collect::<Result<_, _>>()?,
        way: way(args)?,
    })?;
    println!("{loaded}");
    Ok(0)
}

/// `FILE` or `FILE ARGS`.
fn module(value: &OsStr) -> anyhow::Result<Module> {
    let Some(text) = value.to_str() else {
        return usage_error("the value of --module is not UTF-8");
    };
    let (path, arguments) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    Ok(Module { path: path.into(), arguments: arguments.trim().to_owned() })
}

fn way(args: &Args) -> anyhow::Result<Way> {
    match (args.text("multiboot")?, args.has("real-mode")) {
        (Some(_), true) => usage_error("--multiboot and --real-mode exclude each other"),
        (Some(""), _) => Ok(Way::Multiboot(None)),
        (Some("1"), _) => Ok(Way::Multiboot(Some(1))),
        (Some("2"), _) => Ok(Way::Multiboot(Some(2))),
        (Some(_), _) => usage_error("--multiboot takes 1 or 2, after a ="),
        (None, true) => Ok(Way::Real),
        (None, false) => Ok(Way::Any),
    }
}

fn command_line(args: &Args) -> anyhow::Result<CommandLine> {
    let given = [args.text("command-line")?, args.text("append")?];
    let given: Vec<_> = given.into_iter().flatten().map(str::trim).collect();
    Ok(CommandLine {
        text: given.join(" "),
        reuse: args.has("reuse-cmdline"),
        no_consoles: args.has("no-console"),
    })
}

/// `HEX` or `FILE=HEX`.
fn expected(value: &OsStr) -> anyhow::Result<Expected> {
    let (file, digest) = match value.as_bytes().iter().rposition(|byte| *byte == b'=') {
        Some(at) => {
            let (file, rest) = value.as_bytes().split_at(at);
            (Some(OsStr::from_bytes(file).to_owned()), rest.get(1..).unwrap_or_default())
        }
        None => (None, value.as_bytes()),
    };
    match std::str::from_utf8(digest).ok().and_then(|text| text.parse::<Digest>().ok()) {
        Some(digest) => Ok(Expected { file, digest }),
        None => usage_error("--sha256 takes 64 hexadecimal digits, after FILE= or alone"),
    }
}
