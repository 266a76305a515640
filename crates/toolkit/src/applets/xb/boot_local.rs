//! `xb boot-local`: boots a system that is installed on the machine's disks.

use super::{KEXEC, ask};
use crate::{
    applet::{Applet, Args, Opt, usage_error},
    local::{
        self,
        disks::Disks,
        parts,
        report::{Report, is_startable},
        volumes::Volumes,
    },
};
use anyhow::{Context as _, bail};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    path::Path,
};
use xenoboot_menu::{Device, Entry, Files as _, Firmware, Found, scan};
use xenoboot_wire::script::{Request, Response, SOCKET};

const fn flag(long: &'static str, help: &'static str) -> Opt {
    Opt { short: '\0', long, value: "", help }
}

const fn opt(long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short: '\0', long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "xb boot-local",
    summary: "Finds the systems installed on the disks, and loads one to be started when the script has succeeded.",
    usage: "[OPTION]... [ENTRY]\n--list [--json] [OPTION]...",
    options: &[
        flag("list", "print what there is, and load nothing"),
        flag("json", "print it as JSON"),
        opt("device", "DEVICE", "only what is configured on this disk or partition"),
        opt("secret", "NAME", "the secret that opens what is encrypted (LUKS)"),
        opt("key-file", "FILE", "the file that opens it"),
        opt("append", "TEXT", "add this to the kernel's command line"),
        flag("no-console", "do not hand the consoles on"),
        opt("watchdog", "SECONDS", "as xb kexec"),
        opt(
            "root",
            "DIR",
            "with --list: look at this folder, not at disks; several are several disks",
        ),
        opt("firmware", "bios|uefi", "what configurations are told; found out if not given"),
        opt("socket", "PATH", "the agent's socket, if not /run/xenoboot/agent.sock"),
    ],
    notes: "Read are GRUB 2, files of the Boot Loader Specification with systemd-boot's loader.conf, unified kernel images,\n\
            SYSLINUX and EXTLINUX, LILO, and where there is none of these the kernels in / and /boot. ENTRY is a number of\n\
            the list, an id, a title, or menus and title with '>' between; without it the entry that the first menu's\n\
            loader would start, marked with '*'. Nothing is written to the disks. RAID, LVM and LUKS need the toolbox.\n\
            DIR may be followed by ,uuid=UUID and ,label=LABEL: what the file system in it is called.\n\
            Exit status: 1 nothing was found, or it cannot be loaded; 2 wrong command line.",
    example: "xb boot-local --list\nxb boot-local --secret luks 'Debian GNU/Linux'",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let firmware = firmware(args.text("firmware")?)?;
    let words = args.words()?;
    if args.has("list") {
        args.no_operands()?;
        if args.has("root") {
            let volumes = folders(args)?;
            let found = scan(&volumes, firmware);
            return Ok(list(args, &volumes, &found, &[]));
        }
        let disks = Disks::find(key(args)?.as_deref())?;
        let found = of_device(scan(&disks.volumes, firmware), &disks, args)?;
        return Ok(list(args, &disks.volumes, &found, &disks.notes));
    }
    let wanted = match words.as_slice() {
        [] => None,
        [wanted] => Some(*wanted),
        _ => return usage_error("more than one ENTRY; a title with blanks needs quotes"),
    };
    if args.has("root") || args.has("json") {
        return usage_error("--root and --json go with --list");
    }
    let disks = Disks::find(key(args)?.as_deref())?;
    let found = of_device(scan(&disks.volumes, firmware), &disks, args)?;
    let report = Report { devices: disks.volumes.devices(), found: &found, notes: &disks.notes };
    report.problems().iter().for_each(|problem| eprintln!("xb boot-local: {problem}"));
    let entry = choose(&found, wanted)?;
    let parts = parts::of(&disks.volumes, entry).with_context(|| format!("{:?}", entry.title))?;
    println!("booting: {}", entry.title);
    // Loaded, it is in memory: the disks are let go before anything is started.
    Ok(u8::try_from(KEXEC.main(order(args, &parts)?)).unwrap_or(1))
}

fn firmware(named: Option<&str>) -> anyhow::Result<Firmware> {
    match named {
        None => Ok(local::firmware()),
        Some("bios") => Ok(Firmware::Bios),
        Some("uefi") => Ok(Firmware::Uefi),
        Some(other) => usage_error(format!("{other:?} is neither bios nor uefi")),
    }
}

fn list(args: &Args, volumes: &Volumes, found: &Found, notes: &[String]) -> u8 {
    let report = Report { devices: volumes.devices(), found, notes };
    if args.has("json") {
        println!("{}", report.json());
    } else {
        report.lines().iter().for_each(|line| println!("{line}"));
        report.problems().iter().for_each(|problem| eprintln!("xb boot-local: {problem}"));
        if found.entries.is_empty() {
            eprintln!("xb boot-local: no installed system was found");
        }
    }
    u8::from(found.entries.is_empty())
}

/// Folders in place of disks.
fn folders(args: &Args) -> anyhow::Result<Volumes> {
    let mut volumes = Volumes::default();
    for given in args.values("root") {
        let Some(given) = given.to_str() else {
            return usage_error("the value of --root is not UTF-8");
        };
        let mut words = given.split(',');
        let path = words.next().unwrap_or_default();
        let mut device =
            Device { name: path.trim_end_matches('/').to_owned(), ..Device::default() };
        for word in words {
            match word.split_once('=') {
                Some(("uuid", uuid)) => uuid.clone_into(&mut device.uuid),
                Some(("label", label)) => label.clone_into(&mut device.label),
                _ => {
                    return usage_error(format!(
                        "{word:?} after a folder is neither uuid= nor label="
                    ));
                }
            }
        }
        let folder = fs::canonicalize(path).with_context(|| format!("cannot look at {path}"))?;
        device.name = folder.to_string_lossy().into_owned();
        if !folder.is_dir() {
            bail!("{path} is no folder");
        }
        volumes.add(device, vec![File::open(&folder)?]);
    }
    Ok(volumes)
}

/// The key of what is encrypted.
fn key(args: &Args) -> anyhow::Result<Option<Vec<u8>>> {
    if let Some(file) = args.value("key-file") {
        let shown = Path::new(file).display();
        return Ok(Some(fs::read(file).with_context(|| format!("cannot read {shown}"))?));
    }
    let Some(name) = args.text("secret")? else { return Ok(None) };
    let socket = args.value("socket").map_or(Path::new(SOCKET), Path::new);
    match ask(socket, &Request::Secret { name: name.to_owned() })? {
        Response::Secret(secret) => Ok(Some(secret.0.to_vec())),
        Response::Refused(reason) => bail!("the agent refused: {reason}"),
        _ => bail!("the agent answered something else than a secret"),
    }
}

/// Only what is configured on the device that was asked for.
fn of_device(mut found: Found, disks: &Disks, args: &Args) -> anyhow::Result<Found> {
    let Some(wanted) = args.text("device")? else { return Ok(found) };
    let wanted = fs::canonicalize(wanted).unwrap_or_else(|_| wanted.into());
    let wanted = wanted.strip_prefix("/dev").unwrap_or(&wanted).to_string_lossy().into_owned();
    let fits = |at: usize| {
        disks.volumes.devices().get(at).is_some_and(|device| {
            let disk = device.disk.and_then(|nth| disks.names.get(nth));
            device.name == wanted || device.names.contains(&wanted) || disk == Some(&wanted)
        })
    };
    let default = found.default.take().and_then(|nth| found.entries.get(nth).cloned());
    found.entries.retain(|entry| fits(entry.config.device));
    found.faults.retain(|fault| fits(fault.config.device));
    // That of another disk does not count any more.
    let same = |entry: &Entry| Some(entry) == default.as_ref();
    found.default = found.entries.iter().position(same);
    found.default = found.default.or_else(|| found.entries.iter().position(|entry| entry.default));
    Ok(found)
}

/// The entry that is meant.
fn choose<'a>(found: &'a Found, wanted: Option<&str>) -> anyhow::Result<&'a Entry> {
    if found.entries.is_empty() {
        bail!("no installed system was found");
    }
    let Some(wanted) = wanted else {
        let default = found.default.and_then(|nth| found.entries.get(nth));
        return default.context(
            "no entry would be started by itself: say which, `xb boot-local --list` shows all",
        );
    };
    if let Ok(number) = wanted.parse::<usize>()
        && let Some(entry) = number.checked_sub(1).and_then(|nth| found.entries.get(nth))
    {
        return Ok(entry);
    }
    let path = |entry: &Entry| {
        let titles = entry.submenu.iter().chain([&entry.title]);
        titles.map(String::as_str).collect::<Vec<_>>().join(">")
    };
    let spaced = wanted.split('>').map(str::trim).collect::<Vec<_>>().join(">");
    let fits = |entry: &Entry| entry.id == wanted || entry.title == wanted || path(entry) == spaced;
    let fitting: Vec<&Entry> = found.entries.iter().filter(|entry| fits(entry)).collect();
    match fitting.as_slice() {
        [] => bail!("no entry {wanted:?}; `xb boot-local --list` shows all"),
        [one] => Ok(one),
        several => {
            // Those that cannot be started anyway are not meant.
            let mut can = several.iter().filter(|entry| is_startable(entry));
            match (can.next(), can.next()) {
                (Some(one), None) => Ok(one),
                _ => bail!(
                    "{} entries are called {wanted:?}: say which by its number in the list",
                    several.len()
                ),
            }
        }
    }
}

/// The command line of `xb kexec`.
fn order(args: &Args, parts: &parts::Parts) -> anyhow::Result<Vec<OsString>> {
    let with = |option: &str, value: &OsStr| {
        let mut word = OsString::from(option);
        word.push("=");
        word.push(value);
        word
    };
    let mut words = vec![OsString::from(KEXEC.name)];
    words.extend(parts.initrds.iter().map(|path| with("--initrd", path.as_os_str())));
    for (path, command_line) in &parts.modules {
        let mut module = path.clone().into_os_string();
        module.push(" ");
        module.push(command_line);
        words.push(with("--module", &module));
    }
    words.extend(parts.multiboot.map(|version| with("--multiboot", version.to_string().as_ref())));
    let more = args.text("append")?.unwrap_or_default();
    let line = format!("{} {more}", parts.command_line);
    words.push(with("--append", line.trim().as_ref()));
    words.extend(args.value("watchdog").map(|seconds| with("--watchdog", seconds)));
    words.extend(args.has("no-console").then(|| OsString::from("--no-console")));
    words.push(OsString::from("--"));
    words.push(parts.kernel.clone().into_os_string());
    Ok(words)
}
