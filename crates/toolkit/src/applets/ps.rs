//! `ps`: the processes.

pub(crate) mod fields;

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    names,
    processes::{self, Process},
};
use anyhow::bail;
use fields::{Facts, Field, Side};
use std::io::Write as _;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn list(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "LIST", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "ps",
    summary: "Prints processes: those of this terminal, or as chosen.",
    usage: "[OPTION]... [LETTERS] [PID]...",
    options: &[
        flag('e', "every", "every process"),
        flag('A', "all", "the same"),
        flag('a', "terminals", "all with a terminal, but not those that lead a session"),
        flag('d', "no-leaders", "all but those that lead a session"),
        flag('N', "deselect", "the others"),
        list('p', "pid", "these processes"),
        list('q', "quick-pid", "the same"),
        list('\0', "ppid", "the children of these"),
        list('C', "command", "these programs"),
        list('u', "user", "of these users"),
        list('U', "User", "of these real users"),
        list('g', "sessions", "of these sessions"),
        list('s', "sid", "the same"),
        list('t', "tty", "on these terminals"),
        flag('f', "full", "more columns"),
        flag('F', "extra", "still more columns"),
        flag('l', "long", "other columns"),
        flag('j', "jobs", "columns of jobs"),
        flag('H', "forest", "children below their parents"),
        list('o', "format", "these columns: NAME,NAME or NAME=HEADING"),
        list('O', "sandwich", "these columns between the usual ones"),
        Opt {
            short: 'k',
            long: "sort",
            value: "LIST",
            help: "sort by columns; -NAME: largest first",
        },
        flag('w', "wide", "do not cut lines"),
        flag('\0', "no-headers", "no headings"),
        flag('\0', "no-heading", "the same"),
        flag('\0', "headers", "with headings, as always"),
        Opt { short: '\0', long: "cols", value: "NUMBER", help: "cut lines there" },
    ],
    notes: "Letters without dash are the old ways: a and x together all processes, u with users, l long, j jobs,\n\
            f with parents, h no headings, w wide, o COLUMNS, k COLUMNS, p PIDS, e ignored.\n\
            Columns: pid ppid pgid sid tpgid user ruser group uid ruid gid comm args exe s stat f tty tname time\n\
            times bsdtime etime etimes start_time stime bsdstart start lstart c pcpu pmem pri opri ni psr nlwp\n\
            thcount rss vsz sz size addr wchan cgroup label. Status 1: no process was found.",
    example: "ps aux --sort=-rss | head\nps -o pid=,etime= -C sshd",
    run,
};

/// What was asked for, of all spellings.
#[derive(Default)]
struct Wanted {
    every: bool,
    /// The old letters `a` and `x`.
    old: (bool, bool),
    /// One of the old letters was there.
    is_old: bool,
    picks: Vec<Pick>,
    columns: Vec<Field>,
    style: Option<&'static str>,
    sort: Vec<(bool, Field)>,
    forest: bool,
    headings: bool,
    wide: bool,
}

/// One list of processes.
enum Pick {
    Pid(Vec<i32>),
    Parent(Vec<i32>),
    Session(Vec<i32>),
    Name(Vec<String>),
    User(Vec<u32>),
    RealUser(Vec<u32>),
    Terminal(Vec<String>),
    /// All with a terminal that do not lead a session.
    WithTerminal,
    /// All that do not lead a session.
    NoLeader,
}

impl Pick {
    fn takes(&self, process: &Process) -> bool {
        match self {
            Self::Pid(list) => list.contains(&process.pid),
            Self::Parent(list) => list.contains(&process.parent),
            Self::Session(list) => list.contains(&process.session),
            Self::Name(list) => list.iter().any(|name| {
                // The kernel keeps 15 bytes.
                *name == process.name || (name.len() > 15 && name.get(..15) == Some(&process.name))
            }),
            Self::User(list) => list.contains(&process.owner.0),
            Self::RealUser(list) => {
                process.ids("Uid").first().is_some_and(|user| list.contains(user))
            }
            Self::Terminal(list) => {
                let own = process.terminal_name();
                list.iter().any(|t| {
                    t.strip_prefix("/dev/").unwrap_or(t) == own || (t == "-" && own == "?")
                })
            }
            Self::WithTerminal => process.terminal != 0 && process.session != process.pid,
            Self::NoLeader => process.session != process.pid,
        }
    }
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let wanted = wanted(args)?;
    let facts = Facts::read();
    let all = processes::all()?;
    let own = rustix::process::getpid().as_raw_pid();
    let me = all.iter().find(|process| process.pid == own).cloned().unwrap_or_default();
    let mut chosen: Vec<&Process> =
        all.iter().filter(|process| wanted.takes(process, &me) != args.has("deselect")).collect();
    chosen.sort_by(|one, other| {
        let mut orders = wanted.sort.iter().map(|(down, field)| {
            let order = facts.compare(field.name, one, other);
            if *down { order.reverse() } else { order }
        });
        orders.find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    let rows =
        if wanted.forest { forest(&chosen) } else { chosen.iter().map(|p| (0, *p)).collect() };
    let columns = wanted.columns();
    let limit = if wanted.wide { None } else { width(args)? };
    let mut out = std::io::stdout().lock();
    if wanted.headings && columns.iter().any(|column| !column.heading.is_empty()) {
        let cells: Vec<String> = columns.iter().map(|column| column.heading.clone()).collect();
        writeln!(out, "{}", line(&columns, &cells, limit))?;
    }
    for (depth, process) in &rows {
        let cell = |column: &Field| {
            let text = facts.text(column.name, process);
            match (*depth, column.name) {
                (0, _) => text,
                (depth, "args" | "comm") if wanted.is_old => {
                    format!("{} \\_ {text}", "    ".repeat(depth - 1))
                }
                (depth, "args" | "comm") => format!("{}{text}", "  ".repeat(depth)),
                _ => text,
            }
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        writeln!(out, "{}", line(&columns, &cells, limit))?;
    }
    Ok(u8::from(rows.is_empty()))
}

impl Wanted {
    fn takes(&self, process: &Process, me: &Process) -> bool {
        let (others, detached) = self.old;
        if self.every || (others && detached) || self.picks.iter().any(|pick| pick.takes(process)) {
            return true;
        }
        if !self.picks.is_empty() && !others && !detached {
            return false;
        }
        let own = process.owner.0 == me.owner.0;
        match self.old {
            (true, _) => process.terminal != 0,
            (_, true) => own,
            _ if self.is_old => own && process.terminal != 0 && process.terminal == me.terminal,
            _ => own && process.terminal == me.terminal,
        }
    }

    fn columns(&self) -> Vec<Field> {
        if !self.columns.is_empty() {
            return self.columns.clone();
        }
        let list = match (self.style, self.is_old) {
            (Some(list), _) => list,
            (None, true) => "pid,tname,stat,bsdtime,args",
            (None, false) => "pid,tname,time,comm=CMD",
        };
        parse(list).unwrap_or_default()
    }
}

/// `pid,comm=NAME`; what follows the equals sign is all heading.
fn parse(list: &str) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut rest = list.trim_start_matches([',', ' ']);
    while !rest.is_empty() {
        let end = rest.find([',', ' ', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let mut field = fields::find(name)?;
        rest = match after.strip_prefix('=') {
            // `pid=,comm=` is how everybody leaves out the headings; `pid=A,B` has one with a comma.
            Some(heading) => {
                let end = heading.find(',').unwrap_or(heading.len());
                let (heading, after) = heading.split_at(end);
                field.width = field.width.max(heading.chars().count());
                heading.clone_into(&mut field.heading);
                after
            }
            None => after,
        };
        rest = rest.trim_start_matches([',', ' ']);
        fields.push(field);
    }
    Some(fields)
}

fn fields_of(list: &str) -> anyhow::Result<Vec<Field>> {
    match parse(list) {
        Some(fields) if !fields.is_empty() => Ok(fields),
        _ => usage_error(format!("unknown column in {list:?}")),
    }
}

fn sort_of(list: &str) -> anyhow::Result<Vec<(bool, Field)>> {
    let key = |word: &str| {
        let (down, name) = match word.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, word.trim_start_matches('+')),
        };
        match fields::find(name) {
            Some(field) => Ok((down, field)),
            None => usage_error(format!("unknown column to sort by: {name}")),
        }
    };
    list.split(',').map(key).collect()
}

fn numbers(list: &str) -> anyhow::Result<Vec<i32>> {
    let words = list.split([',', ' ']).filter(|word| !word.is_empty());
    let number = |word: &str| match word.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => usage_error(format!("not a process's number: {word:?}")),
    };
    words.map(number).collect()
}

fn users(list: &str) -> anyhow::Result<Vec<u32>> {
    let user = |word: &str| -> anyhow::Result<u32> {
        match names::uid(word).or_else(|| word.parse().ok()) {
            Some(user) => Ok(user),
            None => bail!("user name does not exist: {word}"),
        }
    };
    list.split(',').map(user).collect()
}

fn wanted(args: &Args) -> anyhow::Result<Wanted> {
    let mut wanted = Wanted {
        headings: !args.has("no-headers") && !args.has("no-heading"),
        ..Wanted::default()
    };
    let words = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
    for (name, value) in args.all() {
        let Some(value) = value.to_str() else { return usage_error("a value is not UTF-8") };
        match name {
            "every" | "all" => wanted.every = true,
            "terminals" => wanted.picks.push(Pick::WithTerminal),
            "no-leaders" => wanted.picks.push(Pick::NoLeader),
            "pid" | "quick-pid" => wanted.picks.push(Pick::Pid(numbers(value)?)),
            "ppid" => wanted.picks.push(Pick::Parent(numbers(value)?)),
            "sessions" | "sid" => wanted.picks.push(Pick::Session(numbers(value)?)),
            "command" => wanted.picks.push(Pick::Name(words(value))),
            // `ps -aux` is what many type for `ps aux`.
            "user" if value == "x" && names::uid("x").is_none() => {
                wanted.every = true;
                wanted.picks.clear();
                wanted.style = Some(USERS);
                wanted.is_old = true;
            }
            "user" => wanted.picks.push(Pick::User(users(value)?)),
            "User" => wanted.picks.push(Pick::RealUser(users(value)?)),
            "tty" => wanted.picks.push(Pick::Terminal(words(value))),
            "format" => wanted.columns.extend(fields_of(value)?),
            "sandwich" => {
                wanted.columns = fields_of(&format!("pid,{value},s,tname,time,args"))?;
            }
            "sort" => wanted.sort.extend(sort_of(value)?),
            "forest" => wanted.forest = true,
            "wide" => wanted.wide = true,
            "full" if wanted.style == Some(LONG) => wanted.style = Some(LONG_FULL),
            "full" => wanted.style = Some(FULL),
            "extra" => wanted.style = Some(EXTRA),
            "long" if wanted.style == Some(FULL) => wanted.style = Some(LONG_FULL),
            "long" => wanted.style = Some(LONG),
            "jobs" => wanted.style = Some("pid,pgid,sid,tname,time,comm=CMD"),
            _ => {}
        }
    }
    old(args, &mut wanted)?;
    // -q is meant to be quick: it looks at nothing else.
    wanted.every &= !args.has("quick-pid");
    Ok(wanted)
}

const FULL: &str = "user=UID,pid,ppid,c,stime,tname,time,args=CMD";
const EXTRA: &str = "user=UID,pid,ppid,c,sz,rss,psr,stime,tname,time,args=CMD";
const LONG: &str = "f,s,uid,pid,ppid,c,opri,ni,addr_1,sz=SZ,wchan,tname,time,comm=CMD";
const LONG_FULL: &str =
    "f,s,user=UID,pid,ppid,c,opri,ni,addr_1,sz=SZ,wchan,stime,tname,time,args=CMD";
const USERS: &str = "user,pid,pcpu,pmem,vsz,rss,tname,stat,start_time,bsdtime,args";

/// The spellings without dash.
fn old(args: &Args, wanted: &mut Wanted) -> anyhow::Result<()> {
    let words = args.words()?;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            wanted.picks.push(Pick::Pid(numbers(word)?));
            wanted.is_old = true;
            continue;
        }
        let mut letters = word.chars();
        while let Some(letter) = letters.next() {
            let mut value = || match letters.as_str() {
                "" => words.next().unwrap_or(""),
                rest => {
                    letters = "".chars();
                    rest
                }
            };
            match letter {
                'a' => wanted.old.0 = true,
                'x' => wanted.old.1 = true,
                'A' => wanted.every = true,
                'u' => wanted.style = Some(USERS),
                'l' => {
                    wanted.style =
                        Some("f,uid,pid,ppid,opri=PRI,ni,vsz,rss,wchan,stat,tname,bsdtime,args");
                }
                'j' => wanted.style = Some("ppid,pid,pgid,sid,tname,tpgid,stat,uid,bsdtime,args"),
                'f' => wanted.forest = true,
                'h' => wanted.headings = false,
                'w' => wanted.wide = true,
                'e' | 'c' | 'n' => {}
                'o' => wanted.columns.extend(fields_of(value())?),
                'k' => wanted.sort.extend(sort_of(value())?),
                'p' => wanted.picks.push(Pick::Pid(numbers(value())?)),
                't' => {
                    let list = value().split(',').map(str::to_owned).collect();
                    wanted.picks.push(Pick::Terminal(list));
                }
                'U' => wanted.picks.push(Pick::User(users(value())?)),
                _ => return usage_error(format!("unexpected argument {word:?}")),
            }
            wanted.is_old = true;
        }
    }
    Ok(())
}

/// The width of the screen, when it is one.
fn width(args: &Args) -> anyhow::Result<Option<usize>> {
    if let Some(columns) = args.number("cols")? {
        return Ok(Some(columns));
    }
    let variable = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let screen = || rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|s| s.ws_col.into());
    Ok(variable.or_else(screen).filter(|columns| *columns > 0))
}

/// One line. What is too long for its column takes from the space after it.
fn line(columns: &[Field], cells: &[String], limit: Option<usize>) -> String {
    let mut out = String::new();
    // Where the column begins, and where we are.
    let (mut correct, mut actual) = (0_usize, 0_usize);
    for (n, (column, cell)) in columns.iter().zip(cells).enumerate() {
        // Names and command lines are cut, unless they are last.
        let cuts = column.width >= 15 && n + 1 < columns.len() && column.side == Side::Left;
        let cell: String =
            cell.chars().take(if cuts { column.width } else { usize::MAX }).collect();
        let length = cell.chars().count();
        let number = cell.bytes().all(|b| b.is_ascii_digit());
        let right = column.side == Side::Right || (column.side == Side::User && number);
        let pad = if right { column.width.saturating_sub(length) } else { 0 };
        let space = (correct + pad).saturating_sub(actual).max(usize::from(n > 0));
        out.push_str(&" ".repeat(space));
        out.push_str(&cell);
        actual += space + length;
        correct += column.width + 1;
    }
    match limit {
        Some(limit) => out.chars().take(limit).collect(),
        None => out,
    }
}

/// Children after their parents, with how deep they are.
fn forest<'a>(chosen: &[&'a Process]) -> Vec<(usize, &'a Process)> {
    fn below<'a>(
        parent: i32,
        depth: usize,
        all: &[&'a Process],
        out: &mut Vec<(usize, &'a Process)>,
    ) {
        // The list of one moment after the other may have circles.
        if depth > 512 || out.len() > all.len() {
            return;
        }
        for process in
            all.iter().filter(|process| process.parent == parent && process.pid != parent)
        {
            out.push((depth, process));
            below(process.pid, depth + 1, all, out);
        }
    }
    let mut out = Vec::new();
    let is_here = |pid: i32| chosen.iter().any(|process| process.pid == pid);
    for root in chosen.iter().filter(|process| !is_here(process.parent)) {
        out.push((0, *root));
        below(root.pid, 1, chosen, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_cell_takes_the_space_after_it() {
        let columns = parse("user,uid,comm").unwrap();
        let cells = |texts: [&str; 3]| texts.map(str::to_owned);
        assert_eq!(line(&columns, &cells(["root", "0", "init"]), None), "root         0 init");
        assert_eq!(
            line(&columns, &cells(["averylongname", "0", "init"]), None),
            "averylongname 0 init"
        );
        assert_eq!(line(&columns, &cells(["1000", "0", "init"]), Some(12)), "    1000    ");
    }

    #[test]
    fn headings() {
        let fields = parse("pid=,comm=NAME OF IT,rss").unwrap();
        let headings: Vec<&str> = fields.iter().map(|f| f.heading.as_str()).collect();
        assert_eq!(headings, ["", "NAME OF IT", "RSS"]);
        assert_eq!(parse("pid,nonsense"), None);
    }
}
