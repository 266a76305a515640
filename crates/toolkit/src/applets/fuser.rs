//! `fuser`: who uses a file.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    names::Names,
    opens::{self, How, Open},
    processes::{self, Process},
    signals,
};
use rustix::{
    fs::FileType,
    process::{Pid, Signal, kill_process},
};
use std::io::Write as _;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "fuser",
    summary: "Prints the processes that use FILEs, file systems or ports; status 1 if none.",
    usage: "[-SIGNAL] [OPTION]... FILE...\n[OPTION]... -n tcp|udp PORT...",
    options: &[
        flag('k', "kill", "end them"),
        Opt { short: '\0', long: "signal", value: "SIGNAL", help: "with -k; KILL if not given" },
        flag('m', "mount", "all that is on FILE's file system"),
        flag('M', "ismountpoint", "only if FILE is a mount"),
        flag('v', "verbose", "with user and how they use it"),
        flag('u', "user", "with the user"),
        flag('s', "silent", "print nothing"),
        flag('w', "writing", "end only those that write"),
        Opt { short: 'n', long: "namespace", value: "SPACE", help: "file, tcp or udp" },
        flag('4', "ipv4", "only IPv4"),
        flag('6', "ipv6", "only IPv6"),
        flag('l', "list-signals", "print the names of signals"),
    ],
    notes: "22/tcp is the port 22. The letters after a number: c its folder, e its program, r its root, m mapped.\n\
            With -v also f open, F open for writing. Numbers go to standard output, all else to standard error.",
    example: "fuser -vm /mnt\nfuser -k -TERM 8080/tcp",
    run,
};

/// What is looked for.
enum Wanted {
    File(u64, u64),
    /// A file system.
    Device(u64),
    /// Numbers of sockets.
    Sockets(Vec<u64>),
    /// A device file.
    Special(u64, FileType),
}

/// Names take so much of a line.
const NAME: usize = 20;

fn run(args: &Args) -> anyhow::Result<u8> {
    if args.has("list-signals") {
        println!("{}", signals::names().collect::<Vec<_>>().join(" "));
        return Ok(0);
    }
    let words = args.words()?;
    if words.is_empty() {
        return usage_error("No process specification given");
    }
    let signal = match args.text("signal")? {
        None => Signal::KILL,
        Some(name) => match signals::parse(name) {
            Some(signal) => signal,
            None => return usage_error(format!("unknown signal {name}")),
        },
    };
    let space = args.text("namespace")?.unwrap_or("file");
    if !matches!(space, "file" | "tcp" | "udp") {
        return usage_error(format!("Invalid namespace name: {space}"));
    }
    let all: Vec<(Process, Vec<Open>)> = processes::all()?
        .into_iter()
        .map(|process| {
            let opens = opens::of(&process);
            (process, opens)
        })
        .collect();
    let mut headed = false;
    let mut status = 1;
    for word in words {
        let wanted = match wanted(args, word, space)? {
            Ok(wanted) => wanted,
            Err(reason) => {
                eprintln!("{reason}");
                continue;
            }
        };
        let used = |opens: &[Open]| -> Vec<(How, FileType)> {
            let own = opens.iter().filter(|open| is(open, &wanted));
            own.map(|open| (open.how, open.kind().unwrap_or(FileType::Unknown))).collect()
        };
        let users: Vec<(&Process, Vec<How>)> = all
            .iter()
            .map(|(process, opens)| {
                (process, used(opens).into_iter().map(|(how, _)| how).collect())
            })
            .filter(|(_, hows): &(_, Vec<How>)| !hows.is_empty())
            .collect();
        if users.is_empty() && !args.has("verbose") {
            continue;
        }
        if !users.is_empty() {
            status = 0;
        }
        if !args.has("silent") {
            show(args, word, &users, &mut headed)?;
        }
        if args.has("kill") {
            end(args, &users, signal);
        }
    }
    Ok(status)
}

/// What a word means, or why nothing.
fn wanted(args: &Args, word: &str, space: &str) -> anyhow::Result<Result<Wanted, String>> {
    let port = match (space, word.rsplit_once('/')) {
        ("file", Some((port, protocol @ ("tcp" | "udp"))))
            if port.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Some((port, protocol))
        }
        ("file", _) => None,
        (protocol, _) => Some((word, protocol)),
    };
    if let Some((port, protocol)) = port {
        let Ok(port) = port.parse::<u16>() else {
            return Ok(Err(format!("{port}: not a port's number")));
        };
        let sockets = opens::sockets();
        let own = sockets.into_iter().filter(|(_, socket)| {
            socket.protocol.eq_ignore_ascii_case(protocol)
                && socket.local.1 == port
                && !(args.has("ipv4") && socket.six)
                && (!args.has("ipv6") || socket.six)
        });
        return Ok(Ok(Wanted::Sockets(own.map(|(number, _)| number).collect())));
    }
    let stat = match rustix::fs::stat(word) {
        Ok(stat) => stat,
        Err(_) => return Ok(Err(format!("Specified filename {word} does not exist."))),
    };
    let kind = FileType::from_raw_mode(stat.st_mode);
    if !args.has("mount") && !args.has("ismountpoint") {
        return Ok(Ok(match kind {
            FileType::BlockDevice => Wanted::Special(stat.st_rdev, kind),
            _ => Wanted::File(stat.st_dev, stat.st_ino),
        }));
    }
    if args.has("ismountpoint") {
        let path = std::fs::canonicalize(word).unwrap_or_default();
        if !crate::mounts::all()?.iter().any(|mount| mount.target == path) {
            return Ok(Err(format!("Specified filename {word} is not a mountpoint.")));
        }
    }
    Ok(Ok(match kind {
        FileType::BlockDevice => Wanted::Device(stat.st_rdev),
        _ => Wanted::Device(stat.st_dev),
    }))
}

fn is(open: &Open, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::File(device, number) => open.file() == Some((*device, *number)),
        Wanted::Device(device) => open.file().is_some_and(|(own, _)| own == *device),
        Wanted::Special(device, kind) => {
            open.kind() == Some(*kind)
                && open.stat.as_ref().is_some_and(|stat| stat.st_rdev == *device)
        }
        Wanted::Sockets(numbers) => open.socket().is_some_and(|number| numbers.contains(&number)),
    }
}

fn show(
    args: &Args,
    word: &str,
    users: &[(&Process, Vec<How>)],
    headed: &mut bool,
) -> anyhow::Result<()> {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    let verbose = args.has("verbose");
    if verbose && !*headed {
        writeln!(err, "{:NAME$} USER        PID ACCESS COMMAND", "")?;
        *headed = true;
    }
    let path = std::path::absolute(word).unwrap_or_else(|_| word.into());
    let name =
        if word.contains('/') || path.exists() { path.display().to_string() } else { word.into() };
    write!(err, "{:<NAME$}", format!("{name}:"))?;
    let names = Names::read();
    for (n, (process, hows)) in users.iter().enumerate() {
        let has = |wanted: How| hows.contains(&wanted);
        let file = hows.iter().any(|how| matches!(how, How::Descriptor(..)));
        let user = || match names.user(process.owner.0) {
            Some(name) => name.to_owned(),
            None if process.owner.0 == 0 => "root".into(),
            None => process.owner.0.to_string(),
        };
        if verbose {
            if n > 0 {
                write!(err, "{:NAME$}", "")?;
            }
            write!(err, " {:<8.8} ", user())?;
            err.flush()?;
            write!(out, "{:>6}", process.pid)?;
            out.flush()?;
            let letters = [
                (file, if writes(hows) { 'F' } else { 'f' }),
                (has(How::Root), 'r'),
                (has(How::Folder), 'c'),
                (has(How::Program), 'e'),
                (has(How::Mapped) && !has(How::Program), 'm'),
            ];
            let letters: String =
                letters.iter().map(|(on, letter)| if *on { *letter } else { '.' }).collect();
            writeln!(err, " {letters} {}", super::ps::fields::clean(&process.name))?;
            continue;
        }
        err.flush()?;
        write!(out, " {:>5}", process.pid)?;
        out.flush()?;
        for (how, letter) in
            [(How::Folder, 'c'), (How::Program, 'e'), (How::Root, 'r'), (How::Mapped, 'm')]
        {
            if has(how) && !(how == How::Mapped && has(How::Program)) {
                write!(err, "{letter}")?;
            }
        }
        if args.has("user") {
            write!(err, "({})", user())?;
        }
    }
    if !verbose || users.is_empty() {
        writeln!(err)?;
    }
    Ok(())
}

fn writes(hows: &[How]) -> bool {
    hows.iter().any(|how| matches!(how, How::Descriptor(_, 'w' | 'u')))
}

fn end(args: &Args, users: &[(&Process, Vec<How>)], signal: Signal) {
    let me = rustix::process::getpid();
    for (process, hows) in users {
        let pid = Pid::from_raw(process.pid).filter(|pid| *pid != me);
        if let Some(pid) = pid.filter(|_| !args.has("writing") || writes(hows))
            && let Err(error) = kill_process(pid, signal)
            && error != rustix::io::Errno::SRCH
        {
            let error = crate::partitions::plain(&error.into());
            eprintln!("Could not kill process {}: {error}", process.pid);
        }
    }
}
