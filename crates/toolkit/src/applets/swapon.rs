//! `swapon`: starts to use swap spaces, or prints those in use.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    columns::{self, Cell, Column, Format, Line},
    devices,
    partitions::plain,
    probe,
    sizes::{Style, human},
};
use anyhow::Context as _;
use std::{fs, path::Path};
use xenoboot_sys::swap;

pub(crate) static APPLET: Applet = Applet {
    name: "swapon",
    summary: "Starts to use DEVICEs or files as swap spaces, or prints those in use.",
    usage: "[-p PRIORITY] [-d] DEVICE...\n-a\n[--show[=LIST]] [--noheadings] [--bytes]\n-s",
    options: &[
        Opt { short: 'a', long: "all", value: "", help: "all that /etc/fstab has" },
        Opt {
            short: 'p',
            long: "priority",
            value: "NUMBER",
            help: "0 to 32767; higher goes first",
        },
        Opt {
            short: 'd',
            long: "discard",
            value: "[POLICY]",
            help: "let the device forget free pages",
        },
        Opt { short: 'e', long: "ifexists", value: "", help: "skip what does not exist" },
        Opt { short: 'L', long: "label", value: "LABEL", help: "the one with this label" },
        Opt { short: 'U', long: "uuid", value: "UUID", help: "the one with this UUID" },
        Opt { short: 's', long: "summary", value: "", help: "print /proc/swaps" },
        Opt { short: '\0', long: "show", value: "[LIST]", help: "print those in use" },
        Opt { short: '\0', long: "noheadings", value: "", help: "without headings" },
        Opt { short: '\0', long: "raw", value: "", help: "do not align" },
        Opt { short: '\0', long: "bytes", value: "", help: "sizes in bytes" },
        Opt { short: 'v', long: "verbose", value: "", help: "say what is done" },
    ],
    notes: "DEVICE may be LABEL=..., UUID=..., PARTLABEL=... or PARTUUID=...",
    example: "swapon -p 10 /dev/sda2\nswapon --show",
    run,
};

const COLUMNS: &[Column] = &[
    Column::left("NAME", 0),
    Column::left("TYPE", 0),
    Column::right("SIZE", 5),
    Column::right("USED", 5),
    Column::right("PRIO", 0),
    Column::left("UUID", 0),
    Column::left("LABEL", 0),
];

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut sources = devices::named(args)?;
    if args.has("summary") {
        let text = fs::read_to_string("/proc/swaps").context("cannot read /proc/swaps")?;
        if text.lines().count() > 1 {
            print!("{text}");
        }
        return Ok(0);
    }
    if args.has("show") || (sources.is_empty() && !args.has("all")) {
        return show(args);
    }
    let priority = args.number::<u16>("priority")?;
    if priority.is_some_and(|priority| priority > 32767) {
        return usage_error("the priority is 0 to 32767");
    }
    if args.has("all") {
        sources.extend(of_fstab());
    }
    let mut status = 0;
    for source in sources {
        let done = devices::resolve(Path::new(&source)).and_then(|path| {
            if args.has("verbose") {
                println!("swapon {}", path.display());
            }
            if args.has("ifexists") && !path.exists() {
                return Ok(());
            }
            swap::on(&path, priority, args.has("discard")).map_err(|error| {
                anyhow::anyhow!("{}: swapon failed: {}", path.display(), plain(&error))
            })
        });
        if let Err(error) = done {
            eprintln!("swapon: {error:#}");
            status = 255;
        }
    }
    Ok(status)
}

/// The swap spaces of /etc/fstab that are not marked `noauto`.
pub(super) fn of_fstab() -> Vec<String> {
    let text = fs::read_to_string("/etc/fstab").unwrap_or_default();
    let swap = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            [source, _, "swap", rest @ ..] if !source.starts_with('#') => {
                let manual = rest.first().is_some_and(|o| o.split(',').any(|o| o == "noauto"));
                (!manual).then(|| (*source).to_owned())
            }
            _ => None,
        }
    };
    text.lines().filter_map(swap).collect()
}

fn show(args: &Args) -> anyhow::Result<u8> {
    let default = "NAME,TYPE,SIZE,USED,PRIO";
    let list = args.text("show")?.filter(|list| !list.is_empty()).unwrap_or(default);
    let mut chosen = Vec::new();
    for name in list.split(',') {
        match COLUMNS.iter().find(|column| column.name.eq_ignore_ascii_case(name)) {
            Some(column) => chosen.push(*column),
            None => return usage_error(format!("unknown column: {name}")),
        }
    }
    let text = fs::read_to_string("/proc/swaps").context("cannot read /proc/swaps")?;
    let lines: Vec<Line> =
        text.lines().skip(1).filter_map(|l| line(l, &chosen, args.has("bytes"))).collect();
    let format = if args.has("raw") { Format::Raw } else { Format::Plain };
    if !lines.is_empty() {
        print!("{}", columns::print(&chosen, &lines, format, !args.has("noheadings")));
    }
    Ok(0)
}

/// `/dev/sda2  partition  1048572  0  -2`: sizes in KiB.
fn line(text: &str, columns: &[Column], in_bytes: bool) -> Option<Line> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [name, kind, size, used, priority] = fields.as_slice() else { return None };
    let size_of = |kib: &str| {
        let bytes = kib.parse::<u64>().unwrap_or(0).saturating_mul(1024);
        if in_bytes { bytes.to_string() } else { human(bytes, Style::Short) }
    };
    let found = || probe::probe(Path::new(name)).ok().flatten().unwrap_or_default();
    let cell = |column: &Column| {
        Cell::text(match column.name {
            "NAME" => (*name).to_owned(),
            "TYPE" => (*kind).to_owned(),
            "SIZE" => size_of(size),
            "USED" => size_of(used),
            "PRIO" => (*priority).to_owned(),
            "UUID" => found().uuid,
            _ => found().label,
        })
    };
    Some(Line { cells: columns.iter().map(cell).collect(), children: Vec::new() })
}
