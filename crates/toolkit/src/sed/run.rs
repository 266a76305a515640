//! Runs a script.

mod in_place;
mod ranges;

use super::{
    pattern::Pattern,
    script::{Action, Address, Command, End, Script, Settings, Substitute},
    streams::{Input, Output},
    text::listed,
    transform::replaced,
};
use anyhow::Context as _;
use in_place::followed;
use ranges::Range;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write as _},
    process,
};

/// An empty expression stands for the one used last.
#[derive(Debug, thiserror::Error)]
#[error("no previous regular expression")]
pub(crate) struct NoPrevious;

/// What follows a command.
enum Flow {
    Next,
    Jump(usize),
    /// The cycle ends; whether the pattern space is printed.
    End(bool),
    /// `D`: the next cycle reads no line.
    Again,
    Quit(bool, u8),
}

/// What is written at the end of a cycle.
enum Late<'a> {
    Text(&'a [u8]),
    File(&'a str),
    Line(Vec<u8>, bool),
}

/// A script's state.
pub(crate) struct Machine<'a> {
    script: &'a Script,
    settings: &'a Settings,
    input: Input,
    out: Output,
    files: Vec<Option<Output>>,
    space: Vec<u8>,
    hold: Vec<u8>,
    /// Whether the pattern space and the hold space end their lines when they are printed: a
    /// file's last line may have no end, and keeps that wherever it is copied to.
    ended: bool,
    hold_ended: bool,
    number: u64,
    substituted: bool,
    late: Vec<Late<'a>>,
    /// For each command the state of its range.
    ranges: Vec<Range>,
    last: Option<&'a Pattern>,
    readers: HashMap<&'a str, Input>,
}

impl<'a> Machine<'a> {
    /// Opens the files that the script writes to.
    pub(crate) fn new(script: &'a Script, settings: &'a Settings) -> anyhow::Result<Self> {
        let open = |name: &String| -> anyhow::Result<Option<Output>> {
            Ok(match name.as_str() {
                "/dev/stdout" => None,
                "/dev/stderr" => Some(Output::new(Box::new(io::stderr()))),
                name => {
                    let file =
                        File::create(name).with_context(|| format!("couldn't open {name}"))?;
                    Some(Output::new(Box::new(file)))
                }
            })
        };
        Ok(Self {
            script,
            settings,
            input: Input::new(Vec::new(), b'\n', false),
            out: Output::new(Box::new(BufWriter::new(io::stdout()))),
            files: script.files.iter().map(open).collect::<anyhow::Result<_>>()?,
            space: Vec::new(),
            hold: Vec::new(),
            ended: true,
            hold_ended: true,
            number: 0,
            substituted: false,
            late: Vec::new(),
            ranges: vec![Range::Closed; script.commands.len()],
            last: None,
            readers: HashMap::new(),
        })
    }

    fn delimiter(&self) -> u8 {
        if self.settings.nul { 0 } else { b'\n' }
    }

    /// Works on the files; returns the exit status.
    pub(crate) fn run(&mut self, names: Vec<String>) -> anyhow::Result<u8> {
        let apart = self.settings.separate || self.settings.in_place.is_some();
        let follow =
            |name: &String| if self.settings.follow { followed(name) } else { Ok(name.clone()) };
        let names: Vec<String> = names.iter().map(follow).collect::<anyhow::Result<_>>()?;
        let groups =
            if apart { names.into_iter().map(|name| vec![name]).collect() } else { vec![names] };
        let mut failed = 0;
        for group in groups {
            self.number = 0;
            self.ranges.fill(Range::Closed);
            (self.hold, self.hold_ended) = (Vec::new(), true);
            let mut name = group.first().cloned().unwrap_or_default();
            if self.settings.in_place.is_some() && name == "-" {
                name = "./-".into();
            }
            let group = if apart { vec![name.clone()] } else { group };
            self.input = Input::new(group, self.delimiter(), self.settings.unbuffered);
            let quit = match &self.settings.in_place {
                Some(suffix) => self.in_place(&name, suffix)?,
                None => self.cycles()?,
            };
            failed = self.input.status.max(failed);
            self.out.to.flush()?;
            if let Some(status) = quit {
                return Ok(if status == 0 { failed } else { status });
            }
        }
        Ok(failed)
    }

    fn cycles(&mut self) -> anyhow::Result<Option<u8>> {
        let mut again = false;
        loop {
            if !again && !self.read(false)? {
                return Ok(None);
            }
            let flow = self.cycle()?;
            let (print, quit) = match flow {
                Flow::End(print) => (print, None),
                Flow::Quit(print, status) => (print, Some(status)),
                _ => (false, None),
            };
            again = matches!(flow, Flow::Again);
            if print {
                self.auto_print()?;
            }
            self.write_late()?;
            if quit.is_some() {
                return Ok(quit);
            }
        }
    }

    fn auto_print(&mut self) -> io::Result<()> {
        if self.settings.quiet || self.script.quiet {
            return Ok(());
        }
        self.print()
    }

    fn print(&mut self) -> io::Result<()> {
        let delimiter = self.delimiter();
        self.out.line(&self.space, delimiter, self.ended)?;
        if self.settings.unbuffered { self.out.to.flush() } else { Ok(()) }
    }

    fn read(&mut self, append: bool) -> io::Result<bool> {
        let Some((line, ended)) = self.input.line()? else { return Ok(false) };
        if append {
            let delimiter = self.delimiter();
            self.space.push(delimiter);
            self.space.extend(line);
        } else {
            self.space = line;
        }
        self.substituted = false;
        self.ended = ended;
        self.number += 1;
        Ok(true)
    }

    fn write_late(&mut self) -> io::Result<()> {
        for late in std::mem::take(&mut self.late) {
            match late {
                Late::Text(text) => self.out.raw(text)?,
                Late::Line(line, ended) => {
                    self.out.raw(&line)?;
                    self.out.raw(if ended { b"\n" } else { b"" })?;
                }
                Late::File(name) => self.copy(name)?,
            }
        }
        Ok(())
    }

    /// Writes what is in a file; one that cannot be read is taken for empty.
    fn copy(&mut self, name: &str) -> io::Result<()> {
        if name == "/dev/stdin" {
            self.out.raw(b"")?;
            io::copy(&mut io::stdin(), &mut self.out.to)?;
        } else if let Ok(mut file) = File::open(name) {
            self.out.raw(b"")?;
            io::copy(&mut file, &mut self.out.to)?;
        }
        Ok(())
    }

    /// Whether a command has the address 0 and no other.
    fn before_all(&self, at: usize) -> bool {
        let command = self.script.commands.get(at);
        command.is_some_and(|c| matches!((&c.start, &c.end), (Some(Address::Line(0)), None)))
    }

    fn cycle(&mut self) -> anyhow::Result<Flow> {
        let script = self.script;
        let mut at = 0;
        while let Some(command) = script.commands.get(at) {
            let chosen = self.chosen(at, command)? != command.negated;
            at += 1;
            match (&command.action, chosen) {
                (Action::Open(end), false) => at = *end,
                (_, false) => {}
                (action, true) => match self.act(action, at - 1)? {
                    Flow::Next => {}
                    Flow::Jump(to) => at = to,
                    flow => return Ok(flow),
                },
            }
        }
        Ok(Flow::End(true))
    }

    fn pattern(&mut self, own: Option<&'a Pattern>) -> anyhow::Result<&'a Pattern> {
        self.last = own.or(self.last);
        Ok(self.last.ok_or(NoPrevious)?)
    }

    fn act(&mut self, action: &'a Action, at: usize) -> anyhow::Result<Flow> {
        let first = self.space.iter().position(|byte| *byte == self.delimiter());
        let delimiter = self.delimiter();
        match action {
            Action::Open(_) | Action::Nothing => {}
            Action::Append(text) => self.late.push(Late::Text(text)),
            Action::Insert(text) => self.out.raw(text)?,
            Action::Change(text) => {
                if !matches!(self.ranges.get(at), Some(Range::Open(_))) {
                    self.out.raw(text)?;
                }
                return Ok(Flow::End(false));
            }
            Action::Branch(to) => return Ok(Flow::Jump(*to)),
            Action::BranchIf(to) if std::mem::take(&mut self.substituted) => {
                return Ok(Flow::Jump(*to));
            }
            Action::BranchUnless(to) if !std::mem::take(&mut self.substituted) => {
                return Ok(Flow::Jump(*to));
            }
            Action::BranchIf(_) | Action::BranchUnless(_) => {}
            Action::Delete => return Ok(Flow::End(false)),
            Action::DeleteFirst => {
                let Some(first) = first else { return Ok(Flow::End(false)) };
                self.space.drain(..=first);
                return Ok(Flow::Again);
            }
            Action::Execute(command) if command.is_empty() => self.execute()?,
            Action::Execute(command) => {
                let result = shell(command)?;
                self.out.raw(&result)?;
            }
            Action::FileName => {
                self.out.raw(format!("{}{}", self.input.name, char::from(delimiter)).as_bytes())?
            }
            Action::Get => {
                self.space.clone_from(&self.hold);
                self.ended = self.hold_ended;
            }
            Action::GetAppend => {
                self.space.push(delimiter);
                self.space.extend(&self.hold);
                self.ended = self.hold_ended;
            }
            Action::Hold => {
                self.hold.clone_from(&self.space);
                self.hold_ended = self.ended;
            }
            Action::HoldAppend => {
                self.hold.push(delimiter);
                self.hold.extend(&self.space);
                self.hold_ended = self.ended;
            }
            Action::List(width) => {
                let text = listed(&self.space, width.unwrap_or(self.settings.width));
                self.out.line(&text, delimiter, true)?;
            }
            Action::Next | Action::NextAppend => return self.next(action),
            Action::Print => self.print()?,
            Action::PrintFirst => {
                let end = first.unwrap_or(self.space.len());
                self.out.line(self.space.get(..end).unwrap_or_default(), delimiter, true)?;
            }
            Action::Quit(status) => return Ok(Flow::Quit(true, *status)),
            Action::QuitSilently(status) => return Ok(Flow::Quit(false, *status)),
            Action::Read(name) if self.before_all(at) => self.copy(name)?,
            Action::Read(name) => self.late.push(Late::File(name)),
            Action::ReadLine(name) => {
                let new = || Input::new(vec![name.clone()], b'\n', false);
                let reader = self.readers.entry(name).or_insert_with(new);
                if let Some((line, ended)) = reader.line()? {
                    self.late.push(Late::Line(line, ended));
                }
            }
            Action::Substitute(substitute) => self.substitute(substitute)?,
            Action::Write(file) => self.write(*file, self.space.len(), self.ended)?,
            Action::WriteFirst(file) => {
                self.write(*file, first.unwrap_or(self.space.len()), true)?;
            }
            Action::Exchange => {
                std::mem::swap(&mut self.space, &mut self.hold);
                std::mem::swap(&mut self.ended, &mut self.hold_ended);
            }
            Action::Translate { map, bytes } => self.space = translated(&self.space, map, *bytes),
            Action::Zap => self.space.clear(),
            Action::Number => {
                self.out.raw(format!("{}{}", self.number, char::from(delimiter)).as_bytes())?
            }
        }
        Ok(Flow::Next)
    }

    fn next(&mut self, action: &Action) -> anyhow::Result<Flow> {
        let append = matches!(action, Action::NextAppend);
        if !self.input.ready() {
            return Ok(Flow::End(!(append && self.settings.correct)));
        }
        if !append {
            self.auto_print()?;
        }
        self.write_late()?;
        self.read(append)?;
        Ok(Flow::Next)
    }

    fn write(&mut self, file: usize, end: usize, ended: bool) -> io::Result<()> {
        let delimiter = self.delimiter();
        let text = self.space.get(..end).unwrap_or_default();
        match self.files.get_mut(file) {
            Some(Some(output)) => output.line(text, delimiter, ended),
            _ => self.out.line(text, delimiter, ended),
        }
    }

    fn execute(&mut self) -> io::Result<()> {
        self.space = shell(&self.space)?;
        if self.space.last() == Some(&b'\n') {
            self.space.pop();
        }
        Ok(())
    }

    fn substitute(&mut self, s: &'a Substitute) -> anyhow::Result<()> {
        let pattern = self.pattern(s.pattern.as_ref())?;
        let Some(new) = replaced(s, pattern, &self.space) else { return Ok(()) };
        self.space = new;
        self.substituted = true;
        if s.print_first {
            self.print()?;
        }
        if s.execute {
            self.execute()?;
        }
        if s.print {
            self.print()?;
        }
        match s.file {
            Some(file) => Ok(self.write(file, self.space.len(), self.ended)?),
            None => Ok(()),
        }
    }
}

fn translated(text: &[u8], map: &HashMap<char, char>, bytes: bool) -> Vec<u8> {
    if bytes {
        let new = |byte: &u8| map.get(&char::from(*byte)).and_then(|c| u8::try_from(*c).ok());
        return text.iter().map(|byte| new(byte).unwrap_or(*byte)).collect();
    }
    let mut new = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut bytes = [0; 4];
            new.extend(map.get(&c).unwrap_or(&c).encode_utf8(&mut bytes).as_bytes());
        }
        new.extend(chunk.invalid());
    }
    new
}

fn shell(command: &[u8]) -> io::Result<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut shell = process::Command::new("sh");
    shell.arg("-c").arg(std::ffi::OsStr::from_bytes(command)).stderr(process::Stdio::inherit());
    Ok(shell.output()?.stdout)
}
