//! `pgrep`: the processes whose name or command line matches.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    processes::{self, Process},
};
use anyhow::Context as _;
use regex::Regex;

/// Options that `pgrep` and `pkill` share.
macro_rules! selection {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            $crate::applet::Opt { short: 'f', long: "full", value: "", help: "match the whole command line" },
            $crate::applet::Opt { short: 'x', long: "exact", value: "", help: "the whole name must match" },
            $crate::applet::Opt { short: 'v', long: "inverse", value: "", help: "those that do not match" },
            $crate::applet::Opt { short: 'n', long: "newest", value: "", help: "only the newest" },
            $crate::applet::Opt { short: 'o', long: "oldest", value: "", help: "only the oldest" },
            $crate::applet::Opt { short: 'P', long: "parent", value: "PID", help: "only children of PID" },
            $crate::applet::Opt { short: 's', long: "session", value: "SID,...", help: "only of these sessions; 0 is our own" },
        ]
    };
}
pub(crate) use selection;

pub(crate) static APPLET: Applet = Applet {
    name: "pgrep",
    summary: "Prints the numbers of the processes whose name matches PATTERN; status 1 if none.",
    usage: "[OPTION]... PATTERN",
    options: selection![
        Opt { short: 'l', long: "list-name", value: "", help: "print names too" },
        Opt { short: 'a', long: "list-full", value: "", help: "print command lines too" },
        Opt { short: 'c', long: "count", value: "", help: "print how many" },
    ],
    notes: "PATTERN is an extended regular expression. pgrep itself is never listed.",
    example: "pgrep -a agent",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let found = select(args)?;
    if args.has("count") {
        println!("{}", found.len());
    } else {
        for process in &found {
            if args.has("list-full") {
                println!("{} {}", process.pid, process.command);
            } else if args.has("list-name") {
                println!("{} {}", process.pid, process.name);
            } else {
                println!("{}", process.pid);
            }
        }
    }
    Ok(u8::from(found.is_empty()))
}

/// The processes that the command line means, by number. Never our own.
pub(crate) fn select(args: &Args) -> anyhow::Result<Vec<Process>> {
    let words = args.words()?;
    let parent = match args.text("parent")? {
        Some(text) => match text.parse::<i32>() {
            Ok(pid) => Some(pid),
            Err(_) => return usage_error(format!("{text:?} is not a process")),
        },
        None => None,
    };
    let sessions = sessions(args)?;
    let pattern = match words.as_slice() {
        [pattern] => *pattern,
        [] if parent.is_some() || sessions.is_some() => "",
        [] => return usage_error("which PATTERN?"),
        _ => return usage_error("only one PATTERN can be given"),
    };
    let whole = if args.has("exact") { format!("^(?:{pattern})$") } else { pattern.to_owned() };
    let regex = Regex::new(&whole).with_context(|| format!("{pattern:?} is not a pattern"))?;
    let own = std::process::id().cast_signed();
    let mut found: Vec<Process> = processes::all()?
        .into_iter()
        .filter(|p| p.pid != own && parent.is_none_or(|parent| p.parent == parent))
        .filter(|p| sessions.as_ref().is_none_or(|sessions| sessions.contains(&p.session)))
        .filter(|p| {
            let text = if args.has("full") { &p.command } else { &p.name };
            regex.is_match(text) != args.has("inverse")
        })
        .collect();
    if args.has("newest") {
        found = found.pop().into_iter().collect();
    } else if args.has("oldest") {
        found.truncate(1);
    }
    Ok(found)
}

/// The sessions that `-s` names, where 0 is the one that we are in.
fn sessions(args: &Args) -> anyhow::Result<Option<Vec<i32>>> {
    let Some(text) = args.text("session")? else { return Ok(None) };
    let mut sessions = Vec::new();
    for word in text.split(',') {
        match word.parse::<i32>() {
            Ok(0) => sessions.push(processes::own_session()?),
            Ok(session) => sessions.push(session),
            Err(_) => return usage_error(format!("{word:?} is not a session")),
        }
    }
    Ok(Some(sessions))
}
