//! The command line: options, starting points, and the expression, whose words look like options.

use super::{
    expression::{Action, Expr},
    outputs::{Output, Outputs},
    primaries,
    walk::{Links, Plan},
};
use std::{ffi::OsString, os::unix::ffi::OsStrExt as _};

/// What is wrong with a command line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub(crate) struct Wrong(pub(crate) String);

pub(crate) fn wrong<T>(text: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong(text.into()))
}

/// A command line that was understood.
pub(crate) struct Search {
    pub(crate) plan: Plan,
    pub(crate) roots: Vec<OsString>,
    /// Where starting points are read from, each ended by a zero byte.
    pub(crate) roots_from: Option<OsString>,
    pub(crate) expression: Expr,
}

/// What is left of the words, and what the words so far have set.
pub(crate) struct Parser<'a> {
    words: &'a [OsString],
    at: usize,
    pub(crate) plan: Plan,
    pub(crate) outputs: &'a mut Outputs,
    pub(crate) roots_from: Option<OsString>,
    pub(crate) regex: primaries::RegexType,
    /// Seconds since 1970 that ages are counted back from.
    pub(crate) now: f64,
    pub(crate) deletes: bool,
    pub(crate) says_depth: bool,
    prunes: bool,
}

/// Reads a command line. What is to be printed to is opened.
pub(crate) fn parse(words: &[OsString], outputs: &mut Outputs) -> anyhow::Result<Search> {
    let mut links = Links::None;
    let mut at = 0;
    while let Some(word) = words.get(at).map(|word| word.as_bytes()) {
        match word {
            b"-H" => links = Links::Roots,
            b"-L" => links = Links::All,
            b"-P" => links = Links::None,
            // What is found does not depend on either.
            b"-D" => at += 1,
            [b'-', b'O', level @ ..]
                if !level.is_empty() && level.iter().all(u8::is_ascii_digit) => {}
            b"--" => {
                at += 1;
                break;
            }
            _ => break,
        }
        at += 1;
    }
    let mut roots = Vec::new();
    // `)` and `,` stand at the beginning of no expression.
    let begins =
        |word: &[u8]| matches!(word, b"(" | b"!") || (word.len() > 1 && word.starts_with(b"-"));
    while let Some(word) = words.get(at).filter(|word| !begins(word.as_bytes())) {
        roots.push(word.clone());
        at += 1;
    }
    let plan = Plan {
        links,
        inner_first: false,
        least: 0,
        most: u64::MAX,
        one_file_system: false,
        races: false,
    };
    let mut parser = Parser {
        words,
        at,
        plan,
        outputs,
        roots_from: None,
        regex: primaries::RegexType::default(),
        now: primaries::now(),
        deletes: false,
        says_depth: false,
        prunes: false,
    };
    let given = if parser.peek().is_some() { Some(parser.list()?) } else { None };
    match parser.peek() {
        Some(b")") => wrong("invalid expression; you have too many ')'")?,
        Some(word) => {
            wrong(format!("paths must precede expression: '{}'", String::from_utf8_lossy(word)))?
        }
        None => {}
    }
    if parser.deletes && parser.prunes && !parser.says_depth {
        wrong(
            "The -delete action automatically turns on -depth, but -prune does nothing when -depth is in effect. \
             If you want to carry on anyway, just explicitly use the -depth option.",
        )?;
    }
    let Parser { plan, roots_from, .. } = parser;
    if roots_from.is_some() && !roots.is_empty() {
        wrong("file operands cannot be combined with -files0-from")?;
    }
    if roots.is_empty() && roots_from.is_none() {
        roots.push(".".into());
    }
    Ok(Search { plan, roots, roots_from, expression: printing(given) })
}

/// What says nothing of what is to be done prints.
fn printing(given: Option<Expr>) -> Expr {
    let print = Expr::Do(Action::Print(Output::STANDARD, b'\n'));
    let Some(given) = given else { return print };
    let silent =
        given.actions().iter().all(|action| matches!(action, Action::Prune | Action::Quit));
    if silent { Expr::And(vec![given, print]) } else { given }
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a [u8]> {
        self.words.get(self.at).map(|word| word.as_bytes())
    }

    /// The next word.
    pub(crate) fn next(&mut self) -> Option<&'a OsString> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    /// `a , b`
    fn list(&mut self) -> anyhow::Result<Expr> {
        let mut all = vec![self.any()?];
        while self.peek() == Some(b",") {
            self.at += 1;
            self.operand(",")?;
            all.push(self.any()?);
        }
        Ok(single(all, Expr::List))
    }

    /// `a -o b`
    fn any(&mut self) -> anyhow::Result<Expr> {
        let mut all = vec![self.all()?];
        while matches!(self.peek(), Some(b"-o" | b"-or")) {
            self.at += 1;
            self.operand("-o")?;
            all.push(self.all()?);
        }
        Ok(single(all, Expr::Or))
    }

    /// `a b`, `a -a b`
    fn all(&mut self) -> anyhow::Result<Expr> {
        let mut all = vec![self.one()?];
        loop {
            match self.peek() {
                Some(b"-a" | b"-and") => {
                    self.at += 1;
                    self.operand("-a")?;
                }
                None | Some(b"-o" | b"-or" | b"," | b")") => return Ok(single(all, Expr::And)),
                Some(_) => {}
            }
            all.push(self.one()?);
        }
    }

    /// Something must follow an operator.
    fn operand(&self, operator: &str) -> Result<(), Wrong> {
        match self.peek() {
            None => wrong(format!("expected an expression after '{operator}'")),
            Some(b")") => wrong(format!("expected an expression between '{operator}' and ')'")),
            Some(_) => Ok(()),
        }
    }

    fn one(&mut self) -> anyhow::Result<Expr> {
        let Some(word) = self.next() else { wrong("invalid expression; it ends too early")? };
        match word.as_bytes() {
            b"!" | b"-not" => {
                self.operand(&word.to_string_lossy())?;
                Ok(Expr::Not(Box::new(self.one()?)))
            }
            b"(" => {
                if self.peek() == Some(b")") {
                    wrong("invalid expression; empty parentheses are not allowed.")?;
                }
                if self.peek().is_none() {
                    wrong(
                        "invalid expression; expected to find a ')' but didn't see one. Perhaps you need an extra predicate after '('",
                    )?;
                }
                let inner = self.list()?;
                if self.peek() != Some(b")") {
                    wrong(
                        "invalid expression; I was expecting to find a ')' somewhere but did not see one.",
                    )?;
                }
                self.at += 1;
                Ok(inner)
            }
            b")" => wrong("invalid expression; you have too many ')'")?,
            b"-a" | b"-and" | b"-o" | b"-or" | b"," => wrong(format!(
                "invalid expression; you have used a binary operator '{}' with nothing before it.",
                word.to_string_lossy()
            ))?,
            [b'-', _, ..] => {
                self.prunes |= word == "-prune";
                primaries::read(self, &word.to_string_lossy())
            }
            _ => wrong(format!("paths must precede expression: '{}'", word.to_string_lossy()))?,
        }
    }
}

/// What has one part is that part.
fn single(mut all: Vec<Expr>, several: fn(Vec<Expr>) -> Expr) -> Expr {
    match (all.len(), all.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            all.extend(last);
            several(all)
        }
    }
}
