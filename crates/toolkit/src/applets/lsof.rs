//! `lsof`: what processes have open.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    columns::Column,
    names::{self, Names},
    opens::{self, How, Open, Socket},
    processes::{self, Process},
};
use rustix::fs::FileType;
use std::{collections::HashMap, io::Write as _, path::Path};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn list(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "LIST", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "lsof",
    summary: "Prints what processes have open: all, or what FILEs and options choose.",
    usage: "[OPTION]... [FILE]...\n[OPTION]... +D|+d FOLDER",
    options: &[
        list('p', "pid", "of these processes"),
        list('c', "command", "of programs whose names begin so"),
        list('u', "user", "of these users"),
        Opt {
            short: 'i',
            long: "internet",
            value: "[WHICH]",
            help: "sockets of [4|6][TCP|UDP][@ADDRESS][:PORT]",
        },
        flag('a', "and", "all that options choose must be so, not one of it"),
        flag('t', "terse", "only the numbers of processes"),
        flag('n', "numeric", "addresses, no names, as always"),
        flag('P', "ports", "numbers of ports, as always"),
    ],
    notes: "A FILE that is a mount or its device stands for all on it. +D is a folder with all below it, +d\n\
            without. Status 1: something that was asked for was not found.",
    example: "lsof +D /mnt\nlsof -t -i TCP:22",
    run,
};

/// What was asked for.
#[derive(Default)]
struct Wanted<'a> {
    pids: Vec<i32>,
    commands: Vec<&'a str>,
    users: Vec<u32>,
    internet: Vec<Internet>,
    /// Device and number.
    files: Vec<(u64, u64)>,
    /// Devices of file systems.
    devices: Vec<u64>,
    all: bool,
}

/// What `-i` wants; `None` is any.
#[derive(Debug, Default, PartialEq, Eq)]
struct Internet {
    six: Option<bool>,
    protocol: Option<String>,
    address: Option<std::net::IpAddr>,
    port: Option<u16>,
}

impl Internet {
    fn parse(text: &str) -> Option<Self> {
        let mut wanted = Self::default();
        let mut rest = text;
        if let Some(after) = rest.strip_prefix(['4', '6']) {
            wanted.six = Some(rest.starts_with('6'));
            rest = after;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (protocol, after) = rest.split_at(end);
        match protocol.to_ascii_uppercase().as_str() {
            "" => {}
            known @ ("TCP" | "UDP") => wanted.protocol = Some(known.to_owned()),
            _ => return None,
        }
        rest = after;
        if let Some(place) = rest.strip_prefix('@') {
            let end = if place.starts_with('[') {
                place.find(']')? + 1
            } else {
                place.find(':').unwrap_or(place.len())
            };
            let (address, after) = place.split_at(end);
            wanted.address = Some(address.trim_matches(['[', ']']).parse().ok()?);
            rest = after;
        }
        match rest.strip_prefix(':') {
            Some(port) => wanted.port = Some(port.parse().ok()?),
            None if rest.is_empty() => {}
            None => return None,
        }
        Some(wanted)
    }

    fn takes(&self, socket: &Socket) -> bool {
        let ends = [socket.local, socket.remote];
        self.six.is_none_or(|six| six == socket.six)
            && self.protocol.as_ref().is_none_or(|name| name == socket.protocol)
            && self.address.is_none_or(|address| ends.iter().any(|(a, _)| *a == address))
            && self.port.is_none_or(|port| ends.iter().any(|(_, p)| *p == port))
    }
}

/// One line.
type Row = [String; 9];

fn run(args: &Args) -> anyhow::Result<u8> {
    let (wanted, mut status) = wanted(args)?;
    let sockets = opens::sockets();
    let names = Names::read();
    let mut rows: Vec<Row> = Vec::new();
    let mut pids = Vec::new();
    let me = rustix::process::getpid().as_raw_pid();
    for process in processes::all()? {
        let chosen = wanted.process(&process);
        if (wanted.only_processes() && chosen == Some(false))
            || (wanted.is_empty() && process.pid == me)
        {
            continue;
        }
        let own = opens::of(&process);
        let shown: Vec<&Open> =
            own.iter().filter(|open| wanted.open(chosen, open, &sockets)).collect();
        if !shown.is_empty() {
            pids.push(process.pid);
        }
        rows.extend(shown.iter().map(|open| row(&process, open, &sockets, &names)));
    }
    let mut out = std::io::stdout().lock();
    if args.has("terse") {
        pids.iter().try_for_each(|pid| writeln!(out, "{pid}"))?;
    } else if !rows.is_empty() {
        out.write_all(table(&rows).as_bytes())?;
    }
    if rows.is_empty() && !wanted.is_empty() {
        status = 1;
    }
    Ok(status)
}

fn wanted(args: &Args) -> anyhow::Result<(Wanted<'_>, u8)> {
    let mut wanted = Wanted { all: args.has("and"), ..Wanted::default() };
    let mut status = 0;
    for (name, value) in args.all() {
        let Some(value) = value.to_str() else { return usage_error("a value is not UTF-8") };
        match name {
            "pid" => {
                for word in value.split(',') {
                    match word.parse() {
                        Ok(pid) => wanted.pids.push(pid),
                        Err(_) => return usage_error(format!("illegal process ID: {word}")),
                    }
                }
            }
            "command" => wanted.commands.push(value),
            "user" => {
                for word in value.split(',') {
                    match names::uid(word).or_else(|| word.parse().ok()) {
                        Some(user) => wanted.users.push(user),
                        None => return usage_error(format!("can't get UID for {word}")),
                    }
                }
            }
            "internet" => match Internet::parse(value) {
                Some(which) => wanted.internet.push(which),
                None => {
                    return usage_error(format!("unacceptable Internet address in: -i {value}"));
                }
            },
            _ => {}
        }
    }
    let mut words = args.words()?.into_iter();
    // `lsof -i TCP:22`: the value of -i stands apart, too.
    if args.value("internet").is_some_and(std::ffi::OsStr::is_empty)
        && let Some(which) =
            words.clone().next().filter(|w| !Path::new(w).exists()).and_then(Internet::parse)
    {
        words.next();
        wanted.internet = vec![which];
    }
    while let Some(word) = words.next() {
        let (folder, deep) = match word {
            "+D" => (words.next(), true),
            "+d" => (words.next(), false),
            word => {
                match rustix::fs::stat(word) {
                    Ok(stat) => wanted.add(word, &stat),
                    Err(error) => {
                        let error = crate::partitions::plain(&error.into());
                        eprintln!("lsof: status error on {word}: {error}");
                        status = 1;
                    }
                }
                continue;
            }
        };
        let Some(folder) = folder else { return usage_error(format!("{word} needs a FOLDER")) };
        below(Path::new(folder), deep, 0, &mut wanted.files);
    }
    if status == 1 && wanted.is_empty() {
        // Nothing is asked for any more; not everything.
        wanted.pids.push(0);
    }
    Ok((wanted, status))
}

/// A folder, what is in it, and with `deep` all below.
fn below(folder: &Path, deep: bool, depth: usize, files: &mut Vec<(u64, u64)>) {
    if let Ok(stat) = rustix::fs::lstat(folder) {
        files.push((stat.st_dev, stat.st_ino));
    }
    if depth > 256 || (depth > 0 && !deep) {
        return;
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => below(&entry.path(), deep, depth + 1, files),
            _ => {
                if let Ok(stat) = rustix::fs::lstat(entry.path()) {
                    files.push((stat.st_dev, stat.st_ino));
                }
            }
        }
    }
}

impl Wanted<'_> {
    fn add(&mut self, word: &str, stat: &rustix::fs::Stat) {
        let path = std::fs::canonicalize(word).unwrap_or_default();
        let mounts = crate::mounts::all().unwrap_or_default();
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::BlockDevice && mounts.iter().any(|mount| mount.source == path) {
            self.devices.push(stat.st_rdev);
        } else if mounts.iter().any(|mount| mount.target == path) && kind == FileType::Directory {
            self.devices.push(stat.st_dev);
        } else {
            self.files.push((stat.st_dev, stat.st_ino));
        }
    }

    fn is_empty(&self) -> bool {
        self.only_processes() && self.process(&Process::default()).is_none()
    }

    fn only_processes(&self) -> bool {
        self.internet.is_empty() && self.files.is_empty() && self.devices.is_empty()
    }

    /// Whether the process is chosen; `None` when that was not asked.
    fn process(&self, process: &Process) -> Option<bool> {
        let choices = [
            (!self.pids.is_empty()).then(|| self.pids.contains(&process.pid)),
            (!self.commands.is_empty())
                .then(|| self.commands.iter().any(|name| process.name.starts_with(name))),
            (!self.users.is_empty()).then(|| self.users.contains(&process.owner.0)),
        ];
        let mut asked = choices.into_iter().flatten();
        let first = asked.next()?;
        Some(asked.fold(first, |sum, own| if self.all { sum && own } else { sum || own }))
    }

    fn open(&self, process: Option<bool>, open: &Open, sockets: &HashMap<u64, Socket>) -> bool {
        let own = (!self.only_processes()).then(|| {
            let socket = open.socket().and_then(|number| sockets.get(&number));
            socket.is_some_and(|socket| self.internet.iter().any(|which| which.takes(socket)))
                || open.file().is_some_and(|(device, number)| {
                    self.files.contains(&(device, number)) || self.devices.contains(&device)
                })
        });
        match (process, own) {
            (None, None) => true,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(one), Some(other)) if self.all => one && other,
            (Some(one), Some(other)) => one || other,
        }
    }
}

fn row(process: &Process, open: &Open, sockets: &HashMap<u64, Socket>, names: &Names) -> Row {
    let clean = super::ps::fields::clean;
    let descriptor = match open.how {
        How::Folder => " cwd  ".into(),
        How::Root => " rtd  ".into(),
        How::Program => " txt  ".into(),
        How::Mapped => " mem  ".into(),
        How::Descriptor(number, access) => format!("{number:>4}{access} "),
    };
    let user = match names.user(process.owner.0) {
        Some(name) => name.to_owned(),
        None if process.owner.0 == 0 => "root".into(),
        None => process.owner.0.to_string(),
    };
    let numbers =
        |device: u64| format!("{},{}", rustix::fs::major(device), rustix::fs::minor(device));
    let stat = open.stat.as_ref();
    let socket = open.socket().map(|number| (number, sockets.get(&number)));
    let offset = format!("0t{}", open.offset);
    let (kind, device, size, node, name) = match (socket, stat) {
        (Some((number, Some(socket))), _) => {
            let kind = if socket.six { "IPv6" } else { "IPv4" };
            (
                kind.into(),
                number.to_string(),
                "0t0".into(),
                socket.protocol.into(),
                internet(socket),
            )
        }
        (Some((number, None)), stat) => {
            let device = stat.map_or(String::new(), |stat| numbers(stat.st_dev));
            ("sock".into(), device, "0t0".into(), number.to_string(), "protocol: other".into())
        }
        (None, None) => {
            ("unknown".into(), String::new(), String::new(), String::new(), clean(&open.name))
        }
        (None, Some(stat)) => {
            let (kind, device, size) = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => ("DIR", stat.st_dev, stat.st_size.to_string()),
                FileType::RegularFile => ("REG", stat.st_dev, stat.st_size.to_string()),
                FileType::CharacterDevice => ("CHR", stat.st_rdev, offset),
                FileType::BlockDevice => ("BLK", stat.st_rdev, offset),
                FileType::Fifo => ("FIFO", stat.st_dev, offset),
                _ => ("a_inode", stat.st_dev, "0".into()),
            };
            let name = match open.name.strip_prefix("anon_inode:") {
                Some(name) => name.to_owned(),
                None if open.name.starts_with("pipe:[") => "pipe".into(),
                None => clean(&open.name),
            };
            (kind.into(), numbers(device), size, stat.st_ino.to_string(), name)
        }
    };
    let command = clean(&process.name).chars().take(9).collect();
    [command, process.pid.to_string(), user, descriptor, kind, device, size, node, name]
}

/// `*:22 (LISTEN)`, `10.0.0.1:22->10.0.0.2:40000 (ESTABLISHED)`
fn internet(socket: &Socket) -> String {
    let end = |(address, port): (std::net::IpAddr, u16)| {
        let port = if port == 0 { "*".into() } else { port.to_string() };
        match address {
            address if address.is_unspecified() => format!("*:{port}"),
            std::net::IpAddr::V6(six) => format!("[{six}]:{port}"),
            four => format!("{four}:{port}"),
        }
    };
    let mut text = end(socket.local);
    if !socket.remote.0.is_unspecified() || socket.remote.1 != 0 {
        text += &format!("->{}", end(socket.remote));
    }
    if !socket.state.is_empty() {
        text += &format!(" ({})", socket.state);
    }
    text
}

const COLUMNS: [Column; 9] = [
    Column::left("COMMAND", 0),
    Column::right("PID", 0),
    Column::right("USER", 0),
    Column::left("  FD  ", 0),
    Column::right("TYPE", 0),
    Column::right("DEVICE", 0),
    Column::right("SIZE/OFF", 0),
    Column::right("NODE", 0),
    Column::left("NAME", 0),
];

fn table(rows: &[Row]) -> String {
    let width = |n: usize, column: &Column| {
        let cells = rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.chars().count());
        cells.max().unwrap_or(0).max(column.least).max(column.name.len())
    };
    let widths: Vec<usize> = COLUMNS.iter().enumerate().map(|(n, c)| width(n, c)).collect();
    let headings = COLUMNS.map(|column| column.name.to_owned());
    let mut out = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let cells = row.iter().zip(&COLUMNS).zip(&widths).map(|((cell, column), width)| {
            match (column.right, column.name) {
                (_, "NAME") => cell.clone(),
                (true, _) => format!("{cell:>width$}"),
                (false, _) => format!("{cell:<width$}"),
            }
        });
        out += &cells.collect::<Vec<_>>().join(" ");
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_are_wanted() {
        let wanted = Internet::parse("4TCP@127.0.0.1:22").unwrap();
        assert_eq!(wanted.six, Some(false));
        assert_eq!((wanted.protocol.as_deref(), wanted.port), (Some("TCP"), Some(22)));
        assert_eq!(Internet::parse(":80").unwrap().port, Some(80));
        assert_eq!(Internet::parse("6@[::1]:80").unwrap().address, "::1".parse().ok());
        assert_eq!(Internet::parse("ABC"), None);
        assert_eq!(Internet::parse(":http"), None);
    }
}
