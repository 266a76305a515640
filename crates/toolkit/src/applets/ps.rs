//! `ps`: the processes.

use crate::{
    applet::{Applet, Args, Opt},
    processes,
};
use std::io::Write as _;

pub(crate) static APPLET: Applet = Applet {
    name: "ps",
    summary: "Prints every process.",
    usage: "[-e|-A] [-f] [-w]",
    options: &[
        Opt { short: 'e', long: "every", value: "", help: "every process (always so)" },
        Opt { short: 'A', long: "all", value: "", help: "the same" },
        Opt { short: 'f', long: "full", value: "", help: "with the parent (always so)" },
        Opt { short: 'w', long: "wide", value: "", help: "do not cut lines (always so)" },
    ],
    notes: "Columns: number, parent's number, state, processor time, resident memory in KiB, command.\n\
            The old spellings `ps ax` and `ps aux` print the same.",
    example: "ps | grep agent",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let old_spelling = |word: &std::ffi::OsString| {
        word.to_str().is_some_and(|w| w.bytes().all(|b| b"auxwef".contains(&b)))
    };
    if !args.operands.iter().all(old_spelling) {
        args.no_operands()?;
    }
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let page = rustix::param::page_size() as u64;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:>7} {:>7} S {:>8} {:>8} COMMAND", "PID", "PPID", "TIME", "RSS")?;
    for process in processes::all()? {
        let seconds = process.ticks / per_second;
        let time = format!("{}:{:02}", seconds / 60, seconds % 60);
        let memory = process.pages * page / 1024;
        writeln!(
            out,
            "{:>7} {:>7} {} {time:>8} {memory:>8} {}",
            process.pid, process.parent, process.state, process.command
        )?;
    }
    Ok(0)
}
