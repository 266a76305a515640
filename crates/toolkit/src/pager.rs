//! The pager behind `less` and `more`.
//!
//! Reads no more than it shows: a file is sought in, a stream read as far as somebody has looked
//! (and then kept, to go back). In the order of reading: [`source`], [`view`], and the keys here.

mod source;
mod view;

use crate::{
    applet::{Args, reason, usage_error},
    terminal::{Event, Key, Size, Terminal, print},
    text_cells::{cells, write_cells},
};
use anyhow::Context as _;
use regex::bytes::{Regex, RegexBuilder};
use rustix::termios::isatty;
use source::Source;
use std::{ffi::OsString, fs::File, io, os::unix::ffi::OsStrExt as _, time::Duration};
use view::{Look, Place, View};

/// Which command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Less,
    More,
}

/// For both commands' `--help`.
pub(crate) const KEYS: &str = "Keys (N: digits typed before it):\n\
    space f PageDown    a screen, or N lines, on        b PageUp    back\n\
    Enter j Down        a line, or N, on                k y Up      back\n\
    d / u               half a screen on / back         Left Right  sideways\n\
    g G                 first, last line, or line N     N%          so far into it\n\
    /PATTERN ?PATTERN   search on / back                n N         again / the other way\n\
    F                   wait for more, until Ctrl-C     r           draw again\n\
    :n :p               next, previous file             = Ctrl-G    where this is\n\
    -N -S -R -i -s      change that option              h q         help, end\n\
    Where standard output is no terminal, the text is copied as it is.";

/// Between two looks at a file that may grow.
const FOLLOW: Duration = Duration::from_millis(250);
/// After so many lines a search asks whether somebody wants it to end.
const PATIENCE: usize = 4096;

/// Runs `less` or `more`.
pub(crate) fn run(args: &Args, face: Face) -> anyhow::Result<u8> {
    let begin = |word: &&OsString| word.as_bytes().starts_with(b"+") && word.len() > 1;
    let files: Vec<&OsString> = args.operands.iter().filter(|word| !begin(word)).collect();
    let mut commands: Vec<String> = args
        .operands
        .iter()
        .filter(begin)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    commands.extend(args.text("pattern").unwrap_or(None).map(|pattern| format!("+/{pattern}")));
    if files.is_empty() && isatty(io::stdin()) {
        return usage_error("which file?");
    }
    if !isatty(io::stdout()) {
        return Ok(copy(&files));
    }
    let mut texts = Vec::new();
    let mut status = 0;
    for name in &files {
        match open(name) {
            Ok(file) => texts.push((name.to_string_lossy().into_owned(), file)),
            Err(text) => {
                eprintln!("{text}");
                status = 1;
            }
        }
    }
    if files.is_empty() {
        texts.push((String::new(), copy_of_stdin()?));
    }
    if texts.is_empty() {
        return Ok(status);
    }
    let mut pager = Pager::new(args, face, texts)?;
    if pager.fits(args)? {
        return Ok(status);
    }
    pager.page(&commands)?;
    Ok(status)
}

fn copy_of_stdin() -> anyhow::Result<File> {
    let copy = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3);
    Ok(File::from(copy.context("standard input")?))
}

fn open(name: &OsString) -> Result<File, String> {
    let shown = name.to_string_lossy();
    if name == "-" {
        return copy_of_stdin().map_err(|error| format!("{error:#}"));
    }
    let said = |error: io::Error| format!("{shown}: {}", reason(&error));
    let file = File::open(name).map_err(said)?;
    match file.metadata().map_err(said)?.is_dir() {
        true => Err(format!("{shown} is a directory")),
        false => Ok(file),
    }
}

/// As `cat` does.
fn copy(files: &[&OsString]) -> u8 {
    let stdin = OsString::from("-");
    let all = if files.is_empty() { vec![&stdin] } else { files.to_vec() };
    let mut status = 0;
    for name in all {
        let copied = open(name).and_then(|mut file| {
            io::copy(&mut file, &mut io::stdout().lock())
                .map_err(|error| format!("{}: {}", name.to_string_lossy(), reason(&error)))
        });
        if let Err(text) = copied {
            eprintln!("{text}");
            status = 1;
        }
    }
    status
}

/// What a search goes by.
#[derive(Clone, Debug)]
struct Search {
    pattern: Regex,
    backwards: bool,
}

/// How letters are compared in a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Exact,
    /// Capitals are small letters where the pattern has no capital.
    Smart,
    Ignored,
}

/// What a key led to.
enum Next {
    Stay,
    /// Another text: so many further.
    Text(isize),
    End,
}

struct Pager {
    face: Face,
    texts: Vec<(String, Option<File>)>,
    at: usize,
    name: String,
    view: View,
    terminal: Terminal,
    case: Case,
    search: Option<Search>,
    /// What the last line says instead of the usual.
    message: Option<String>,
    quit_at_end: bool,
    /// Ends when it goes on at the end.
    quit_after_end: bool,
    quit_on_interrupt: bool,
    rows: Option<usize>,
    /// The texts whose view was left, to come back to.
    left: Vec<Option<View>>,
    is_new: bool,
}

impl Pager {
    fn new(args: &Args, face: Face, texts: Vec<(String, File)>) -> anyhow::Result<Self> {
        let rows = if face == Face::More { args.number("lines")? } else { None };
        let case = match (args.has("IGNORE-CASE"), args.has("ignore-case")) {
            (true, _) => Case::Ignored,
            (false, true) => Case::Smart,
            (false, false) => Case::Exact,
        };
        let look = Look {
            chop: args.has("chop-long-lines") || args.has("logical"),
            numbers: args.has("LINE-NUMBERS"),
            colours: args.has("RAW-CONTROL-CHARS") || args.has("raw-control-chars"),
            squeeze: args.has("squeeze-blank-lines") || args.has("squeeze"),
            ..Look::default()
        };
        let mut texts: Vec<(String, Option<File>)> =
            texts.into_iter().map(|(name, file)| (name, Some(file))).collect();
        let (name, file) = texts
            .first_mut()
            .and_then(|(name, file)| Some((name.clone(), file.take()?)))
            .context("no text")?;
        let view = View::new(Source::new(file)?, look);
        let own_screen =
            face == Face::Less && !args.has("no-init") && !args.has("quit-if-one-screen");
        let left = texts.iter().map(|_| None).collect();
        Ok(Self {
            face,
            texts,
            at: 0,
            name,
            view,
            terminal: Terminal::take(own_screen).context("no terminal to read keys from")?,
            case,
            search: None,
            message: None,
            quit_at_end: args.has("QUIT-AT-EOF") || face == Face::More,
            quit_after_end: args.has("quit-at-eof"),
            quit_on_interrupt: args.has("quit-on-intr") || face == Face::More,
            rows,
            left,
            is_new: true,
        })
    }

    /// Rows of text on the screen.
    fn height(&self) -> usize {
        let all = self.terminal.size().rows.saturating_sub(1).max(1);
        self.rows.unwrap_or(all).clamp(1, all)
    }

    /// Prints a single text that is no longer than the screen, where that is wanted; whether it was.
    fn fits(&mut self, args: &Args) -> anyhow::Result<bool> {
        let wanted = self.face == Face::More || args.has("quit-if-one-screen");
        if !wanted || self.texts.len() != 1 {
            return Ok(false);
        }
        let (size, rows) = (self.terminal.size(), self.height());
        self.fill()?;
        let mut place = Place::default();
        let mut drawn = 0;
        while drawn <= rows {
            let next = self.view.below(place, 1, size)?;
            if next == place {
                break;
            }
            place = next;
            drawn += 1;
        }
        if drawn > rows || self.view.source.lacks(place.line).is_some() {
            return Ok(false);
        }
        let screen = self.view.draw(size, drawn, "")?;
        print(&screen.out)?;
        Ok(true)
    }

    fn page(&mut self, commands: &[String]) -> anyhow::Result<()> {
        for command in commands {
            self.begin(command)?;
        }
        let mut digits = String::new();
        loop {
            let at_end = self.draw(&digits)?;
            if at_end && self.quit_at_end && !self.is_new {
                match self.at + 1 < self.texts.len() {
                    true => self.go_to_text(1)?,
                    false => return self.finish(),
                }
                continue;
            }
            self.is_new = false;
            let key = match self.terminal.next(None, None)? {
                Event::Key(key) => key,
                Event::Closed => return Ok(()),
                Event::Redraw | Event::Timeout | Event::Ready => continue,
            };
            self.message = None;
            if let Key::Char(digit @ '0'..='9') = key
                && digits.len() < 18
            {
                digits.push(digit);
                continue;
            }
            let number = digits.parse().ok();
            digits.clear();
            match self.key(key, number, at_end)? {
                Next::Stay => {}
                Next::Text(step) => self.go_to_text(step)?,
                Next::End => return self.finish(),
            }
        }
    }

    /// Takes the prompt away.
    fn finish(&self) -> anyhow::Result<()> {
        Ok(print(b"\r\x1b[K")?)
    }

    /// What `+COMMAND` asks for.
    fn begin(&mut self, command: &str) -> anyhow::Result<()> {
        let command = command.trim_start_matches('+');
        if let Some(pattern) = command.strip_prefix('/') {
            self.find(pattern, false)?;
        } else if let Ok(number) = command.trim_end_matches('g').parse() {
            self.go_to_line(number)?;
        } else if command == "G" {
            self.go_to_end()?;
        } else if command == "F" {
            self.follow()?;
        } else {
            self.message = Some(format!("There is no {command} command"));
        }
        Ok(())
    }

    /// Reads a stream until the screen is full; Ctrl-C ends that.
    fn fill(&mut self) -> anyhow::Result<bool> {
        let (size, rows) = (self.terminal.size(), self.height());
        loop {
            let end = self.view.below(self.view.top, rows + 1, size)?;
            if !self.receive(end.line)? {
                return Ok(false);
            }
            if self.view.source.lacks(end.line).is_none() {
                return Ok(true);
            }
        }
    }

    /// Waits for bytes at `offset` once; false when Ctrl-C was faster.
    fn receive(&mut self, offset: u64) -> anyhow::Result<bool> {
        let Some(stream) = self.view.source.lacks(offset) else { return Ok(true) };
        match self.terminal.next(None, Some(stream))? {
            Event::Ready => self.view.source.receive()?,
            Event::Key(Key::Ctrl('c') | Key::Char('q')) | Event::Closed => return Ok(false),
            Event::Key(_) | Event::Redraw | Event::Timeout => {}
        }
        Ok(true)
    }

    /// Whether somebody wants a long search or count to end.
    fn is_interrupted(&mut self) -> anyhow::Result<bool> {
        let event = self.terminal.next(Some(Duration::ZERO), None)?;
        Ok(matches!(event, Event::Key(Key::Ctrl('c')) | Event::Closed))
    }

    /// Draws text and prompt; whether the end of the text is on the screen.
    fn draw(&mut self, digits: &str) -> anyhow::Result<bool> {
        self.fill()?;
        let (size, rows) = (self.terminal.size(), self.height());
        let filler = if self.face == Face::Less { "~" } else { "" };
        let screen = self.view.draw(size, rows, filler)?;
        let mut out = b"\x1b[?25l\x1b[m\x1b[H".to_vec();
        out.extend(screen.out);
        out.extend(b"\x1b[J\r");
        let prompt =
            self.prompt(&screen_end(&self.view, screen.end, screen.is_last), screen.is_last);
        let (text, reverse) = match &self.message {
            Some(message) => (message.clone(), true),
            None if !digits.is_empty() => (format!(":{digits}"), false),
            None => (prompt.clone(), prompt != ":"),
        };
        out.extend(line_of(&text, size, reverse));
        out.extend(b"\x1b[K\x1b[?25h");
        print(&out)?;
        Ok(screen.is_last)
    }

    fn prompt(&self, share: &str, is_last: bool) -> String {
        let count = self.texts.len();
        let which =
            if count > 1 { format!(" (file {} of {count})", self.at + 1) } else { String::new() };
        match self.face {
            Face::More => format!("--More--{share}"),
            Face::Less if is_last => "(END)".into(),
            Face::Less if self.is_new && !self.name.is_empty() => format!("{}{which}", self.name),
            Face::Less => ":".into(),
        }
    }

    fn key(&mut self, key: Key, number: Option<u64>, at_end: bool) -> anyhow::Result<Next> {
        let count =
            |default: usize| number.and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
        let rows = self.height();
        match key {
            Key::Char('q' | 'Q') => return Ok(Next::End),
            Key::Ctrl('c') if self.quit_on_interrupt => return Ok(Next::End),
            Key::Char(' ' | 'f' | 'z') | Key::Ctrl('f' | 'v') | Key::PageDown => {
                if at_end && self.quit_after_end {
                    return Ok(if self.at + 1 < self.texts.len() {
                        Next::Text(1)
                    } else {
                        Next::End
                    });
                }
                self.forward(count(rows))?;
            }
            Key::Char('b' | 'w') | Key::Ctrl('b') | Key::Alt('v') | Key::PageUp => {
                self.back(count(rows))?
            }
            Key::Char('d') | Key::Ctrl('d') => self.forward(count(rows / 2))?,
            Key::Char('u') | Key::Ctrl('u') => self.back(count(rows / 2))?,
            Key::Char('j' | 'e') | Key::Ctrl('n' | 'e') | Key::Down | Key::Enter => {
                self.forward(count(1))?
            }
            Key::Char('k' | 'y') | Key::Ctrl('p' | 'y' | 'k') | Key::Up => self.back(count(1))?,
            Key::Left => {
                self.view.look.left = self.view.look.left.saturating_sub(count(self.half_width()))
            }
            Key::Right => {
                self.view.look.chop = true;
                self.view.look.left += count(self.half_width());
            }
            Key::Char('g' | '<') | Key::Home | Key::Alt('<') => {
                self.go_to_line(number.unwrap_or(1))?
            }
            Key::Char('G' | '>') | Key::End | Key::Alt('>') => match number {
                Some(line) => self.go_to_line(line)?,
                None => self.go_to_end()?,
            },
            Key::Char('p' | '%') => self.go_to_share(number.unwrap_or(0))?,
            Key::Char('/') => self.ask_pattern(false)?,
            Key::Char('?') => self.ask_pattern(true)?,
            Key::Char('n') => self.again(false)?,
            Key::Char('N') => self.again(true)?,
            Key::Char('F') => self.follow()?,
            Key::Char('h' | 'H') => self.help()?,
            Key::Char('=') | Key::Ctrl('g') => self.message = Some(self.whereabouts()),
            Key::Char('-') => self.change_option()?,
            Key::Char('v') => self.message = Some("There is no editor here".into()),
            Key::Char(':') => return self.colon(),
            Key::Char('R') => self.view.source.refresh(),
            _ => {}
        }
        Ok(Next::Stay)
    }

    fn half_width(&self) -> usize {
        (self.terminal.size().columns / 2).max(1)
    }

    fn forward(&mut self, count: usize) -> anyhow::Result<()> {
        let (size, rows) = (self.terminal.size(), self.height());
        for _ in 0..count.min(1 << 20) {
            // The next row that comes up may have to be waited for.
            let end = self.view.below(self.view.top, rows, size)?;
            while self.view.source.lacks(end.line).is_some() {
                if !self.receive(end.line)? {
                    return Ok(());
                }
            }
            if self.view.source.line(end.line)?.is_none() {
                break;
            }
            self.view.top = self.view.below(self.view.top, 1, size)?;
        }
        Ok(())
    }

    fn back(&mut self, count: usize) -> anyhow::Result<()> {
        self.view.top = self.view.above(self.view.top, count, self.terminal.size())?;
        Ok(())
    }

    /// Line `number` at the top; the last one when there are fewer.
    fn go_to_line(&mut self, number: u64) -> anyhow::Result<()> {
        let mut place = 0;
        for passed in 1..number.max(1) {
            while self.view.source.lacks(place).is_some() {
                if !self.receive(place)? {
                    return Ok(());
                }
            }
            match self.view.source.line(place)? {
                Some(line) => place = line.next,
                None => return self.go_to_end(),
            }
            if passed % (PATIENCE as u64) == 0 && self.is_interrupted()? {
                break;
            }
        }
        self.show(place)
    }

    fn go_to_end(&mut self) -> anyhow::Result<()> {
        while self.view.source.size().is_none() {
            if !self.receive(u64::MAX)? {
                return Ok(());
            }
        }
        self.view.source.refresh();
        self.view.top = self.view.last(self.terminal.size(), self.height())?;
        Ok(())
    }

    fn go_to_share(&mut self, percent: u64) -> anyhow::Result<()> {
        while self.view.source.size().is_none() {
            if !self.receive(u64::MAX)? {
                return Ok(());
            }
        }
        let size = self.view.source.size().unwrap_or(0);
        let offset = size / 100 * percent.min(100) + size % 100 * percent.min(100) / 100;
        let begin = self.view.source.before(offset)?.unwrap_or(0);
        self.show(begin)
    }

    /// A line at the top, or as high as the end of the text lets it be.
    fn show(&mut self, line: u64) -> anyhow::Result<()> {
        let (size, rows) = (self.terminal.size(), self.height());
        self.view.top = Place { line, row: 0 };
        self.fill()?;
        let end = self.view.below(self.view.top, rows, size)?;
        if self.view.source.size().is_some_and(|size| end.line >= size) {
            let last = self.view.last(size, rows)?;
            self.view.top = self.view.top.min(last);
        }
        Ok(())
    }

    fn ask_pattern(&mut self, backwards: bool) -> anyhow::Result<()> {
        let sign = if backwards { "?" } else { "/" };
        let Some(text) = self.ask(sign)? else { return Ok(()) };
        if text.is_empty() {
            return self.again(false);
        }
        self.find(&text, backwards)
    }

    /// A line of input at the bottom; none when it was given up.
    fn ask(&mut self, sign: &str) -> anyhow::Result<Option<String>> {
        let mut text = String::new();
        loop {
            let mut out = b"\r".to_vec();
            out.extend(line_of(&format!("{sign}{text}"), self.terminal.size(), false));
            out.extend(b"\x1b[K");
            print(&out)?;
            match self.terminal.next(None, None)? {
                Event::Key(Key::Enter) => return Ok(Some(text)),
                Event::Key(Key::Char(c)) if text.len() < 1024 => text.push(c),
                Event::Key(Key::Backspace) if text.pop().is_none() => return Ok(None),
                Event::Key(Key::Ctrl('u')) => text.clear(),
                Event::Key(Key::Escape | Key::Ctrl('c')) | Event::Closed => return Ok(None),
                Event::Redraw => {
                    self.draw("")?;
                }
                _ => {}
            }
        }
    }

    fn find(&mut self, text: &str, backwards: bool) -> anyhow::Result<()> {
        let ignore = match self.case {
            Case::Exact => false,
            Case::Smart => !text.chars().any(char::is_uppercase),
            Case::Ignored => true,
        };
        match RegexBuilder::new(text).case_insensitive(ignore).build() {
            Err(_) => self.message = Some("Invalid pattern".into()),
            Ok(pattern) => {
                self.view.look.pattern = Some(pattern.clone());
                let first = self.search.is_none() && self.is_new;
                self.search = Some(Search { pattern, backwards });
                self.seek(backwards, first)?;
            }
        }
        Ok(())
    }

    fn again(&mut self, other_way: bool) -> anyhow::Result<()> {
        match self.search.as_ref().map(|search| search.backwards) {
            None => self.message = Some("No previous regular expression".into()),
            Some(backwards) => self.seek(backwards != other_way, false)?,
        }
        Ok(())
    }

    /// Looks for the pattern in the lines after, or before, the one at the top.
    fn seek(&mut self, backwards: bool, with_first: bool) -> anyhow::Result<()> {
        let Some(search) = self.search.clone() else { return Ok(()) };
        let mut place = self.view.top.line;
        let mut is_first = true;
        for looked in 1_usize.. {
            if backwards {
                let Some(before) = self.view.source.before(place)? else { break };
                place = before;
            }
            while self.view.source.lacks(place).is_some() {
                if !self.receive(place)? {
                    return Ok(());
                }
            }
            let Some(line) = self.view.source.line(place)? else { break };
            let counts = backwards || !is_first || with_first;
            if counts && search.pattern.is_match(&line.bytes) {
                return self.show(place);
            }
            is_first = false;
            if !backwards {
                place = line.next;
            }
            if looked % PATIENCE == 0 && self.is_interrupted()? {
                self.message = Some("Interrupted".into());
                return Ok(());
            }
        }
        self.message = Some("Pattern not found".into());
        Ok(())
    }

    /// Shows what is appended, until Ctrl-C.
    fn follow(&mut self) -> anyhow::Result<()> {
        self.message = Some("Waiting for data... (interrupt to abort)".into());
        loop {
            self.view.source.refresh();
            let end = self.view.source.held();
            self.view.top = self.view.above(
                Place { line: end, row: 0 },
                self.height(),
                self.terminal.size(),
            )?;
            self.draw_now()?;
            let event = match self.view.source.lacks(u64::MAX) {
                Some(stream) => self.terminal.next(None, Some(stream))?,
                None => self.terminal.next(Some(FOLLOW), None)?,
            };
            match event {
                Event::Ready => self.view.source.receive()?,
                Event::Key(Key::Ctrl('c') | Key::Char('q')) | Event::Closed => break,
                Event::Key(_) | Event::Redraw | Event::Timeout => {}
            }
        }
        self.message = None;
        Ok(())
    }
}

impl Pager {
    /// Draws while following: nobody is asked anything.
    fn draw_now(&mut self) -> anyhow::Result<()> {
        let (size, rows) = (self.terminal.size(), self.height());
        let screen = self.view.draw(size, rows, "~")?;
        let mut out = b"\x1b[m\x1b[H".to_vec();
        out.extend(screen.out);
        let text = self.message.clone().unwrap_or_default();
        out.extend(line_of(&text, size, true));
        out.extend(b"\x1b[K");
        Ok(print(&out)?)
    }

    fn whereabouts(&mut self) -> String {
        let number = self.view.top_number().map_or("?".into(), |number| number.to_string());
        let size = self.view.source.size().map_or("?".into(), |size| size.to_string());
        format!("{} line {number} byte {}/{size}", self.name, self.view.top.line)
    }

    /// `-` and the letter of an option.
    fn change_option(&mut self) -> anyhow::Result<()> {
        let mut out = b"\r".to_vec();
        out.extend(line_of("-", self.terminal.size(), false));
        out.extend(b"\x1b[K");
        print(&out)?;
        let Event::Key(Key::Char(letter)) = self.terminal.next(None, None)? else { return Ok(()) };
        let look = &mut self.view.look;
        let (option, text) = match letter {
            'S' => (&mut look.chop, "Chop long lines"),
            'N' => (&mut look.numbers, "Line numbers"),
            'R' | 'r' => (&mut look.colours, "Colours"),
            's' => (&mut look.squeeze, "Squeeze empty lines"),
            'i' | 'I' => {
                let case = if letter == 'i' { Case::Smart } else { Case::Ignored };
                self.case = if self.case == case { Case::Exact } else { case };
                self.message = Some(format!("Case is {:?}", self.case).to_lowercase());
                return Ok(());
            }
            _ => {
                self.message = Some(format!("There is no {letter} option"));
                return Ok(());
            }
        };
        *option = !*option;
        self.message = Some(format!("{text}: {}", if *option { "on" } else { "off" }));
        self.view.look.left = 0;
        self.view.top.row = 0;
        Ok(())
    }

    fn colon(&mut self) -> anyhow::Result<Next> {
        let mut out = b"\r".to_vec();
        out.extend(line_of(" :", self.terminal.size(), false));
        out.extend(b"\x1b[K");
        print(&out)?;
        let step = match self.terminal.next(None, None)? {
            Event::Key(Key::Char('q' | 'Q')) => return Ok(Next::End),
            Event::Key(Key::Char('n')) => 1,
            Event::Key(Key::Char('p')) => -1,
            Event::Key(Key::Char('f')) => {
                self.message = Some(self.whereabouts());
                return Ok(Next::Stay);
            }
            _ => return Ok(Next::Stay),
        };
        let target = self.at.checked_add_signed(step).filter(|at| *at < self.texts.len());
        if target.is_none() {
            self.message =
                Some(if step > 0 { "No next file".into() } else { "No previous file".into() });
            return Ok(Next::Stay);
        }
        Ok(Next::Text(step))
    }

    /// Another text; where one has left it.
    fn go_to_text(&mut self, step: isize) -> anyhow::Result<()> {
        let Some(at) = self.at.checked_add_signed(step) else { return Ok(()) };
        let (Some((name, file)), Some(left)) = (self.texts.get_mut(at), self.left.get_mut(at))
        else {
            return Ok(());
        };
        let look = self.view.look.clone();
        let mut view = match (file.take(), left.take()) {
            (Some(file), _) => View::new(Source::new(file)?, look.clone()),
            (None, Some(view)) => view,
            (None, None) => return Ok(()),
        };
        view.look = look;
        self.name.clone_from(name);
        let before = std::mem::replace(&mut self.view, view);
        if let Some(place) = self.left.get_mut(self.at) {
            *place = Some(before);
        }
        self.at = at;
        self.is_new = true;
        Ok(())
    }

    fn help(&mut self) -> anyhow::Result<()> {
        let mut out = b"\x1b[m\x1b[H\x1b[J".to_vec();
        out.extend(KEYS.replace('\n', "\r\n").bytes());
        out.extend(b"\r\n\r\n\x1b[7mPress a key to go back\x1b[m\x1b[K");
        print(&out)?;
        while matches!(self.terminal.next(None, None)?, Event::Redraw | Event::Timeout) {}
        Ok(())
    }
}

/// How far into the text the screen's end is, for `more`.
fn screen_end(view: &View, end: u64, is_last: bool) -> String {
    match view.source.size() {
        _ if is_last => "(END)".into(),
        Some(size) if size > 0 => {
            format!("({}%)", u128::from(end) * 100 / u128::from(size))
        }
        _ => String::new(),
    }
}

/// The last line, cut to the screen; what is in it is not trusted, either.
fn line_of(text: &str, size: Size, reverse: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut room = size.columns.saturating_sub(1);
    let cells = cells(text.as_bytes(), false).into_iter().map(|mut cell| {
        cell.style.reverse = reverse;
        cell
    });
    let fits = cells.take_while(|cell| {
        let fits = cell.width <= room;
        room = room.saturating_sub(cell.width);
        fits
    });
    write_cells(&mut out, fits);
    out
}
