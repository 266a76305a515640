//! `flock`: locks for scripts.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    exec,
    partitions::plain,
};
use anyhow::bail;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::{
    ffi::OsString,
    fs::File,
    os::fd::{AsFd as _, BorrowedFd},
    time::{Duration, Instant},
};
use xenoboot_sys::inherit;

pub(crate) static APPLET: Applet = Applet {
    name: "flock",
    summary: "Runs COMMAND while FILE is locked, or locks an open descriptor of the shell.",
    usage: "[OPTION]... FILE COMMAND [ARGUMENT]...\n[OPTION]... FILE -c LINE\n[OPTION]... NUMBER",
    options: &[
        Opt { short: 's', long: "shared", value: "", help: "others may have a shared lock, too" },
        Opt {
            short: 'x',
            long: "exclusive",
            value: "",
            help: "nobody else (so if nothing is said)",
        },
        Opt { short: 'e', long: "exclusive-lock", value: "", help: "the same" },
        Opt { short: 'u', long: "unlock", value: "", help: "let go" },
        Opt { short: 'n', long: "nonblock", value: "", help: "do not wait: status 1" },
        Opt { short: 'w', long: "timeout", value: "SECONDS", help: "wait so long at most" },
        Opt { short: 'E', long: "conflict-exit-code", value: "NUMBER", help: "status for that" },
        Opt { short: 'o', long: "close", value: "", help: "COMMAND does not inherit the lock" },
        Opt { short: 'F', long: "no-fork", value: "", help: "become COMMAND" },
        Opt { short: 'c', long: "command", value: "LINE", help: "a line for the shell" },
        Opt { short: '\0', long: "verbose", value: "", help: "say how long it took" },
    ],
    notes: "",
    example: "flock /run/disk.lock sfdisk /dev/sda < table\n(flock -n 9 || exit 1; work) 9> /run/lock",
    run,
};

/// Between attempts, when the wait is limited.
const LOOK: Duration = Duration::from_millis(10);

fn run(args: &Args) -> anyhow::Result<u8> {
    let status = args.number::<u8>("conflict-exit-code")?.unwrap_or(1);
    let (first, rest) = match args.operands.as_slice() {
        [first, rest @ ..] => (first, rest),
        [] => return usage_error("not enough arguments"),
    };
    let shell = |line: OsString| vec!["/bin/sh".into(), "-c".into(), line];
    let words: Vec<OsString> = match rest {
        [option, line] if option == "-c" || option == "--command" => shell(line.clone()),
        [option, ..] if option == "-c" || option == "--command" => {
            return usage_error("-c requires exactly one command argument");
        }
        [] => args.value("command").map(|line| shell(line.into())).unwrap_or_default(),
        words => words.to_vec(),
    };
    let number = first.to_str().and_then(|text| text.parse::<i32>().ok());
    match (number, words.is_empty()) {
        (Some(number), true) => {
            let inherited = match inherit::take(number) {
                Ok(inherited) => inherited,
                Err(error) => bail!("{number}: {}", plain(&error)),
            };
            take(args, inherited.as_fd(), status)
        }
        (None, true) => usage_error(format!("bad file descriptor: {first:?}")),
        (_, false) => {
            let file = open(first)?;
            match take(args, file.as_fd(), status)? {
                0 => {}
                status => return Ok(status),
            }
            if !args.has("close") {
                rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
            }
            let command = exec::command(&words);
            Ok(if args.has("no-fork") {
                exec::replace("flock", command)
            } else {
                exec::wait("flock", command)
            })
        }
    }
}

fn open(path: &OsString) -> anyhow::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o666);
    let opened = rustix::fs::open(path, flags, mode).or_else(|error| match error {
        rustix::io::Errno::ISDIR => rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, mode),
        error => Err(error),
    });
    match opened {
        Ok(fd) => Ok(File::from(fd)),
        Err(error) => {
            bail!("cannot open lock file {}: {}", path.display(), plain(&error.into()))
        }
    }
}

fn take(args: &Args, fd: BorrowedFd<'_>, status: u8) -> anyhow::Result<u8> {
    if args.has("unlock") {
        rustix::fs::flock(fd, FlockOperation::Unlock)?;
        return Ok(0);
    }
    let limit = match args.text("timeout")?.map(str::parse::<f64>) {
        None => None,
        Some(Ok(seconds)) if (0.0..1e9).contains(&seconds) => {
            Some(Duration::from_secs_f64(seconds))
        }
        Some(_) => return usage_error("invalid timeout value"),
    };
    let (waits, tries) = if args.has("shared") {
        (FlockOperation::LockShared, FlockOperation::NonBlockingLockShared)
    } else {
        (FlockOperation::LockExclusive, FlockOperation::NonBlockingLockExclusive)
    };
    let started = Instant::now();
    let limit = if args.has("nonblock") { Some(Duration::ZERO) } else { limit };
    loop {
        match rustix::fs::flock(fd, if limit.is_some() { tries } else { waits }) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) => {
                if limit.is_none_or(|limit| started.elapsed() >= limit) {
                    if args.has("verbose") {
                        eprintln!("flock: failed to get lock");
                    }
                    return Ok(status);
                }
                std::thread::sleep(LOOK);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => bail!("{}", plain(&error.into())),
        }
    }
    if args.has("verbose") {
        println!("flock: getting lock took {:.6} seconds", started.elapsed().as_secs_f64());
    }
    Ok(0)
}
