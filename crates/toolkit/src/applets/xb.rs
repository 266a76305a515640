//! `xb`: a script speaks to the agent.

pub(crate) mod boot_local;
pub(crate) mod image;
mod inventory;
pub(crate) mod partitions;

use super::kexec;
use crate::applet::{Applet, Args, Opt, usage_error};
use anyhow::{Context as _, bail};
use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use xenoboot_wire::{
    decode, encode,
    event::MAX_TEXT,
    script::{MAX_FRAME, Request, Response, SOCKET},
};

pub(crate) static APPLET: Applet = Applet {
    name: "xb",
    summary: "Tells the operator, through the agent, how the script gets on.",
    usage: "progress PERCENT [TEXT]...\nreport [--sign] KEY=VALUE...\nlog TEXT...\nsettle [PATH]...\ninventory [--json]\nsecret NAME\nkexec [OPTION]... KERNEL\nboot-local [OPTION]... [ENTRY]\nconfirm-url [--curl]\nfetch [OPTION]... URL...\nimage write|verify|capture|unpack|choose|list [OPTION]...\npartitions DISK\nstatus",
    options: &[
        Opt {
            short: '\0',
            long: "socket",
            value: "PATH",
            help: "the agent's socket, if not /run/xenoboot/agent.sock",
        },
        Opt {
            short: '\0',
            long: "timeout",
            value: "SECONDS",
            help: "how long settle waits; 30 if not given",
        },
        Opt { short: '\0', long: "sign", value: "", help: "the machine signs what is reported" },
        Opt { short: '\0', long: "json", value: "", help: "the inventory as JSON" },
        Opt { short: '\0', long: "curl", value: "", help: "confirm-url: the whole command" },
        Opt { short: '\0', long: "sysroot", value: "FOLDER", help: "the inventory of FOLDER/sys" },
    ],
    notes: "progress shows PERCENT, 0 to 100, and what is being done. report keeps a result: KEY has 1 to 64\n\
            letters, digits, '-', '_' and '.'. With --sign the machine's key signs run, KEY and VALUE, for\n\
            `xenoboot run verify-report` to check. log shows a line. status prints what the agent knows.\n\
            settle waits until the drivers of all devices that were there at the start are loaded and every\n\
            PATH, a disk for instance, exists. inventory prints what the machine is made of; it asks nobody.\n\
            secret prints a secret that came sealed with the bundle, as it is, with nothing added. In the\n\
            script's own output it would be covered: give it to a command or a file.\n\
            confirm-url prints a URL that the system started next asks once, by POST, to say that it is up;\n\
            with --curl the command that does so. Whoever has it can say so: keep it to that system.\n\
            kexec, boot-local, fetch, image and partitions have a --help of their own.",
    example: "xb settle /dev/sda || exit\nxb progress 40 checking /dev/sda1\nxb report filesystem=clean mounts=3\nxb secret luks | cryptsetup open --key-file - /dev/sda2 root",
    run,
};

pub(crate) static KEXEC: Applet = Applet {
    name: "xb kexec",
    summary: "Loads another kernel, to be started when the script has succeeded.",
    usage: "[OPTION]... KERNEL",
    options: &{
        let [module, initrd, ramdisk, append, line, reuse, console, call, multiboot, real, sha256] =
            kexec::LOADING;
        let help = "when the hardware watchdog resets a machine on which that kernel hangs; 180 if not given";
        let watchdog = Opt { short: '\0', long: "watchdog", value: "SECONDS", help };
        [
            module, initrd, ramdisk, append, line, reuse, console, call, multiboot, real, sha256,
            watchdog,
        ]
    },
    notes: "KERNEL is what `kexec --help` says. Everything is checked before anything is loaded. The script goes on; when it\n\
            fails, the kernel is forgotten. When it succeeds, its result goes to the server first.",
    example: "xb kexec --initrd=initrd.img --append='root=/dev/sda2 ro' vmlinuz\n\
              xb kexec --module='vmlinuz console=hvc0' --module=initrd.img --append='console=com1 dom0_mem=1G' xen.gz",
    run: |args| {
        let watchdog_s = args.number("watchdog")?.unwrap_or(180);
        kexec::load(args)?;
        tell(Path::new(SOCKET), &Request::Kexec { watchdog_s }, false)?;
        Ok(0)
    },
};

/// The longest key of a report, bytes.
const MAX_KEY: usize = 64;

/// The agent answers at once unless it is dead or stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Written by init when the drivers of all devices found first are loaded.
const SETTLED: &str = "/run/xenoboot/settled";

/// Between looks at what `settle` waits for.
const LOOK: Duration = Duration::from_millis(20);

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    if let ["settle", paths @ ..] = words.as_slice() {
        return settle(paths, args.text("timeout")?);
    }
    if words.as_slice() == ["inventory"] {
        let root = args.value("sysroot").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        return inventory::run(&root, args.has("json"));
    }
    let requests = match words.as_slice() {
        ["progress", percent, text @ ..] => vec![progress(percent, text)?],
        ["report", pairs @ ..] if !pairs.is_empty() => {
            pairs.iter().map(|pair| report(pair, args.has("sign"))).collect::<Result<_, _>>()?
        }
        ["log", text @ ..] if !text.is_empty() => vec![Request::Log { text: line(text)? }],
        ["secret", name] => vec![Request::Secret { name: (*name).to_owned() }],
        ["confirm-url"] => vec![Request::ConfirmUrl],
        ["status"] => vec![Request::Status],
        [] => {
            return usage_error(
                "what shall be done? progress, report, log, secret, confirm-url, settle, inventory or status",
            );
        }
        ["progress"] => return usage_error("progress needs a PERCENT"),
        ["report"] => return usage_error("report needs a KEY=VALUE"),
        ["log"] => return usage_error("log needs a TEXT"),
        ["inventory", ..] => return usage_error("inventory takes no argument"),
        ["secret", ..] => return usage_error("secret needs one NAME"),
        ["confirm-url", ..] => return usage_error("confirm-url takes no argument"),
        ["status", ..] => return usage_error("status takes no argument"),
        [other, ..] => return usage_error(format!("unknown command {other:?}")),
    };
    let socket = args.value("socket").map_or_else(|| PathBuf::from(SOCKET), PathBuf::from);
    for request in &requests {
        tell(&socket, request, args.has("curl"))?;
    }
    Ok(0)
}

/// Sends a request; prints what the agent answers, if that is text. `curl`: a URL as a command.
fn tell(socket: &Path, request: &Request, curl: bool) -> anyhow::Result<()> {
    match ask(socket, request)? {
        Response::Done => {}
        Response::Status(text) => {
            let mut out = std::io::stdout();
            out.write_all(text.as_bytes())?;
            if !text.ends_with('\n') {
                out.write_all(b"\n")?;
            }
        }
        Response::Secret(bytes) | Response::Console { text: bytes, .. } => {
            let mut out = std::io::stdout();
            out.write_all(&bytes.0)?;
            out.flush()?;
        }
        // The pin says who the server is: its certificate is nobody's but its own.
        Response::ConfirmUrl { url, pins } if curl => writeln!(
            std::io::stdout(),
            "curl --fail --silent --show-error --retry 30 --retry-delay 5 --retry-connrefused --max-time 30 --insecure --pinnedpubkey '{pins}' --request POST '{url}'"
        )?,
        Response::ConfirmUrl { url, .. } => writeln!(std::io::stdout(), "{url}")?,
        Response::Refused(reason) => bail!("the agent refused: {reason}"),
    }
    Ok(())
}

/// Waits for drivers and devices.
fn settle(paths: &[&str], timeout: Option<&str>) -> anyhow::Result<u8> {
    let seconds = timeout.unwrap_or("30");
    let Ok(seconds) = seconds.parse() else {
        return usage_error(format!("not a number of seconds: {seconds:?}"));
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let wanted = || std::iter::once(SETTLED).chain(paths.iter().copied());
    while let Some(missing) = wanted().find(|path| !Path::new(path).exists()) {
        if Instant::now() >= end {
            bail!("after {seconds} s there is still no {missing}");
        }
        std::thread::sleep(LOOK);
    }
    Ok(0)
}

fn progress(percent: &str, text: &[&str]) -> anyhow::Result<Request> {
    let number = percent.strip_suffix('%').unwrap_or(percent);
    match number.parse::<u8>() {
        Ok(percent @ 0..=100) => Ok(Request::Progress { percent, text: line(text)? }),
        _ => usage_error(format!("{percent:?} is not a percentage from 0 to 100")),
    }
}

fn report(pair: &str, sign: bool) -> anyhow::Result<Request> {
    let Some((key, value)) = pair.split_once('=') else {
        return usage_error(format!("{pair:?} is not KEY=VALUE"));
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(good) {
        return usage_error(format!(
            "{key:?} is not a key: 1 to {MAX_KEY} letters, digits, '-', '_' and '.'"
        ));
    }
    if value.len() > MAX_TEXT {
        return usage_error(format!("the value of {key} is longer than {MAX_TEXT} bytes"));
    }
    let (key, value) = (key.to_owned(), value.to_owned());
    Ok(if sign { Request::SignedReport { key, value } } else { Request::Report { key, value } })
}

fn line(words: &[&str]) -> anyhow::Result<String> {
    let text = words.join(" ");
    if text.len() > MAX_TEXT {
        return usage_error(format!("the text is longer than {MAX_TEXT} bytes"));
    }
    Ok(text)
}

/// One request a connection: a length of four bytes, big-endian, and CBOR, in both directions.
fn ask(socket: &Path, request: &Request) -> anyhow::Result<Response> {
    let mut stream = UnixStream::connect(socket)
        .with_context(|| format!("no agent answers at {}", socket.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let body = encode(request);
    let mut frame = u32::try_from(body.len())?.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    stream.write_all(&frame).context("the agent did not take the request")?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).context("the agent did not answer")?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        bail!("the agent's answer of {length} bytes is too long");
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).context("the agent's answer is cut short")?;
    decode(&body).context("the agent's answer is not valid")
}
