//! Characters to tokens.

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Itself. Quoted, it is no pattern and no keyword.
    Text {
        /// The characters.
        text: String,
        /// Whether they were quoted.
        quoted: bool,
    },
    /// A variable's value. Quoted, it stays one word.
    Variable {
        /// Its name, a number, or one of `?`, `*`, `@` and `#`.
        name: String,
        /// Whether it was in double quotes.
        quoted: bool,
    },
}

/// A word before its variables are replaced.
pub(super) type Word = Vec<Part>;

/// The text of a word without anything special.
pub(super) fn plain(word: &Word) -> Option<&str> {
    match word.as_slice() {
        [Part::Text { text, quoted: false }] => Some(text),
        _ => None,
    }
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// The end of a line, or `;`.
    Delimiter,
    Open,
    Close,
    /// One that begins nothing that GRUB has: `|`, `&`, `<`, `>`.
    Other(char),
    /// A quote that is never closed.
    Unclosed,
    End,
}

/// Goes through a text.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Where each line after the first begins.
    lines: Vec<usize>,
    /// The line, from 1.
    pub(super) line: usize,
}

const SPECIAL: &str = "{}|&$;<> \t\n\r'\"\\";

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let lines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, at: 0, lines: lines.map(|(at, _)| at + 1).collect(), line: 1 }
    }

    /// Goes to the beginning of the line after `line`, wherever it is now.
    pub(super) fn go_after(&mut self, line: usize) {
        let next = line.checked_sub(1).and_then(|nth| self.lines.get(nth));
        self.at = next.copied().unwrap_or(self.text.len());
        self.line = line + 1;
    }

    /// How far it is, bytes.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next_char(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.line += usize::from(c == '\n');
        Some(c)
    }

    pub(super) fn token(&mut self) -> Token {
        self.skip_blanks();
        match self.peek() {
            None => Token::End,
            Some('\n' | ';') => {
                self.next_char();
                Token::Delimiter
            }
            Some('{') => {
                self.next_char();
                Token::Open
            }
            Some('}') => {
                self.next_char();
                Token::Close
            }
            Some(c @ ('|' | '&' | '<' | '>')) => {
                self.next_char();
                Token::Other(c)
            }
            Some(_) => self.word().map_or(Token::Unclosed, Token::Word),
        }
    }

    /// Blanks, comments, and ends of lines after a backslash.
    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => drop(self.next_char()),
                Some('\\') if self.rest().starts_with("\\\n") => {
                    self.next_char();
                    self.next_char();
                }
                Some('#') => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                _ => return,
            }
        }
    }

    fn word(&mut self) -> Option<Word> {
        let mut word = Word::new();
        loop {
            match self.peek() {
                Some('\\') => {
                    self.next_char();
                    match self.next_char() {
                        None | Some('\n') => {}
                        Some(c) => push(&mut word, &c.to_string(), true),
                    }
                }
                Some('\'') => {
                    self.next_char();
                    let end = self.rest().find('\'')?;
                    let text = self.rest().get(..end)?;
                    push(&mut word, text, true);
                    self.line += text.matches('\n').count();
                    self.at += end + 1;
                }
                Some('"') => {
                    self.next_char();
                    self.double_quoted(&mut word)?;
                }
                Some('$') => self.variable(&mut word, false),
                Some(c) if !SPECIAL.contains(c) => {
                    let rest = self.rest();
                    let end = rest.find(|c| SPECIAL.contains(c)).unwrap_or(rest.len());
                    push(&mut word, rest.get(..end)?, false);
                    self.at += end;
                }
                _ => return Some(word),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Word) -> Option<()> {
        // Also of nothing a word is made.
        push(word, "", true);
        loop {
            match self.peek()? {
                '"' => {
                    self.next_char();
                    return Some(());
                }
                '\\' => {
                    self.next_char();
                    match self.next_char()? {
                        '\n' => {}
                        c @ ('"' | '$' | '\\') => push(word, &c.to_string(), true),
                        c => push(word, &format!("\\{c}"), true),
                    }
                }
                '$' => self.variable(word, true),
                _ => {
                    let rest = self.rest();
                    let end = rest.find(['"', '\\', '$']).unwrap_or(rest.len());
                    let text = rest.get(..end)?;
                    push(word, text, true);
                    self.line += text.matches('\n').count();
                    self.at += end;
                }
            }
        }
    }

    /// `$name`, `${name}`; a `$` that is followed by neither is itself.
    fn variable(&mut self, word: &mut Word, quoted: bool) {
        self.next_char();
        let rest = self.rest();
        let braced = rest.strip_prefix('{').and_then(|rest| {
            let name = name(rest);
            rest.get(name.len()..)?.starts_with('}').then_some(name)
        });
        let (name, length) = match braced {
            Some(name) => (name, name.len() + 2),
            None => (name(rest), name(rest).len()),
        };
        if name.is_empty() {
            push(word, "$", quoted);
            return;
        }
        self.at += length;
        word.push(Part::Variable { name: name.to_owned(), quoted });
    }
}

/// The variable's name that a text begins with.
fn name(text: &str) -> &str {
    let end = match text.chars().next() {
        Some('?' | '*' | '@' | '#') => 1,
        Some(c) if c.is_ascii_digit() => {
            text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
        }
        Some(c) if c.is_ascii_alphabetic() || c == '_' => {
            text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
        }
        _ => 0,
    };
    text.get(..end).unwrap_or_default()
}

fn push(word: &mut Word, more: &str, is_quoted: bool) {
    match word.last_mut() {
        Some(Part::Text { text, quoted }) if *quoted == is_quoted => text.push_str(more),
        _ => word.push(Part::Text { text: more.to_owned(), quoted: is_quoted }),
    }
}
