//! Tokens to commands.

use super::lex::{Lexer, Token, Word, plain};
use std::rc::Rc;

/// Commands in order.
pub(super) type List = Vec<Command>;

/// A command, and the line where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A command's name with its arguments; the last of them may be a block of commands.
    Simple { words: Vec<Word>, block: Option<Rc<List>> },
    /// Conditions with what each is for, and what is done when none is true.
    If { arms: Vec<(List, List)>, otherwise: List },
    /// A variable that takes each value.
    For { name: String, words: Vec<Word>, body: List },
    /// Again as long as a condition is true, or is false.
    While { until: bool, condition: List, body: List },
    /// A name for commands.
    Function { name: String, body: Rc<List> },
}

/// What is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) what: String,
}

/// How deep commands are in one another at most.
const MAX_DEPTH: usize = 50;

/// How often a text may be gone through, on average, because something in it is never closed.
const MAX_PASSES: usize = 20;

/// More faults of one file say nothing new.
const MAX_FAULTS: usize = 20;

/// Words that end a list of commands where a command could begin.
const CLOSERS: [&str; 6] = ["then", "elif", "else", "fi", "do", "done"];

/// Every command of a text that is well-formed, and what is not.
pub(super) fn parse(text: &str) -> (List, Vec<Fault>) {
    let mut parser = Parser { lexer: Lexer::new(text), token: Token::End, line: 1, depth: 0 };
    let (mut list, mut faults) = (List::new(), Vec::<Fault>::new());
    let mut left = text.len().saturating_mul(MAX_PASSES);
    parser.advance();
    loop {
        while parser.token == Token::Delimiter {
            parser.advance();
        }
        if parser.token == Token::End {
            return (list, faults);
        }
        let (line, from) = (parser.line, parser.lexer.position());
        let wrong = match parser.command() {
            Ok(command) => match parser.end_of_command() {
                Ok(()) => {
                    list.push(command);
                    continue;
                }
                Err(wrong) => wrong,
            },
            Err(wrong) => wrong,
        };
        left = left.saturating_sub(parser.lexer.position().saturating_sub(from) + 1);
        // What was opened and never closed would swallow all that follows: it is only the line that is lost.
        let lost = if wrong.unclosed { line } else { wrong.fault.line };
        // The end of something that was not understood is no fault of its own.
        if (faults.is_empty() || !wrong.closer) && faults.len() < MAX_FAULTS {
            faults.push(if wrong.unclosed { Fault { line, ..wrong.fault } } else { wrong.fault });
        }
        if left == 0 {
            let what = "too much is not closed; the rest is left out".to_owned();
            faults.push(Fault { line, what });
            return (list, faults);
        }
        parser.lexer.go_after(lost);
        parser.depth = 0;
        parser.advance();
    }
}

/// What is wrong, and how much it concerns.
struct Wrong {
    fault: Fault,
    /// The text ends before something that began.
    unclosed: bool,
    /// Something ends that had not begun.
    closer: bool,
}

type Parsed<T> = Result<T, Wrong>;

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    /// Where the token begins.
    line: usize,
    depth: usize,
}

impl Parser<'_> {
    fn advance(&mut self) -> Token {
        self.line = self.lexer.line;
        let token = self.lexer.token();
        std::mem::replace(&mut self.token, token)
    }

    fn wrong<T>(&self, what: impl Into<String>) -> Parsed<T> {
        let unclosed = matches!(self.token, Token::End | Token::Unclosed);
        Err(Wrong { fault: Fault { line: self.line, what: what.into() }, unclosed, closer: false })
    }

    fn unexpected<T>(&self) -> Parsed<T> {
        let (what, closer) = match &self.token {
            Token::Word(word) => {
                let word = plain(word).unwrap_or("a word");
                (format!("unexpected {word:?}"), CLOSERS.contains(&word))
            }
            Token::Delimiter => ("the line ends too early".to_owned(), false),
            Token::Open => ("unexpected '{'".to_owned(), false),
            Token::Close => ("unexpected '}'".to_owned(), true),
            Token::Other(c) => (format!("GRUB has no {c:?}; it must be quoted"), false),
            Token::Unclosed => ("a quote is not closed".to_owned(), false),
            Token::End => ("the file ends before it is closed".to_owned(), false),
        };
        self.wrong(what).map_err(|wrong| Wrong { closer, ..wrong })
    }

    fn keyword(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) => plain(word),
            _ => None,
        }
    }

    fn skip_delimiters(&mut self) {
        while self.token == Token::Delimiter {
            self.advance();
        }
    }

    /// Takes this word or fails.
    fn expect(&mut self, word: &str) -> Parsed<()> {
        if self.keyword() == Some(word) {
            self.advance();
            return Ok(());
        }
        self.unexpected()
    }

    fn end_of_command(&self) -> Parsed<()> {
        match self.token {
            Token::Delimiter | Token::End => Ok(()),
            _ => self.unexpected(),
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        if self.depth >= MAX_DEPTH {
            return self.wrong(format!("commands are more than {MAX_DEPTH} deep in one another"));
        }
        self.depth += 1;
        let line = self.line;
        let what = match self.keyword() {
            Some("if") => self.conditional(),
            Some("for") => self.every(),
            Some("while") => self.repeated(false),
            Some("until") => self.repeated(true),
            Some("function") => self.function(),
            Some(word) if CLOSERS.contains(&word) => self.unexpected(),
            _ => self.simple(),
        };
        self.depth -= 1;
        Ok(Command { line, what: what? })
    }

    fn simple(&mut self) -> Parsed<What> {
        let mut words = Vec::new();
        while let Token::Word(_) = self.token {
            if let Token::Word(word) = self.advance() {
                words.push(word);
            }
        }
        if words.is_empty() {
            return self.unexpected();
        }
        let block = if self.token == Token::Open { Some(Rc::new(self.block()?)) } else { None };
        match self.token {
            Token::Other(_) | Token::Unclosed => self.unexpected(),
            _ => Ok(What::Simple { words, block }),
        }
    }

    /// `{ ... }`
    fn block(&mut self) -> Parsed<List> {
        if self.token != Token::Open {
            return self.unexpected();
        }
        self.advance();
        let list = self.list(&[], true)?;
        self.advance();
        Ok(list)
    }

    /// Commands up to one of the words, or to `}`; what ended it is left.
    fn list(&mut self, ends: &[&str], braced: bool) -> Parsed<List> {
        let mut list = List::new();
        loop {
            self.skip_delimiters();
            let ended = match &self.token {
                Token::Close => braced,
                _ => self.keyword().is_some_and(|word| ends.contains(&word)),
            };
            if ended {
                return Ok(list);
            }
            list.push(self.command()?);
            // A command in a block may end with the block.
            if !(braced && self.token == Token::Close) {
                self.end_of_command()?;
            }
        }
    }

    fn conditional(&mut self) -> Parsed<What> {
        let mut arms = Vec::new();
        loop {
            self.advance();
            let condition = self.list(&["then"], false)?;
            self.expect("then")?;
            let body = self.list(&["elif", "else", "fi"], false)?;
            arms.push((condition, body));
            if self.keyword() != Some("elif") {
                break;
            }
        }
        let mut otherwise = List::new();
        if self.keyword() == Some("else") {
            self.advance();
            otherwise = self.list(&["fi"], false)?;
        }
        self.expect("fi")?;
        Ok(What::If { arms, otherwise })
    }

    fn every(&mut self) -> Parsed<What> {
        self.advance();
        let Some(name) = self.keyword().map(str::to_owned) else { return self.unexpected() };
        self.advance();
        self.expect("in")?;
        let mut words = Vec::new();
        while let Token::Word(_) = self.token {
            if let Token::Word(word) = self.advance() {
                words.push(word);
            }
        }
        self.skip_delimiters();
        let body = self.between_do_and_done()?;
        Ok(What::For { name, words, body })
    }

    fn repeated(&mut self, until: bool) -> Parsed<What> {
        self.advance();
        let condition = self.list(&["do"], false)?;
        let body = self.between_do_and_done()?;
        Ok(What::While { until, condition, body })
    }

    fn between_do_and_done(&mut self) -> Parsed<List> {
        self.expect("do")?;
        let body = self.list(&["done"], false)?;
        self.expect("done")?;
        Ok(body)
    }

    fn function(&mut self) -> Parsed<What> {
        self.advance();
        let Some(name) = self.keyword().map(str::to_owned) else { return self.unexpected() };
        self.advance();
        self.skip_delimiters();
        let body = Rc::new(self.block()?);
        Ok(What::Function { name, body })
    }
}
