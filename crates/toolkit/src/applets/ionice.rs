//! `ionice`: a share of the disks.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    exec,
    partitions::plain,
};
use anyhow::bail;
use xenoboot_sys::task::{Who, disk_priority, set_disk_priority};

pub(crate) static APPLET: Applet = Applet {
    name: "ionice",
    summary: "Prints or sets the priority at the disks, of processes or for COMMAND.",
    usage: "[-c CLASS] [-n LEVEL] [-t] COMMAND [ARGUMENT]...\n[-c CLASS] [-n LEVEL] [-t] -p|-P|-u ID...",
    options: &[
        Opt {
            short: 'c',
            long: "class",
            value: "CLASS",
            help: "0 none, 1 realtime, 2 best-effort, 3 idle",
        },
        Opt { short: 'n', long: "classdata", value: "LEVEL", help: "0 (first) to 7" },
        Opt {
            short: 'p',
            long: "pid",
            value: "PID",
            help: "of this process, and those that follow",
        },
        Opt { short: 'P', long: "pgid", value: "GROUP", help: "of these process groups" },
        Opt { short: 'u', long: "uid", value: "USER", help: "of these users' processes" },
        Opt { short: 't', long: "ignore", value: "", help: "no error when it cannot be set" },
    ],
    notes: "",
    example: "ionice -c idle dd if=/dev/sda of=/mnt/copy",
    run,
};

const CLASSES: [&str; 4] = ["none", "realtime", "best-effort", "idle"];

fn run(args: &Args) -> anyhow::Result<u8> {
    let class = match args.text("class")? {
        None => None,
        Some(text) => match CLASSES.iter().position(|c| *c == text).or_else(|| text.parse().ok()) {
            Some(class @ 0..=3) => Some(class),
            _ => return usage_error(format!("unknown scheduling class: '{text}'")),
        },
    };
    let level = args.number::<u8>("classdata")?;
    let level = if class == Some(3) || class == Some(0) {
        if level.is_some() {
            eprintln!(
                "ionice: ignoring given class data for {} class",
                CLASSES.get(class.unwrap_or(0)).unwrap_or(&"")
            );
        }
        Some(if class == Some(3) { 7 } else { 0 })
    } else {
        level
    };
    if level.is_some_and(|level| level > 7) {
        return usage_error("the level is 0 to 7");
    }
    type Make = fn(u32) -> Who;
    let kinds: [(&str, Make); 3] = [
        ("pid", |id| Who::Process(id.cast_signed())),
        ("pgid", |id| Who::Group(id.cast_signed())),
        ("uid", Who::User),
    ];
    let sets = class.is_some() || level.is_some();
    let class = u8::try_from(class.unwrap_or(2))?;
    for (option, make) in kinds {
        let Some(first) = args.text(option)? else { continue };
        for id in std::iter::once(first).chain(args.words()?) {
            let Ok(number) = id.parse() else {
                return usage_error(format!("invalid {option} argument: '{id}'"));
            };
            if sets {
                set(args, make(number), class, level.unwrap_or(4))?;
            } else {
                print(make(number))?;
            }
        }
        return Ok(0);
    }
    if args.operands.is_empty() {
        if sets {
            return usage_error("for which command or process?");
        }
        print(Who::Process(0))?;
        return Ok(0);
    }
    set(args, Who::Process(0), class, level.unwrap_or(4))?;
    Ok(exec::replace("ionice", exec::command(&args.operands)))
}

fn set(args: &Args, who: Who, class: u8, level: u8) -> anyhow::Result<()> {
    match set_disk_priority(who, class, level) {
        Err(error) if !args.has("ignore") => bail!("ioprio_set failed: {}", plain(&error)),
        _ => Ok(()),
    }
}

fn print(who: Who) -> anyhow::Result<()> {
    match disk_priority(who) {
        Ok((3, _)) => println!("idle"),
        Ok((class, level)) => {
            println!("{}: prio {level}", CLASSES.get(usize::from(class)).unwrap_or(&"unknown"));
        }
        Err(error) => bail!("ioprio_get failed: {}", plain(&error)),
    }
    Ok(())
}
