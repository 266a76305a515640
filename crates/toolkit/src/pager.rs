//! The pager behind `less` and `more`.
//!
//! Reads no more than it shows: a file is sought in, a stream read as far as somebody has looked
//! (and then kept, to go back). In the order of reading: [`source`], [`view`],
//! [`moves`], [`keys`], and what holds them together here.

mod keys;
mod moves;
mod source;
mod view;

use crate::{
    applet::{Args, reason, usage_error},
    terminal::{Event, Key, Size, Terminal, print},
    text_cells::{cells, write_cells},
};
use anyhow::Context as _;
use regex::bytes::Regex;
use rustix::termios::isatty;
use source::Source;
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};
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
        return Ok(copy(&files, face));
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

/// As `cat` does; `more` says which file it is.
fn copy(files: &[&OsString], face: Face) -> u8 {
    let stdin = OsString::from("-");
    let all = if files.is_empty() { vec![&stdin] } else { files.to_vec() };
    let mut status = 0;
    for name in all {
        let shown = name.to_string_lossy();
        let said = |error: io::Error| format!("{shown}: {}", reason(&error));
        if face == Face::More && Path::new(name).is_dir() {
            println!("\n*** {shown}: directory ***\n");
            continue;
        }
        let copied = open(name).and_then(|mut file| {
            let mut to = io::stdout().lock();
            if face == Face::More && name != "-" {
                writeln!(to, "::::::::::::::\n{shown}\n::::::::::::::").map_err(said)?;
            }
            io::copy(&mut file, &mut to).map_err(said)
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
}

impl Pager {
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
