//! `setsid`: a program in a session of its own.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    exec,
    partitions::plain,
};
use anyhow::bail;

pub(crate) static APPLET: Applet = Applet {
    name: "setsid",
    summary: "Runs COMMAND in a new session, away from this terminal.",
    usage: "[-c] [-f] [-w] COMMAND [ARGUMENT]...",
    options: &[
        Opt { short: 'c', long: "ctty", value: "", help: "standard input is its terminal" },
        Opt { short: 'f', long: "fork", value: "", help: "in a new process, always" },
        Opt { short: 'w', long: "wait", value: "", help: "wait for it, and end with its status" },
        Opt {
            short: '\0',
            long: "leader",
            value: "",
            help: "what the new process is told; for itself",
        },
    ],
    notes: "",
    example: "setsid -f long-job < /dev/null > /tmp/log 2>&1",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    if args.operands.is_empty() {
        return usage_error("no command specified");
    }
    let leads = rustix::process::getpgrp() == rustix::process::getpid();
    if (leads || args.has("fork")) && !args.has("leader") {
        // A process that leads a group cannot leave: a child of it can.
        let mut command = std::process::Command::new("/proc/self/exe");
        command.args(["setsid", "--leader"]);
        if args.has("ctty") {
            command.arg("--ctty");
        }
        command.arg("--").args(&args.operands);
        if args.has("wait") {
            return Ok(exec::wait("setsid", command));
        }
        return match command.spawn() {
            Ok(_) => Ok(0),
            Err(error) => bail!("fork: {}", plain(&error)),
        };
    }
    if let Err(error) = rustix::process::setsid() {
        bail!("setsid failed: {}", plain(&error.into()));
    }
    if args.has("ctty")
        && let Err(error) = xenoboot_sys::task::take_terminal()
    {
        bail!("failed to set the controlling terminal: {}", plain(&error));
    }
    Ok(exec::replace("setsid", exec::command(&args.operands)))
}
