//! `pkill`: signal the processes whose name or command line matches.

use super::pgrep::{select, selection};
use crate::{
    applet::{Applet, Args, Opt, usage_error},
    signals,
};
use rustix::{
    io::Errno,
    process::{Pid, kill_process},
};

pub(crate) static APPLET: Applet = Applet {
    name: "pkill",
    summary: "Sends a signal to the processes whose name matches PATTERN; status 1 if none.",
    usage: "[-SIGNAL] [OPTION]... PATTERN",
    options: selection![
        Opt {
            short: 's',
            long: "signal",
            value: "SIGNAL",
            help: "a name or number; TERM if not given"
        },
        Opt { short: 'e', long: "echo", value: "", help: "print what was signalled" },
    ],
    notes: "PATTERN is an extended regular expression. SIGNAL may also be written -KILL or -9.",
    example: "pkill -STOP -x agent",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let signal = match args.text("signal")? {
        None => rustix::process::Signal::TERM,
        Some(name) => match signals::parse(name) {
            Some(signal) => signal,
            None => return usage_error(format!("{name:?} is not a signal")),
        },
    };
    let found = select(args)?;
    let mut failures = 0;
    for process in &found {
        let Some(pid) = Pid::from_raw(process.pid) else { continue };
        match kill_process(pid, signal) {
            // It ended by itself meanwhile.
            Ok(()) | Err(Errno::SRCH) => {
                if args.has("echo") {
                    println!("{} {}", process.pid, process.name);
                }
            }
            Err(error) => {
                eprintln!(
                    "pkill: {} {}: {}",
                    process.pid,
                    process.name,
                    std::io::Error::from(error)
                );
                failures += 1;
            }
        }
    }
    Ok(u8::from(found.is_empty() || failures > 0))
}
