//! Text to commands.

mod delimited;
mod texts;

use super::script::{Action, Address, Command, End, Origin, Piece, Script, Settings};
use std::collections::HashMap;

/// GNU's, whose language this is.
const VERSION: [u32; 2] = [4, 9];

const EMPTY_MODIFIED: &str = "cannot specify modifiers on empty regexp";
const UNKNOWN_OPTION: &str = "unknown option to `s'";
const ONE_ADDRESS: &str = "command only uses one address";

type Result<T, E = String> = std::result::Result<T, E>;

/// Why there is no script.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) text: String,
    /// What `sed` exits with.
    pub(crate) status: u8,
}

impl From<String> for Refused {
    fn from(text: String) -> Self {
        Self { text, status: 1 }
    }
}

/// Parses a script. What is refused is named with its place, as GNU's does.
pub(crate) fn parse(pieces: &[Piece], settings: &Settings) -> Result<Script, Refused> {
    let texts: Vec<&[u8]> = pieces.iter().map(|piece| piece.text.as_slice()).collect();
    let source = texts.join(&b'\n');
    let mut parser = Parser {
        source: &source,
        extended: settings.extended,
        nul: settings.nul,
        posix: settings.posix,
        sandbox: settings.sandbox,
        joints: joints(&texts),
        ..Parser::default()
    };
    let first = texts.first().copied().unwrap_or_default();
    let quiet = first.starts_with(b"#n");
    loop {
        match parser.command() {
            Ok(true) => {}
            Ok(false) => return parser.finish(quiet, pieces),
            Err(text) => return Err(format!("{}{text}", place(pieces, parser.at)).into()),
        }
    }
}

/// Where the pieces meet.
fn joints(texts: &[&[u8]]) -> Vec<usize> {
    let ends = texts.iter().scan(0, |end, text| {
        *end += text.len() + 1;
        Some(*end - 1)
    });
    ends.collect()
}

/// `-e expression #1, char 2: ` or `file NAME line 1: ` for the place behind the last byte that was read.
fn place(pieces: &[Piece], mut at: usize) -> String {
    let last = pieces.len().saturating_sub(1);
    for (number, Piece { origin, text }) in pieces.iter().enumerate() {
        if at > text.len() && number < last {
            at -= text.len() + 1;
            continue;
        }
        return match origin {
            Origin::Expression(number) => format!("-e expression #{number}, char {at}: "),
            Origin::File(name) => {
                let read = text.iter().take(at.saturating_sub(1));
                format!("file {name} line {}: ", read.filter(|byte| **byte == b'\n').count() + 1)
            }
        };
    }
    String::new()
}

#[derive(Default)]
struct Parser<'a> {
    source: &'a [u8],
    at: usize,
    extended: bool,
    /// Lines end with NUL.
    nul: bool,
    posix: bool,
    sandbox: bool,
    joints: Vec<usize>,
    commands: Vec<Command>,
    files: Vec<String>,
    /// Blocks that are open.
    open: Vec<usize>,
    labels: HashMap<Vec<u8>, usize>,
    /// Commands that go to labels.
    jumps: Vec<(usize, Vec<u8>)>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip(&mut self, set: &[u8]) {
        while self.peek().is_some_and(|byte| set.contains(&byte)) {
            self.at += 1;
        }
    }

    fn finish(mut self, quiet: bool, pieces: &[Piece]) -> Result<Script, Refused> {
        if !self.open.is_empty() {
            return Err(format!("{}unmatched `{{'", place(pieces, 0)).into());
        }
        for (at, label) in std::mem::take(&mut self.jumps) {
            let target = match self.labels.get(&label) {
                Some(target) => *target,
                None if label.is_empty() => self.commands.len(),
                None => {
                    let label = String::from_utf8_lossy(&label);
                    let text = format!("can't find label for jump to `{label}'");
                    return Err(Refused { text, status: 4 });
                }
            };
            if let Some(Action::Branch(to) | Action::BranchIf(to) | Action::BranchUnless(to)) =
                self.commands.get_mut(at).map(|command| &mut command.action)
            {
                *to = target;
            }
        }
        Ok(Script { commands: self.commands, files: self.files, quiet })
    }

    /// One command; false at the end.
    fn command(&mut self) -> Result<bool> {
        self.skip(b" \t\n\r;");
        if self.peek().is_none() {
            return Ok(false);
        }
        let start = self.address()?;
        let end = self.end(start.as_ref())?;
        self.skip(b" \t");
        let mut negated = false;
        while self.take(b'!') {
            if std::mem::replace(&mut negated, true) {
                return Err("multiple `!'s".into());
            }
            self.skip(b" \t");
        }
        let Some(name) = self.next() else { return Err("missing command".into()) };
        self.allowed(name, start.as_ref(), end.as_ref())?;
        if let Some(action) = self.action(name)? {
            self.commands.push(Command { start, end, negated, action });
        }
        Ok(true)
    }

    /// Whether a command may stand here.
    fn allowed(&mut self, name: u8, start: Option<&Address>, end: Option<&End>) -> Result<()> {
        match name {
            b'}' if self.open.is_empty() => return Err("unexpected `}'".into()),
            b'}' if start.is_some() => return Err("`}' doesn't want any addresses".into()),
            b':' if start.is_some() => return Err(": doesn't want any addresses".into()),
            b'#' if start.is_some() => return Err("comments don't accept any addresses".into()),
            b'e' | b'F' | b'v' | b'z' | b'L' | b'Q' | b'T' | b'R' | b'W' if self.posix => {
                return Err(format!("unknown command: `{}'", char::from(name)));
            }
            b'q' | b'Q' if end.is_some() => return Err(ONE_ADDRESS.into()),
            b'a' | b'i' | b'l' | b'=' | b'r' if self.posix && end.is_some() => {
                return Err(ONE_ADDRESS.into());
            }
            _ => {}
        }
        self.harmless(matches!(name, b'e' | b'r' | b'w' | b'R' | b'W'))?;
        // Line 0 begins a range that may end on line 1, and says that `r` comes before it.
        let to_match = matches!(end, Some(End::At(Address::Match(_)))) && !self.posix;
        let before = name == b'r' && end.is_none();
        if matches!(start, Some(Address::Line(0))) && !to_match && !before {
            return Err("invalid usage of line address 0".into());
        }
        Ok(())
    }

    fn harmless(&self, harms: bool) -> Result<()> {
        match self.sandbox && harms {
            true => Err("e/r/w commands disabled in sandbox mode".into()),
            false => Ok(()),
        }
    }

    /// The error at the byte that comes next, which counts as read.
    fn wrong<T>(&mut self, text: &str) -> Result<T> {
        self.next();
        Err(text.into())
    }

    fn number(&mut self) -> Option<u64> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        std::str::from_utf8(self.source.get(start..self.at)?).ok()?.parse().ok()
    }

    fn address(&mut self) -> Result<Option<Address>> {
        let address = match self.peek() {
            Some(b'0'..=b'9') => {
                let first = self.number().ok_or("number too large")?;
                self.skip(b" \t");
                if self.take(b'~') {
                    match self.number() {
                        None | Some(0) => Address::Line(first),
                        Some(step) => Address::Step(first, step),
                    }
                } else {
                    Address::Line(first)
                }
            }
            Some(b'$') => {
                self.at += 1;
                Address::Last
            }
            Some(b'/') => {
                self.at += 1;
                Address::Match(self.pattern(b'/')?)
            }
            Some(b'\\') => {
                self.at += 1;
                let delimiter = self.next().ok_or("unterminated address regex")?;
                Address::Match(self.pattern(delimiter)?)
            }
            Some(b'+' | b'~') if !self.posix => {
                self.at += 1;
                self.number();
                return Err("invalid usage of +N or ~N as first address".into());
            }
            _ => return Ok(None),
        };
        Ok(Some(address))
    }

    fn end(&mut self, start: Option<&Address>) -> Result<Option<End>> {
        self.skip(b" \t");
        let end = if start.is_some() && self.take(b',') {
            self.skip(b" \t");
            let comma = "unexpected `,'";
            let sign = self.peek().filter(|sign| matches!(sign, b'+' | b'~'));
            self.at += usize::from(sign.is_some());
            Some(match sign {
                Some(_) if self.posix => return Err(comma.into()),
                Some(b'+') => End::Plus(self.number().ok_or("expected a number")?),
                Some(_) => End::Multiple(self.number().ok_or("expected a number")?),
                None => match self.address()? {
                    Some(address) => End::At(address),
                    None => return self.wrong(comma),
                },
            })
        } else {
            None
        };
        Ok(end)
    }

    /// What may follow a command.
    fn ends(&mut self) -> Result<()> {
        self.skip(b" \t");
        if self.source.get(self.at..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
            self.at += 1;
        }
        match self.peek() {
            None | Some(b'}' | b'#') => Ok(()),
            Some(b'\n' | b';') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => self.wrong("extra characters after command"),
        }
    }

    fn action(&mut self, name: u8) -> Result<Option<Action>> {
        // GNU's `a` knows nothing of `-z`.
        let end = if self.nul { 0 } else { b'\n' };
        let action = match name {
            b'{' => {
                self.open.push(self.commands.len());
                return Ok(Some(Action::Open(0)));
            }
            b'}' => {
                let open = self.open.pop().ok_or("unexpected `}'")?;
                let here = self.commands.len();
                if let Some(command) = self.commands.get_mut(open) {
                    command.action = Action::Open(here);
                }
                return self.ends().map(|()| None);
            }
            b'#' => {
                while self.peek().is_some_and(|byte| byte != b'\n') {
                    self.at += 1;
                }
                return Ok(None);
            }
            b':' => {
                let label = self.word(b"; \t\n\r#");
                if label.is_empty() {
                    return Err("\":\" lacks a label".into());
                }
                self.labels.insert(label, self.commands.len());
                return self.ends().map(|()| None);
            }
            b'a' => return self.text(b'\n').map(|text| Some(Action::Append(text))),
            b'i' => return self.text(end).map(|text| Some(Action::Insert(text))),
            b'c' => return self.text(end).map(|text| Some(Action::Change(text))),
            b'e' => return Ok(Some(Action::Execute(self.line()))),
            b'r' => return self.name().map(|name| Some(Action::Read(name))),
            b'R' => return self.name().map(|name| Some(Action::ReadLine(name))),
            b'w' => return self.file().map(|file| Some(Action::Write(file))),
            b'W' => return self.file().map(|file| Some(Action::WriteFirst(file))),
            b's' => return self.substitute().map(Some),
            b'b' | b't' | b'T' => {
                let label = self.word(b"; \t\n\r}");
                self.jumps.push((self.commands.len(), label));
                match name {
                    b'b' => Action::Branch(0),
                    b't' => Action::BranchIf(0),
                    _ => Action::BranchUnless(0),
                }
            }
            b'y' => self.translate()?,
            b'v' => {
                let version = self.word(b"; \t\n\r");
                let number = |part: &[u8]| std::str::from_utf8(part).ok()?.parse().ok();
                let parts =
                    version.split(|byte| *byte == b'.').map(|part| number(part).unwrap_or(0));
                if parts.gt(VERSION) {
                    return Err("expected newer version of sed".into());
                }
                Action::Nothing
            }
            b'q' | b'Q' | b'l' | b'L' => self.numbered(name)?,
            _ => simple(name)?,
        };
        self.ends().map(|()| Some(action))
    }

    fn numbered(&mut self, name: u8) -> Result<Action> {
        self.skip(b" \t");
        let number = if name == b'l' && self.posix { None } else { self.number() };
        let code = u8::try_from(number.unwrap_or(0) & 0xff).unwrap_or(0);
        Ok(match name {
            b'q' => Action::Quit(code),
            b'Q' => Action::QuitSilently(code),
            b'l' => Action::List(number.and_then(|width| usize::try_from(width).ok())),
            _ => return simple(name),
        })
    }

    fn word(&mut self, ends: &[u8]) -> Vec<u8> {
        self.skip(b" \t");
        let start = self.at;
        while self.peek().is_some_and(|byte| !ends.contains(&byte)) {
            self.at += 1;
        }
        self.source.get(start..self.at).unwrap_or_default().to_vec()
    }

    fn line(&mut self) -> Vec<u8> {
        self.word(b"\n")
    }

    fn name(&mut self) -> Result<String> {
        let name = self.line();
        if name.is_empty() {
            return Err("missing filename in r/R/w/W commands".into());
        }
        String::from_utf8(name).map_err(|_| "a file's name is not UTF-8".into())
    }

    fn file(&mut self) -> Result<usize> {
        let name = self.name()?;
        if let Some(at) = self.files.iter().position(|file| *file == name) {
            return Ok(at);
        }
        self.files.push(name);
        Ok(self.files.len() - 1)
    }
}

fn simple(name: u8) -> Result<Action> {
    Ok(match name {
        b'd' => Action::Delete,
        b'D' => Action::DeleteFirst,
        b'F' => Action::FileName,
        b'g' => Action::Get,
        b'G' => Action::GetAppend,
        b'h' => Action::Hold,
        b'H' => Action::HoldAppend,
        b'n' => Action::Next,
        b'N' => Action::NextAppend,
        b'p' => Action::Print,
        b'P' => Action::PrintFirst,
        b'x' => Action::Exchange,
        b'z' => Action::Zap,
        b'=' => Action::Number,
        other => return Err(format!("unknown command: `{}'", char::from(other))),
    })
}
