//! `pidof`: the numbers of a program's processes.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    processes,
};
use std::path::Path;

pub(crate) static APPLET: Applet = Applet {
    name: "pidof",
    summary: "Prints the numbers of the processes that run PROGRAM, newest first; status 1 if none.",
    usage: "[-sx] PROGRAM...",
    options: &[
        Opt { short: 's', long: "single", value: "", help: "print only one" },
        Opt { short: 'x', long: "scripts", value: "", help: "shells that run the scripts, too" },
    ],
    notes: "",
    example: "pidof agent",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let names = args.words()?;
    if names.is_empty() {
        return usage_error("which program?");
    }
    let base = |path: &str| Path::new(path).file_name().map(|n| n.to_string_lossy().into_owned());
    let mut found: Vec<String> = processes::all()?
        .into_iter()
        .filter(|p| {
            let program = p.command.split(' ').next().and_then(base).unwrap_or_default();
            // The script is the word behind its interpreter, which has the script's name or not.
            let second = p.command.split(' ').nth(1).filter(|_| args.has("scripts"));
            let script = second.and_then(base);
            names.iter().any(|name| {
                let name_base = base(name);
                *name == p.name
                    || name_base.as_deref() == Some(&program)
                    || script.is_some() && name_base == script
            })
        })
        .map(|p| p.pid.to_string())
        .collect();
    found.reverse();
    if args.has("single") {
        found.truncate(1);
    }
    if found.is_empty() {
        return Ok(1);
    }
    println!("{}", found.join(" "));
    Ok(0)
}
