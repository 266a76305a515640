//! `kexec`: loads another kernel and starts it from this one.

use super::reboot;
use crate::{
    applet::{Applet, Args, Opt, reason, usage_error},
    sizes::{self, Style},
};
use anyhow::{Context as _, bail, ensure};
use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::Signal,
};
use std::{
    ffi::CString,
    fs::{self, File},
    io::{self, Read as _},
    os::fd::AsFd as _,
    path::Path,
};
use xenoboot_boot::linux;
use xenoboot_sys::{
    Kernel,
    kexec::{Kexec as _, meaning},
    power::End,
};

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

/// What there is to say of the kernel to load; `xb kexec` has no others.
pub(crate) const LOADING: [Opt; 7] = [
    opt('\0', "initrd", "FILE", "initial RAM disk; several are joined in order"),
    opt('\0', "ramdisk", "FILE", "the same"),
    opt('\0', "append", "TEXT", "the new kernel's command line"),
    opt('\0', "command-line", "TEXT", "the same"),
    opt('\0', "reuse-cmdline", "", "begin it with the running kernel's"),
    opt('\0', "no-console", "", "do not hand the consoles on"),
    opt('s', "kexec-file-syscall", "", "always so"),
];

static OPTIONS: &[Opt] = &{
    let [initrd, ramdisk, append, line, reuse, console, call] = LOADING;
    [
        opt('l', "load", "", "load KERNEL (so if nothing is said)"),
        initrd,
        ramdisk,
        append,
        line,
        reuse,
        console,
        call,
        opt('e', "exec", "", "end everything in order, then start the loaded kernel"),
        opt('f', "force", "", "with -e: at once, without init"),
        opt('u', "unload", "", "forget the loaded kernel"),
        opt('S', "status", "", "status 0 if a kernel is loaded, else 1"),
    ]
};

pub(crate) static APPLET: Applet = Applet {
    name: "kexec",
    summary: "Loads another Linux kernel, and starts it without going through the firmware.",
    usage: "[-l] [OPTION]... KERNEL\n-e [-f]\n-u\n-S",
    options: OPTIONS,
    notes: "A command line without console= gets those of the running kernel. Everything is checked before anything\n\
            is loaded. In a script use `xb kexec`, which takes the same options: the kernel is started when the\n\
            script has succeeded and its result has reached the server.",
    example: "kexec -l /mnt/boot/vmlinuz --initrd=/mnt/boot/initrd.img --append='root=/dev/sda2 ro'\nkexec -e",
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

/// The kernel reads an initial RAM disk by a signed 32-bit number (`kernel_read_file`).
const LONGEST: u64 = i32::MAX as u64;

/// What else is taken while a kernel is loaded: tables, the control page, slack.
const SLACK: u64 = 16 << 20;

fn refused(error: io::Error) -> anyhow::Error {
    match meaning(&error) {
        Some(text) => anyhow::anyhow!("{text}"),
        None => anyhow::anyhow!("the running kernel refuses: {}", reason(&error)),
    }
}

fn execute(args: &Args) -> anyhow::Result<u8> {
    ensure!(Kernel.loaded().map_err(refused)?, "no kernel is loaded: `kexec -l KERNEL` first");
    reboot::request(args, Signal::VTALARM, End::Kexec)
}

/// Checks and loads.
pub(crate) fn load(args: &Args) -> anyhow::Result<u8> {
    let [path] = args.operands.as_slice() else {
        return usage_error("give one KERNEL");
    };
    let (file, size) = open(Path::new(path))?;
    let kernel = header(&file, size).with_context(|| path.display().to_string())?;
    let line = command_line(args)?;
    kernel.takes(&line)?;
    let mut initrds = Vec::new();
    for (option, value) in args.all() {
        if matches!(option, "initrd" | "ramdisk") {
            initrds.push(open(Path::new(value))?);
        }
    }
    let initrd_size: u64 = initrds.iter().map(|(_, size)| size).sum();
    room(&kernel, size, initrd_size, initrds.len() > 1)?;
    let initrd = join(initrds)?;
    let given = CString::new(line.as_str()).context("the command line has a zero byte")?;
    Kernel.load(file.as_fd(), initrd.as_ref().map(File::as_fd), &given).map_err(refused)?;
    println!("kernel: {}", if kernel.version.is_empty() { "Linux" } else { &kernel.version });
    println!("initrd: {}", human(initrd_size));
    println!("command line: {line}");
    Ok(0)
}

fn open(path: &Path) -> anyhow::Result<(File, u64)> {
    let failed = |error: &io::Error| format!("{}: {}", path.display(), reason(error));
    let file = File::open(path).map_err(|e| anyhow::anyhow!(failed(&e)))?;
    let about = file.metadata()?;
    ensure!(about.is_file(), "{}: not a regular file", path.display());
    Ok((file, about.len()))
}

fn header(file: &File, size: u64) -> anyhow::Result<linux::Kernel> {
    let mut head = Vec::new();
    file.take(linux::HEAD as u64).read_to_end(&mut head)?;
    Ok(linux::Kernel::parse(&head, size)?)
}

/// As given, with what is taken over from the running kernel's.
fn command_line(args: &Args) -> anyhow::Result<String> {
    let ours = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let mut words = Vec::new();
    if args.has("reuse-cmdline") {
        // The loader's own words say nothing to another kernel.
        let foreign =
            |word: &&str| !word.starts_with("BOOT_IMAGE=") && !word.starts_with("initrd=");
        words.extend(ours.split_whitespace().filter(foreign).map(str::to_owned));
    }
    for option in ["command-line", "append"] {
        words.extend(args.text(option)?.map(|text| text.trim().to_owned()));
    }
    let has_console = words.iter().flat_map(|text| text.split_whitespace()).any(is_console);
    if !has_console && !args.has("no-console") {
        words.extend(ours.split_whitespace().filter(|word| is_console(word)).map(str::to_owned));
    }
    words.retain(|text| !text.is_empty());
    Ok(words.join(" "))
}

fn human(bytes: u64) -> String {
    sizes::human(bytes, Style::Long)
}

fn is_console(word: &str) -> bool {
    word.starts_with("console=")
}

/// While it loads, the kernel holds each file twice: as read, and in the pages that will be moved.
/// Several initial RAM disks are joined in memory first.
fn room(kernel: &linux::Kernel, size: u64, initrd: u64, joined: bool) -> anyhow::Result<()> {
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
    let starts = kernel.init_size + initrd;
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
fn memory() -> anyhow::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().split(' ').next()?.parse::<u64>().ok()? << 10)
    };
    field("MemTotal:").zip(field("MemAvailable:")).context("/proc/meminfo is incomplete")
}

/// One file with the contents of all, in order.
fn join(mut initrds: Vec<(File, u64)>) -> anyhow::Result<Option<File>> {
    if initrds.len() < 2 {
        return Ok(initrds.pop().map(|(file, _)| file));
    }
    let mut all = File::from(memfd_create("initrd", MemfdFlags::CLOEXEC)?);
    for (mut file, size) in initrds {
        let copied = io::copy(&mut file, &mut all).context("an initrd cannot be read")?;
        ensure!(copied == size, "an initrd was changed while it was read");
        // The kernel looks for the next archive at a multiple of four.
        io::copy(&mut io::repeat(0).take(size.next_multiple_of(4) - size), &mut all)?;
    }
    Ok(Some(all))
}
