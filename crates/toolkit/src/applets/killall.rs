//! `killall`: signal processes by name.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    partitions::plain,
    processes, signals,
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{fs, path::Path, time::Duration};

pub(crate) static APPLET: Applet = Applet {
    name: "killall",
    summary: "Sends a signal to the processes of NAMEs; status 1 if none was found.",
    usage: "[-SIGNAL] [OPTION]... NAME...",
    options: &[
        Opt {
            short: 's',
            long: "signal",
            value: "SIGNAL",
            help: "a name or number; TERM if not given",
        },
        Opt { short: 'e', long: "exact", value: "", help: "no match by 15 letters alone" },
        Opt { short: 'I', long: "ignore-case", value: "", help: "capitals are letters, too" },
        Opt { short: 'w', long: "wait", value: "", help: "until all are gone" },
        Opt { short: 'v', long: "verbose", value: "", help: "say what was signalled" },
        Opt { short: 'q', long: "quiet", value: "", help: "no word when there is none" },
        Opt { short: 'l', long: "list", value: "", help: "print the names of signals" },
        Opt { short: 'u', long: "user", value: "NUMBER", help: "only of this user" },
    ],
    notes: "A NAME with a slash is a program's file.",
    example: "killall -w dhclient",
    run,
};

/// Linux keeps so many bytes of a name.
const KEPT: usize = 15;

fn run(args: &Args) -> anyhow::Result<u8> {
    if args.has("list") {
        println!("{}", signals::names().collect::<Vec<_>>().join(" "));
        return Ok(0);
    }
    let words = args.words()?;
    if words.is_empty() {
        return usage_error("which names?");
    }
    let signal = match args.text("signal")? {
        None => Some(Signal::TERM),
        Some("0") => None,
        Some(name) => match signals::parse(name) {
            Some(signal) => Some(signal),
            None => return usage_error(format!("{name}: unknown signal")),
        },
    };
    let user = args.number::<u32>("user")?;
    let all = processes::all()?;
    let mut status = 0;
    let mut signalled = Vec::new();
    for word in words {
        let mut found = false;
        for process in all.iter().filter(|process| is(args, process, word, user)) {
            let Some(pid) = Pid::from_raw(process.pid).filter(|p| *p != rustix::process::getpid())
            else {
                continue;
            };
            let done = signal.map_or_else(|| test_kill_process(pid), |s| kill_process(pid, s));
            match done {
                Ok(()) => {
                    found = true;
                    signalled.push(pid);
                    if args.has("verbose") {
                        let number = signal.map_or(0, Signal::as_raw);
                        eprintln!("Killed {}({}) with signal {number}", process.name, process.pid);
                    }
                }
                Err(rustix::io::Errno::SRCH) => {}
                Err(error) => {
                    eprintln!("{}({}): {}", process.name, process.pid, plain(&error.into()));
                }
            }
        }
        if !found {
            status = 1;
            if !args.has("quiet") {
                eprintln!("{word}: no process found");
            }
        }
    }
    while args.has("wait") && signalled.iter().any(|pid| test_kill_process(*pid).is_ok()) {
        // There is no waiting for processes that are not our children.
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(status)
}

fn is(args: &Args, process: &processes::Process, wanted: &str, user: Option<u32>) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let folder = Path::new("/proc").join(process.pid.to_string());
    if user.is_some_and(|user| fs::metadata(&folder).map(|m| m.uid()).ok() != Some(user)) {
        return false;
    }
    if wanted.contains('/') {
        let own = fs::metadata(folder.join("exe")).map(|m| (m.dev(), m.ino())).ok();
        return own.is_some() && own == fs::metadata(wanted).map(|m| (m.dev(), m.ino())).ok();
    }
    let same =
        |a: &str, b: &str| if args.has("ignore-case") { a.eq_ignore_ascii_case(b) } else { a == b };
    if process.name.len() < KEPT || wanted.len() <= KEPT {
        return same(&process.name, wanted);
    }
    // The name is cut: the command line may have all of it.
    let program = process.command.split(' ').next().unwrap_or("");
    let whole = program.rsplit('/').next().unwrap_or("");
    same(whole, wanted) || (!args.has("exact") && wanted.starts_with(&process.name))
}
