//! `findmnt`: what is mounted where.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    columns::{self, Cell, Column, Format, JSON, Line, NO_HEADINGS, OUTPUT, PAIRS, RAW},
    devices,
    mounts::{self, Mount},
    probe,
    sizes::{Style, human},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "findmnt",
    summary: "Prints what is mounted: all of it as a tree, or what fits.",
    usage: "[OPTION]... [DEVICE|FOLDER]\n[OPTION]... DEVICE FOLDER",
    options: &[
        JSON,
        PAIRS,
        RAW,
        NO_HEADINGS,
        OUTPUT,
        flag('l', "list", "a list, no tree"),
        flag('\0', "tree", "a tree"),
        flag('a', "ascii", "draw the tree in ASCII"),
        flag('b', "bytes", "sizes in bytes"),
        flag('D', "df", "columns as of df"),
        flag('f', "first-only", "only the first that fits"),
        flag('i', "invert", "what does not fit"),
        flag('k', "kernel", "what the kernel says, as always"),
        flag('R', "submounts", "with all that is mounted below"),
        flag('U', "uniq", "only the uppermost on each folder"),
        flag('u', "notruncate", "ignored: nothing is cut"),
        flag('v', "nofsroot", "no [/folder] after sources"),
        flag('e', "evaluate", "LABEL= and UUID= as devices, as always"),
        flag('\0', "real", "only file systems with a device"),
        flag('\0', "pseudo", "only those without"),
        Opt { short: 't', long: "types", value: "LIST", help: "only these types; noLIST: no such" },
        Opt { short: 'O', long: "options", value: "LIST", help: "only with all these options" },
        Opt { short: 'S', long: "source", value: "DEVICE", help: "only of this source" },
        Opt { short: 'T', long: "target", value: "PATH", help: "the mount that PATH is on" },
        Opt { short: 'M', long: "mountpoint", value: "FOLDER", help: "only on this folder" },
    ],
    notes: "Columns: SOURCE TARGET FSTYPE OPTIONS VFS-OPTIONS FS-OPTIONS LABEL UUID MAJ:MIN SIZE AVAIL USED\n\
            USE% FSROOT ID PARENT PROPAGATION. The exit status is 1 when nothing fits.",
    example: "findmnt -n -o SOURCE /",
    run,
};

const COLUMNS: &[Column] = &[
    Column::left("TARGET", 0),
    Column::left("SOURCE", 0),
    Column::left("FSTYPE", 0),
    Column::left("OPTIONS", 0),
    Column::left("VFS-OPTIONS", 0),
    Column::left("FS-OPTIONS", 0),
    Column::left("LABEL", 0),
    Column::left("UUID", 0),
    Column::left("MAJ:MIN", 6),
    Column::right("SIZE", 5),
    Column::right("AVAIL", 5),
    Column::right("USED", 5),
    Column::right("USE%", 3),
    Column::left("FSROOT", 0),
    Column::right("ID", 2),
    Column::right("PARENT", 2),
    Column::left("OPT-FIELDS", 0),
    Column::left("PROPAGATION", 0),
];

const DEFAULT: &[&str] = &["TARGET", "SOURCE", "FSTYPE", "OPTIONS"];
const LIKE_DF: &[&str] = &["SOURCE", "FSTYPE", "SIZE", "USED", "AVAIL", "USE%", "TARGET"];

/// What a mount must be.
struct Filter<'a> {
    source: Option<PathBuf>,
    target: Option<PathBuf>,
    /// One operand may be either.
    either: Option<PathBuf>,
    kinds: Option<&'a str>,
    options: Option<&'a str>,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let all = mounts::all()?;
    let filter = filter(args, &words, &all)?;
    let default = if args.has("df") { LIKE_DF } else { DEFAULT };
    let chosen = columns::choose(args, COLUMNS, default)?;
    let narrow = |f: &Filter<'_>| f.source.is_some() || f.target.is_some() || f.either.is_some();
    let listed = !filter.as_ref().is_some_and(narrow) && !args.has("df");
    let mut found: Vec<&Mount> = all
        .iter()
        .filter(|mount| fits(args, filter.as_ref(), mount) != args.has("invert"))
        .collect();
    if args.has("uniq") {
        let on_top = |mount: &&Mount| {
            !all.iter().any(|other| other.parent == mount.id && other.target == mount.target)
        };
        found.retain(on_top);
    }
    // Of several mounts on one folder the last is the one seen.
    if let Some(Filter { target: Some(_), source: None, .. }) = &filter
        && !args.has("submounts")
        && args.has("target")
    {
        found = found.pop().into_iter().collect();
    }
    if args.has("first-only") {
        found.truncate(1);
    }
    if found.is_empty() {
        return Ok(1);
    }
    if args.has("ascii") {
        columns::draw_in_ascii();
    }
    let flat = args.has("list") || args.has("raw") || args.has("pairs");
    let tree = (listed || args.has("submounts") || args.has("tree")) && !flat;
    let make = |mount: &Mount| Line { cells: cells(args, mount, &chosen), children: Vec::new() };
    let lines: Vec<Line> = match (args.has("submounts"), tree) {
        (true, true) => found.iter().map(|mount| branch(mount, &all, &make, 0)).collect(),
        (true, false) => {
            let mut flat = Vec::new();
            found.iter().for_each(|mount| flatten(branch(mount, &all, &make, 0), &mut flat));
            flat
        }
        (false, true) => forest(&found, &all, &make),
        (false, false) => found.iter().map(|mount| make(mount)).collect(),
    };
    let column = chosen.iter().position(|column| column.name == "TARGET");
    let format = if args.has("json") {
        Format::Json("filesystems")
    } else if args.has("pairs") {
        Format::Pairs
    } else if args.has("raw") {
        Format::Raw
    } else {
        column.filter(|_| tree).map_or(Format::Plain, Format::Tree)
    };
    print!("{}", columns::print(&chosen, &lines, format, !args.has("noheadings")));
    Ok(0)
}

/// What the options and operands ask for; `None` when for everything.
fn filter<'a>(args: &'a Args, words: &[&str], all: &[Mount]) -> anyhow::Result<Option<Filter<'a>>> {
    let mut filter = Filter {
        source: args.text("source")?.map(source).transpose()?,
        target: args.text("mountpoint")?.map(absolute),
        either: None,
        kinds: args.text("types")?,
        options: args.text("options")?,
    };
    if let Some(path) = args.text("target")? {
        filter.target = Some(mount_of(&absolute(path), all));
    }
    match words {
        [] => {}
        [word] if word.contains('=') => filter.source = Some(source(word)?),
        [word] => filter.either = Some(absolute(word)),
        [device, folder] => {
            filter.source = Some(source(device)?);
            filter.target = Some(absolute(folder));
        }
        _ => return usage_error("a device and a folder at most"),
    }
    let any = filter.source.is_some()
        || filter.target.is_some()
        || filter.either.is_some()
        || filter.kinds.is_some()
        || filter.options.is_some();
    Ok(any.then_some(filter))
}

fn source(text: &str) -> anyhow::Result<PathBuf> {
    let path = devices::resolve(Path::new(text)).unwrap_or_else(|_| text.into());
    Ok(fs::canonicalize(&path).unwrap_or(path))
}

fn absolute(text: &str) -> PathBuf {
    fs::canonicalize(text).unwrap_or_else(|_| text.into())
}

/// The folder of the mount that a path is on.
fn mount_of(path: &Path, all: &[Mount]) -> PathBuf {
    let holds = |folder: &&Path| all.iter().any(|mount| mount.target == **folder);
    path.ancestors().find(holds).map_or_else(|| path.into(), Path::to_owned)
}

fn fits(args: &Args, filter: Option<&Filter<'_>>, mount: &Mount) -> bool {
    let pseudo =
        !mount.source.starts_with("/dev") && !mount.source.to_string_lossy().contains(":/");
    if (args.has("real") || args.has("df")) && pseudo && !(args.has("df") && has_size(mount)) {
        return false;
    }
    if args.has("pseudo") && !pseudo {
        return false;
    }
    let Some(filter) = filter else { return true };
    let is_source = |wanted: &PathBuf| mount.source == *wanted;
    let kinds = filter.kinds.is_none_or(|kinds| match kinds.strip_prefix("no") {
        Some(others) => !others.split(',').any(|kind| kind == mount.kind),
        None => kinds.split(',').any(|kind| kind == mount.kind),
    });
    let options = filter.options.is_none_or(|wanted| {
        wanted.split(',').all(|wanted| match wanted.strip_prefix("no") {
            Some(without) if !mount.options.split(',').any(|o| o == wanted) => {
                !mount.options.split(',').any(|option| option == without)
            }
            _ => mount.options.split(',').any(|option| option == wanted),
        })
    });
    filter.source.as_ref().is_none_or(is_source)
        && filter.target.as_ref().is_none_or(|target| mount.target == *target)
        && filter.either.as_ref().is_none_or(|path| is_source(path) || mount.target == *path)
        && kinds
        && options
}

fn has_size(mount: &Mount) -> bool {
    matches!(mount.kind.as_str(), "tmpfs" | "devtmpfs" | "overlay")
}

/// The mounts as trees: each hangs on the nearest that is shown, too.
fn forest(found: &[&Mount], all: &[Mount], make: &impl Fn(&Mount) -> Line) -> Vec<Line> {
    let above = |mount: &Mount| {
        let mut at = mount;
        for _ in 0..DEEPEST {
            at = all.iter().find(|other| other.id == at.parent && other.id != at.id)?;
            if found.iter().any(|shown| shown.id == at.id) {
                return Some(at.id);
            }
        }
        None
    };
    let pairs: Vec<(Option<u64>, &Mount)> =
        found.iter().map(|mount| (above(mount), *mount)).collect();
    grow(None, &pairs, make, 0)
}

fn grow(
    parent: Option<u64>,
    pairs: &[(Option<u64>, &Mount)],
    make: &impl Fn(&Mount) -> Line,
    depth: usize,
) -> Vec<Line> {
    let line = |mount: &Mount| {
        let mut line = make(mount);
        if depth < DEEPEST {
            line.children = grow(Some(mount.id), pairs, make, depth + 1);
        }
        line
    };
    pairs.iter().filter(|(above, _)| *above == parent).map(|(_, mount)| line(mount)).collect()
}

/// Deeper trees are cut: the kernel makes no circles, but a text file could.
const DEEPEST: usize = 64;

fn branch(mount: &Mount, all: &[Mount], make: &impl Fn(&Mount) -> Line, depth: usize) -> Line {
    let mut line = make(mount);
    if depth < DEEPEST {
        let below = all.iter().filter(|other| other.parent == mount.id && other.id != mount.id);
        line.children = below.map(|other| branch(other, all, make, depth + 1)).collect();
    }
    line
}

fn flatten(mut line: Line, out: &mut Vec<Line>) {
    let children = std::mem::take(&mut line.children);
    out.push(line);
    children.into_iter().for_each(|child| flatten(child, out));
}

fn cells(args: &Args, mount: &Mount, columns: &[Column]) -> Vec<Cell> {
    let space = rustix::fs::statvfs(&mount.target).ok();
    let bytes = |blocks: fn(&rustix::fs::StatVfs) -> u64| {
        let bytes = space.as_ref().map(|space| blocks(space).saturating_mul(space.f_frsize));
        match bytes {
            None => String::new(),
            Some(bytes) if args.has("bytes") => bytes.to_string(),
            Some(0) => "0".into(),
            Some(bytes) => human(bytes, Style::Short),
        }
    };
    let probed = || probe::probe(&mount.source).ok().flatten().unwrap_or_default();
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let cell = |column: &Column| {
        Cell::text(match column.name {
            "TARGET" => path(&mount.target),
            "SOURCE" if mount.root != Path::new("/") && !args.has("nofsroot") => {
                format!("{}[{}]", mount.source.display(), mount.root.display())
            }
            "SOURCE" => path(&mount.source),
            "FSTYPE" => mount.kind.clone(),
            "OPTIONS" => mount.options.clone(),
            "VFS-OPTIONS" => mount.own.clone(),
            "FS-OPTIONS" => mount.file_system.clone(),
            "LABEL" => probed().label,
            "UUID" => probed().uuid,
            "MAJ:MIN" if args.has("json") || args.has("raw") => mount.device.clone(),
            "MAJ:MIN" => wide(&mount.device),
            "SIZE" => bytes(|space| space.f_blocks),
            "AVAIL" => bytes(|space| space.f_bavail),
            "USED" => bytes(|space| space.f_blocks - space.f_bfree),
            "USE%" => space.as_ref().map_or(String::new(), used_of),
            "FSROOT" => path(&mount.root),
            "ID" => mount.id.to_string(),
            "PARENT" => mount.parent.to_string(),
            "OPT-FIELDS" => mount.fields.clone(),
            _ => propagation(&mount.fields),
        })
    };
    columns.iter().map(cell).collect()
}

/// `  8:1  `: the colons stand in line.
pub(super) fn wide(device: &str) -> String {
    match device.split_once(':') {
        Some((major, minor)) => format!("{major:>3}:{minor:<3}"),
        None => device.to_owned(),
    }
}

/// As df has it: of what is not reserved.
pub(super) fn used_of(space: &rustix::fs::StatVfs) -> String {
    let used = space.f_blocks.saturating_sub(space.f_bfree);
    if space.f_blocks == 0 {
        return "-".into();
    }
    let share = used as f64 / space.f_blocks as f64 * 100.0;
    format!("{share:.0}%")
}

fn propagation(fields: &str) -> String {
    let has = |name: &str| fields.split(' ').any(|field| field.starts_with(name));
    let mut text = if has("shared:") { "shared" } else { "private" }.to_owned();
    for (field, name) in [("master:", "slave"), ("unbindable", "unbindable")] {
        if has(field) {
            text = if text == "private" {
                format!("private,{name}")
            } else {
                format!("{text},{name}")
            };
        }
    }
    text
}
