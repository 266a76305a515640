//! `renice`: another share of the processor.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    partitions::plain,
};
use rustix::process::{
    Pid, Uid, getpriority_pgrp, getpriority_process, getpriority_user, setpriority_pgrp,
    setpriority_process, setpriority_user,
};
use std::io;

pub(crate) static APPLET: Applet = Applet {
    name: "renice",
    summary: "Changes how nice processes are to others: -20 (least) to 19.",
    usage: "[-n] NUMBER [-p|-g|-u] ID...",
    options: &[
        Opt { short: 'n', long: "priority", value: "NUMBER", help: "how nice" },
        Opt {
            short: 'p',
            long: "pid",
            value: "",
            help: "IDs are processes (so if nothing is said)",
        },
        Opt { short: 'g', long: "pgrp", value: "", help: "IDs are process groups" },
        Opt { short: 'u', long: "user", value: "", help: "IDs are users" },
        Opt { short: '\0', long: "relative", value: "NUMBER", help: "so much nicer" },
    ],
    notes: "",
    example: "renice -n 19 -p 4711",
    run,
};

#[derive(Clone, Copy)]
enum Who {
    Process(Pid),
    Group(Pid),
    User(Uid),
}

impl Who {
    fn get(self) -> io::Result<i32> {
        Ok(match self {
            Self::Process(pid) => getpriority_process(Some(pid)),
            Self::Group(pid) => getpriority_pgrp(Some(pid)),
            Self::User(uid) => getpriority_user(uid),
        }?)
    }

    fn set(self, nice: i32) -> io::Result<()> {
        Ok(match self {
            Self::Process(pid) => setpriority_process(Some(pid), nice),
            Self::Group(pid) => setpriority_pgrp(Some(pid), nice),
            Self::User(uid) => setpriority_user(uid, nice),
        }?)
    }
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let relative = args.number::<i32>("relative")?;
    let (number, ids) = match (args.number::<i32>("priority")?.or(relative), words.as_slice()) {
        (Some(number), ids) => (number, ids),
        (None, [first, ids @ ..]) => match first.parse() {
            Ok(number) => (number, ids),
            Err(_) => return usage_error(format!("invalid priority '{first}'")),
        },
        (None, []) => return usage_error("not enough arguments"),
    };
    if ids.is_empty() {
        return usage_error("not enough arguments");
    }
    let kind = if args.has("user") {
        "user ID"
    } else if args.has("pgrp") {
        "process group ID"
    } else {
        "process ID"
    };
    let mut status = 0;
    for id in ids {
        let Some(who) = parse(kind, id) else {
            eprintln!("renice: bad {kind} value: {id}");
            status = 1;
            continue;
        };
        let done = who.get().and_then(|old| {
            who.set(if relative.is_some() { old + number } else { number })?;
            Ok((old, who.get()?))
        });
        match done {
            Ok((old, new)) => println!("{id} ({kind}) old priority {old}, new priority {new}"),
            Err(error) => {
                eprintln!("renice: failed to set priority for {id} ({kind}): {}", plain(&error));
                status = 1;
            }
        }
    }
    Ok(status)
}

fn parse(kind: &str, id: &str) -> Option<Who> {
    if kind == "user ID" {
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let of_name = || {
            let line = users.lines().find(|line| line.split(':').next() == Some(id))?;
            line.split(':').nth(2)?.parse().ok()
        };
        return Some(Who::User(Uid::from_raw(id.parse().ok().or_else(of_name)?)));
    }
    let pid = Pid::from_raw(id.parse().ok().filter(|n: &i32| *n > 0)?)?;
    Some(if kind == "process ID" { Who::Process(pid) } else { Who::Group(pid) })
}
