//! Text to commands.

mod delimited;

use super::{
    replacement::parts,
    script::{Action, Address, Command, End, Part, Script, Settings, Substitute},
    text::escape,
};
use std::collections::HashMap;

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

/// Parses a script.
pub(crate) fn parse(source: &[u8], settings: &Settings) -> Result<Script, Refused> {
    let (extended, nul) = (settings.extended, settings.nul);
    let mut parser = Parser { source, extended, nul, ..Parser::default() };
    let quiet = source == b"#n" || source.starts_with(b"#n\n");
    while parser.command()? {}
    parser.finish(quiet)
}

#[derive(Default)]
struct Parser<'a> {
    source: &'a [u8],
    at: usize,
    extended: bool,
    /// Lines end with NUL.
    nul: bool,
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

    fn finish(mut self, quiet: bool) -> Result<Script, Refused> {
        if !self.open.is_empty() {
            return Err("unmatched `{'".to_owned().into());
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
        if start.is_some() && matches!(name, b'}' | b':' | b'#') {
            return Err(format!("{} doesn't want any addresses", char::from(name)));
        }
        // Line 0 begins a range that may end on line 1, and says that `r` comes before it.
        let to_match = matches!(end, Some(End::At(Address::Match(_))));
        let before = name == b'r' && end.is_none();
        if matches!(start, Some(Address::Line(0))) && !to_match && !before {
            return Err("invalid usage of line address 0".into());
        }
        if let Some(action) = self.action(name)? {
            self.commands.push(Command { start, end, negated, action });
        }
        Ok(true)
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
            _ => return Ok(None),
        };
        Ok(Some(address))
    }

    fn end(&mut self, start: Option<&Address>) -> Result<Option<End>> {
        self.skip(b" \t");
        let end = if start.is_some() && self.take(b',') {
            self.skip(b" \t");
            Some(if self.take(b'+') {
                End::Plus(self.number().ok_or("expected a number")?)
            } else if self.take(b'~') {
                End::Multiple(self.number().ok_or("expected a number")?)
            } else {
                End::At(self.address()?.ok_or("unexpected `,'")?)
            })
        } else {
            None
        };
        Ok(end)
    }

    /// What may follow a command.
    fn ends(&mut self) -> Result<()> {
        self.skip(b" \t\r");
        match self.peek() {
            None | Some(b'}' | b'#') => Ok(()),
            Some(b'\n' | b';') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err("extra characters after command".into()),
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
                let label = self.word(b"; \t\n\r");
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
                self.word(b"; \t\n\r");
                Action::Nothing
            }
            b'q' | b'Q' | b'l' | b'L' => self.numbered(name)?,
            _ => simple(name)?,
        };
        self.ends().map(|()| Some(action))
    }

    fn numbered(&mut self, name: u8) -> Result<Action> {
        self.skip(b" \t");
        let number = self.number();
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

    /// The text of `a`, `i` and `c`, in both forms.
    fn text(&mut self, end: u8) -> Result<Vec<u8>> {
        self.skip(b" \t");
        if self.peek().is_none() {
            return Err("expected \\ after `a', `c' or `i'".into());
        }
        if self.take(b'\\') {
            let behind = self.at;
            self.skip(b" \t");
            if !self.take(b'\n') {
                self.at = behind;
            }
        }
        let mut text = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'\n' => break,
                b'\\' => {
                    let rest = self.source.get(self.at..).unwrap_or_default();
                    if let Some((byte, length)) = escape(rest) {
                        text.push(byte);
                        self.at += length;
                    } else {
                        text.extend(self.next());
                    }
                }
                byte => text.push(byte),
            }
        }
        text.push(end);
        Ok(text)
    }

    fn translate(&mut self) -> Result<Action> {
        let unterminated = "unterminated `y' command";
        let delimiter = self.next().ok_or(unterminated)?;
        let mut side = || -> Result<Vec<char>> {
            let text = self.until(delimiter, false).ok_or(unterminated)?;
            let mut out = Vec::new();
            let mut rest = text.as_slice();
            while let [first, after @ ..] = rest {
                rest = after;
                if *first != b'\\' {
                    out.push(*first);
                } else if let Some((byte, length)) = escape(after) {
                    out.push(byte);
                    rest = after.get(length..).unwrap_or_default();
                } else if let [b'\\', behind @ ..] = after {
                    out.push(b'\\');
                    rest = behind;
                } else {
                    out.push(b'\\');
                }
            }
            Ok(String::from_utf8_lossy(&out).chars().collect())
        };
        let (from, to) = (side()?, side()?);
        if from.len() != to.len() {
            return Err("strings for `y' command are different lengths".into());
        }
        let mut map = HashMap::new();
        for (from, to) in from.into_iter().zip(to) {
            map.insert(from, to);
        }
        Ok(Action::Translate(map))
    }

    fn substitute(&mut self) -> Result<Action> {
        let unterminated = "unterminated `s' command";
        let delimiter = self.next().ok_or(unterminated)?;
        if matches!(delimiter, b'\n' | b'\\') {
            return Err(unterminated.into());
        }
        let source = self.until(delimiter, true).ok_or(unterminated)?;
        let parts = parts(&self.until(delimiter, false).ok_or(unterminated)?);
        let mut s = Substitute {
            pattern: None,
            parts,
            global: false,
            print: false,
            execute: false,
            nth: 1,
            file: None,
        };
        let mut flags = String::new();
        loop {
            match self.peek() {
                Some(b'g') if s.global => return Err("multiple `g' options to `s' command".into()),
                Some(b'p') if s.print => return Err("multiple `p' options to `s' command".into()),
                Some(b'g') => s.global = true,
                Some(b'p') => s.print = true,
                Some(b'e') => s.execute = true,
                Some(b'i' | b'I') => flags.push('i'),
                Some(b'm' | b'M') => flags.push('m'),
                Some(b'0'..=b'9') => {
                    let nth = self.number().and_then(|n| usize::try_from(n).ok());
                    s.nth = nth.filter(|n| *n > 0).ok_or("number option to `s' may not be zero")?;
                    continue;
                }
                Some(b'w') => {
                    self.at += 1;
                    s.file = Some(self.file()?);
                    break;
                }
                _ => {
                    self.ends().map_err(|_| "unknown option to `s'")?;
                    break;
                }
            }
            self.at += 1;
        }
        if !source.is_empty() {
            let pattern = self.compile(&source, &flags)?;
            let highest = s.parts.iter().filter_map(|part| match part {
                Part::Group(group) => Some(*group),
                _ => None,
            });
            if highest.max().is_some_and(|highest| highest > pattern.groups()) {
                return Err("invalid reference on `s' command's RHS".into());
            }
            s.pattern = Some(pattern);
        }
        Ok(Action::Substitute(Box::new(s)))
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
