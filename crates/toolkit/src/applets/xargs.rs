//! `xargs`: command lines from standard input (POSIX, XCU xargs, with GNU's options).

mod input;

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use anyhow::{Context as _, bail};
use input::{Items, Separator};
use rustix::process::{WaitOptions, WaitStatus, wait};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    process::{Command, Stdio},
};
use uucore::quoting_style::{QuotingStyle, locale_aware_escape_name};

pub(crate) static APPLET: Applet = Applet {
    name: "xargs",
    summary: "Runs COMMAND (echo, if none is given) with the words of standard input as arguments.",
    usage: "[OPTION]... [COMMAND [ARGUMENT]...]",
    options: &[
        Opt {
            short: '0',
            long: "null",
            value: "",
            help: "items end with a zero byte; quotes and backslashes are nothing special",
        },
        Opt {
            short: 'a',
            long: "arg-file",
            value: "FILE",
            help: "read FILE, and leave standard input to COMMAND",
        },
        Opt { short: 'd', long: "delimiter", value: "CHARACTER", help: "items end with CHARACTER" },
        Opt {
            short: 'e',
            long: "eof",
            value: "[TEXT]",
            help: "the same as -E; no end if no TEXT is given",
        },
        Opt {
            short: 'E',
            long: "eof-item",
            value: "TEXT",
            help: "an item that is TEXT ends the input",
        },
        Opt {
            short: 'I',
            long: "replace-text",
            value: "TEXT",
            help: "once a line, put in the place of TEXT in the arguments",
        },
        Opt {
            short: 'i',
            long: "replace",
            value: "[TEXT]",
            help: "the same; {} if no TEXT is given",
        },
        Opt { short: 'l', long: "max-lines", value: "[N]", help: "as -L N; 1 if no N is given" },
        Opt { short: 'L', long: "lines", value: "N", help: "at most N lines a command" },
        Opt { short: 'n', long: "max-args", value: "N", help: "at most N items a command" },
        Opt {
            short: 'o',
            long: "open-tty",
            value: "",
            help: "standard input of COMMAND is the terminal",
        },
        Opt { short: 'P', long: "max-procs", value: "N", help: "up to N at the same time; 0: all" },
        Opt { short: 'p', long: "interactive", value: "", help: "ask before each" },
        Opt {
            short: 'r',
            long: "no-run-if-empty",
            value: "",
            help: "without an item, run nothing",
        },
        Opt { short: 's', long: "max-chars", value: "N", help: "at most N bytes a command line" },
        Opt {
            short: 't',
            long: "verbose",
            value: "",
            help: "print each command line to standard error",
        },
        Opt {
            short: 'x',
            long: "exit",
            value: "",
            help: "end when a command line would be too long",
        },
    ],
    notes: "The status is 123 when a COMMAND failed, 124 when one exited with 255, 125 when a signal ended one,\n\
            126 when it cannot be run, 127 when it is not found. After 124 and more nothing else is started.",
    example: "find /mnt -name '*.log' -print0 | xargs -0 -n 50 gzip",
    run,
};

/// The longest command line, bytes, if nothing else is said: what GNU's takes.
const LONGEST: usize = 128 << 10;
/// The most arguments that no option limits.
const UNLIMITED: usize = usize::MAX;

/// What the options say.
struct Plan {
    words: Vec<OsString>,
    replace: Option<Vec<u8>>,
    most_args: usize,
    most_lines: usize,
    most_bytes: usize,
    exact: bool,
    once: bool,
    show: bool,
    ask: bool,
    input: Input,
    at_once: usize,
}

/// Where a command's standard input comes from.
#[derive(Clone, Copy)]
enum Input {
    Nothing,
    Ours,
    Terminal,
}

/// What makes items the arguments of one command; of several the last counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grouping {
    Args,
    Lines,
    Replace,
}

impl Grouping {
    /// The one that counts, and its value. That another is ignored is said.
    fn of(args: &Args) -> Option<(Self, &OsStr)> {
        let mut last: Option<(Self, &OsStr)> = None;
        for (option, value) in args.all() {
            let grouping = match option {
                "max-args" => Self::Args,
                "lines" | "max-lines" => Self::Lines,
                "replace" | "replace-text" => Self::Replace,
                _ => continue,
            };
            if let Some((other, _)) = last
                && other != grouping
            {
                // One item a command is what -I means already.
                if other == Self::Replace && value == "1" {
                    continue;
                }
                let (other, _) = other.names();
                eprintln!(
                    "xargs: warning: options {other} and {} are mutually exclusive, \
                     ignoring previous {other} value",
                    grouping.names().1
                );
            }
            last = Some((grouping, value));
        }
        last
    }

    /// What GNU's calls it, shortly and with its short options.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Args => ("--max-args", "--max-args/-n"),
            Self::Lines => ("--max-lines", "--max-lines/-l"),
            Self::Replace => ("--replace", "--replace/-I/-i"),
        }
    }
}

impl Plan {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let mut words = args.operands.clone();
        if words.is_empty() {
            words.push("echo".into());
        }
        let positive = |name: &str, value: &OsStr| match value
            .to_str()
            .and_then(|text| text.parse::<usize>().ok())
        {
            Some(0) => usage_error(format!("the value of --{name} must be at least 1")),
            Some(number) => Ok(number),
            None => usage_error(format!("the value of --{name} is not a number")),
        };
        let grouping = Grouping::of(args);
        let (mut replace, mut most_args, mut most_lines) = (None, UNLIMITED, UNLIMITED);
        match grouping {
            Some((Grouping::Replace, text)) if text.is_empty() => replace = Some(b"{}".to_vec()),
            Some((Grouping::Replace, text)) => replace = Some(text.as_bytes().to_vec()),
            Some((Grouping::Lines, number)) if number.is_empty() => most_lines = 1,
            Some((Grouping::Lines, number)) => most_lines = positive("max-lines", number)?,
            Some((Grouping::Args, number)) => most_args = positive("max-args", number)?,
            None => {}
        }
        let most_bytes = args.value("max-chars").map(|value| positive("max-chars", value));
        Ok(Self {
            exact: args.has("exit") || replace.is_some(),
            most_args,
            most_lines,
            most_bytes: most_bytes.transpose()?.unwrap_or(LONGEST).min(LONGEST),
            once: !args.has("no-run-if-empty") && replace.is_none(),
            show: args.has("verbose") || args.has("interactive"),
            ask: args.has("interactive"),
            input: match (args.has("open-tty"), args.has("arg-file")) {
                (true, _) => Input::Terminal,
                (false, true) => Input::Ours,
                (false, false) => Input::Nothing,
            },
            at_once: match args.number("max-procs")?.unwrap_or(1) {
                0 => UNLIMITED,
                number => number,
            },
            words,
            replace,
        })
    }
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let plan = Plan::new(args)?;
    let arg_file = args.value("arg-file").filter(|path| *path != "-");
    let source = match arg_file {
        None => File::from(rustix::io::dup(rustix::stdio::stdin())?),
        Some(path) => File::open(path).with_context(|| path.display().to_string())?,
    };
    let separator = match (args.has("null"), args.value("delimiter")) {
        (true, _) => Separator::Byte(0),
        (false, Some(text)) => Separator::Byte(delimiter(text)?),
        (false, None) if plan.replace.is_some() => Separator::Lines,
        (false, None) => Separator::Blanks,
    };
    let ends = args.all().filter(|(name, _)| matches!(*name, "eof" | "eof-item"));
    let end = ends.last().map(|(_, text)| text.as_bytes().to_vec()).filter(|text| !text.is_empty());
    let start = source.metadata()?.is_file().then(|| (&source).stream_position()).transpose()?;
    let mut items = Items::new(BufReader::new(source.try_clone()?), separator, end);
    let mut runner = Runner { plan: &plan, running: Vec::new(), failed: 0, fault: None };
    let ended = runner.all(&mut items);
    // Those that run are waited for whatever happened.
    let last = runner.wait_until(0);
    if let Some(start) = start {
        (&source).seek(SeekFrom::Start(start.saturating_add(items.taken())))?;
    }
    Ok(ended?.or(last).unwrap_or(runner.failed))
}

/// The byte of `-d`: a character or one of C's escapes.
fn delimiter(text: &OsStr) -> anyhow::Result<u8> {
    Ok(match text.as_bytes() {
        [byte] => *byte,
        b"\\n" => b'\n',
        b"\\t" => b'\t',
        b"\\r" => b'\r',
        b"\\a" => 7,
        b"\\b" => 8,
        b"\\f" => 12,
        b"\\v" => 11,
        b"\\\\" => b'\\',
        [b'\\', b'x', digits @ ..] => number(digits, 16)?,
        [b'\\', digits @ ..] => number(digits, 8)?,
        _ => {
            return usage_error(format!(
                "the delimiter must be one byte or an escape, not {text:?}"
            ));
        }
    })
}

fn number(digits: &[u8], radix: u32) -> anyhow::Result<u8> {
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    match u8::from_str_radix(digits, radix) {
        Ok(byte) => Ok(byte),
        Err(_) => usage_error(format!("not a byte: {digits:?}")),
    }
}

/// Starts the commands and waits for them.
struct Runner<'a> {
    plan: &'a Plan,
    /// The commands that run, by process number. A shell that became us may have left us others.
    running: Vec<u32>,
    /// 123 when one has failed.
    failed: u8,
    /// What is wrong with the input behind the items that were taken.
    fault: Option<anyhow::Error>,
}

impl Runner<'_> {
    /// Runs a command for each group of items; the status when everything ended early.
    fn all(&mut self, items: &mut Items) -> anyhow::Result<Option<u8>> {
        if let Some(mark) = &self.plan.replace {
            while let Some(item) = items.next()? {
                let words =
                    self.plan.words.iter().map(|word| put(word.as_bytes(), mark, &item.bytes));
                let words: Vec<OsString> = words.map(OsString::from_vec).collect();
                if length(&words) > self.plan.most_bytes {
                    bail!("argument list too long");
                }
                if let Some(status) = self.start(&words)? {
                    return Ok(Some(status));
                }
            }
            return Ok(None);
        }
        let mut waiting = None;
        let mut first = true;
        loop {
            let words = self.group(items, &mut waiting)?;
            let empty = words.len() == self.plan.words.len();
            if empty && !(first && self.plan.once) {
                return Ok(None);
            }
            if let Some(status) = self.start(&words)? {
                return Ok(Some(status));
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            first = false;
            if empty {
                return Ok(None);
            }
        }
    }

    /// The next command line: as many items as the limits allow. What did not fit waits.
    fn group(
        &mut self,
        items: &mut Items,
        waiting: &mut Option<input::Item>,
    ) -> anyhow::Result<Vec<OsString>> {
        let plan = self.plan;
        let mut words = plan.words.clone();
        let (mut bytes, mut taken, mut lines) = (length(&words), 0, 0);
        if bytes > plan.most_bytes {
            bail!("cannot fit single argument within argument list size limit");
        }
        while taken < plan.most_args && lines < plan.most_lines {
            let next = waiting.take().map_or_else(|| items.next(), |item| Ok(Some(item)));
            let item = match next {
                Ok(Some(item)) => item,
                Ok(None) => break,
                // What came before it is not lost, but with -x.
                Err(fault) if taken > 0 && !plan.exact => {
                    self.fault = Some(fault);
                    break;
                }
                Err(fault) => return Err(fault),
            };
            bytes += item.bytes.len() + 1;
            if bytes > plan.most_bytes {
                if taken == 0 {
                    bail!("argument line too long");
                }
                if plan.exact && (plan.most_args != UNLIMITED || plan.most_lines != UNLIMITED) {
                    bail!("argument list too long");
                }
                *waiting = Some(item);
                break;
            }
            taken += 1;
            lines += usize::from(item.ends_line);
            words.push(OsString::from_vec(item.bytes));
        }
        Ok(words)
    }

    /// Starts a command; the status when nothing more is to be started.
    fn start(&mut self, words: &[OsString]) -> anyhow::Result<Option<u8>> {
        if self.plan.show && !self.agreed(words)? {
            return Ok(None);
        }
        if let Some(status) = self.wait_until(self.plan.at_once.saturating_sub(1)) {
            return Ok(Some(status));
        }
        let [program, rest @ ..] = words else { return Ok(None) };
        let mut command = Command::new(program);
        command.args(rest);
        match self.plan.input {
            Input::Nothing => command.stdin(Stdio::null()),
            Input::Ours => &mut command,
            Input::Terminal => command.stdin(File::open("/dev/tty").context("/dev/tty")?),
        };
        match command.spawn() {
            Ok(child) => self.running.push(child.id()),
            Err(error) => {
                eprintln!("xargs: {}: {}", program.display(), reason(&error));
                let found = error.kind() != std::io::ErrorKind::NotFound;
                return Ok(Some(if found { 126 } else { 127 }));
            }
        }
        Ok(if self.plan.at_once == 1 { self.wait_until(0) } else { None })
    }

    /// Prints the command line and, if that was asked for, asks.
    fn agreed(&self, words: &[OsString]) -> anyhow::Result<bool> {
        let style = QuotingStyle::SHELL_ESCAPE;
        let shown: Vec<_> =
            words.iter().map(|word| locale_aware_escape_name(word, style)).collect();
        let mark = if self.plan.ask { "?..." } else { "\n" };
        let line = [shown.join(OsStr::new(" ")).as_bytes(), mark.as_bytes()].concat();
        std::io::stderr().write_all(&line)?;
        if !self.plan.ask {
            return Ok(true);
        }
        let mut answer = Vec::new();
        let mut terminal = File::open("/dev/tty").context("/dev/tty")?;
        let mut byte = [0];
        while terminal.read(&mut byte)? == 1 && byte != *b"\n" {
            answer.extend(byte);
        }
        Ok(matches!(answer.first(), Some(b'y' | b'Y')))
    }

    /// Waits until no more than `most` run; the status when one ended so that nothing more is to be started.
    fn wait_until(&mut self, most: usize) -> Option<u8> {
        let mut stop = None;
        while self.running.len() > most {
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => {
                    let pid = pid.as_raw_nonzero().get().unsigned_abs();
                    if let Some(at) = self.running.iter().position(|running| *running == pid) {
                        self.running.swap_remove(at);
                        stop = stop.or(self.ended(status));
                    }
                }
                Err(rustix::io::Errno::INTR) | Ok(None) => {}
                // There is none left.
                Err(_) => self.running.clear(),
            }
        }
        stop
    }

    fn ended(&mut self, status: WaitStatus) -> Option<u8> {
        let name =
            self.plan.words.first().map(|word| word.display().to_string()).unwrap_or_default();
        match (status.exit_status(), status.terminating_signal()) {
            (Some(0), _) => None,
            (Some(255), _) => {
                eprintln!("xargs: {name}: exited with status 255; aborting");
                Some(124)
            }
            (Some(_), _) => {
                self.failed = 123;
                None
            }
            (None, Some(signal)) => {
                eprintln!("xargs: {name}: terminated by signal {signal}");
                Some(125)
            }
            (None, None) => None,
        }
    }
}

/// What the words take of a command line, bytes.
fn length(words: &[OsString]) -> usize {
    words.iter().map(|word| word.len() + 1).sum()
}

/// `word` with every `mark` replaced.
fn put(word: &[u8], mark: &[u8], item: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), word);
    while let Some(at) = rest.windows(mark.len()).position(|window| window == mark) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(item);
        rest = from.get(mark.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}
