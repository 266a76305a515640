//! Source text to words.

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Num(f64),
    Str(Vec<u8>),
    Name(String),
    /// A name with `(` right behind it.
    Func(String),
    Word(&'static str),
    /// An operator or a sign.
    Op(&'static str),
    Newline,
    End,
}

const WORDS: [&str; 20] = [
    "BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue",
    "next", "nextfile", "exit", "return", "delete", "in", "getline", "print", "printf",
];

/// The longest first.
const OPS: [&str; 45] = [
    "**=", "&&", "||", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "**", "==", "<=", ">=",
    "!=", "!~", ">>", "|&", "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^",
    "!", "<", ">", "|", "?", ":", "~", "$", "=", "@", "&", "\\",
];

/// A place in the source.
#[derive(Clone, Copy)]
pub(crate) struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    /// From 1.
    pub(crate) line: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(source: &'a [u8]) -> Self {
        Self { source, at: 0, line: 1 }
    }

    fn rest(&self) -> &'a [u8] {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self) {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r', ..] => self.at += 1,
                [b'\\', b'\n', ..] => (self.at, self.line) = (self.at + 2, self.line + 1),
                [b'\\', b'\r', b'\n', ..] => (self.at, self.line) = (self.at + 3, self.line + 1),
                [b'#', ..] => {
                    self.at +=
                        self.rest().iter().position(|b| *b == b'\n').unwrap_or(self.rest().len());
                }
                _ => return,
            }
        }
    }

    /// Whether the next word is `getline`.
    pub(crate) fn at_getline(&self) -> bool {
        let mut ahead = *self;
        matches!(ahead.next(), Ok(Token::Word("getline")))
    }

    /// The next word.
    pub(crate) fn next(&mut self) -> Result<Token, String> {
        self.skip();
        let rest = self.rest();
        match rest {
            [] => Ok(Token::End),
            [b'\n', ..] => {
                (self.at, self.line) = (self.at + 1, self.line + 1);
                Ok(Token::Newline)
            }
            [b'"', ..] => self.string(),
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => Ok(self.number()),
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => Ok(self.name()),
            _ => match OPS.iter().find(|op| rest.starts_with(op.as_bytes())) {
                Some(op) => {
                    self.at += op.len();
                    Ok(Token::Op(match *op {
                        "**" => "^",
                        "**=" => "^=",
                        op => op,
                    }))
                }
                None => Err(format!(
                    "a character that means nothing: {:?}",
                    rest.first().map(|b| char::from(*b))
                )),
            },
        }
    }

    fn name(&mut self) -> Token {
        let rest = self.rest();
        let end = rest
            .iter()
            .position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        self.at += end;
        let name = String::from_utf8_lossy(name).into_owned();
        match WORDS.iter().find(|word| **word == name) {
            Some(word) => Token::Word(if *word == "func" { "function" } else { word }),
            None if after.first() == Some(&b'(') => Token::Func(name),
            // A function of the language may stand apart from its arguments.
            None if super::ast::Builtin::named(&name).is_some()
                && after.iter().find(|b| !matches!(b, b' ' | b'\t')) == Some(&b'(') =>
            {
                Token::Func(name)
            }
            None => Token::Name(name),
        }
    }

    fn number(&mut self) -> Token {
        let rest = self.rest();
        if let [b'0', b'x' | b'X', hex @ ..] = rest {
            let end = hex.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(hex.len());
            if end > 0 {
                self.at += 2 + end;
                return Token::Num(super::value::hex(hex.get(..end).unwrap_or_default()));
            }
        }
        let (number, length) = super::value::number_prefix(rest);
        self.at += length.max(1);
        match rest.get(..length) {
            // As in C, and in GNU's: a constant of the program, not of the data.
            Some([b'0', octal @ ..])
                if !octal.is_empty() && octal.iter().all(|b| matches!(b, b'0'..=b'7')) =>
            {
                let digit = |byte: &u8| f64::from(byte - b'0');
                Token::Num(octal.iter().fold(0.0, |value, byte| value * 8.0 + digit(byte)))
            }
            _ => Token::Num(number),
        }
    }

    fn string(&mut self) -> Result<Token, String> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.rest() {
                [] | [b'\n', ..] => return Err("a string without its end".into()),
                [b'"', ..] => {
                    self.at += 1;
                    return Ok(Token::Str(out));
                }
                [b'\\', b'\n', ..] => (self.at, self.line) = (self.at + 2, self.line + 1),
                [b'\\', after @ ..] => {
                    let (bytes, length) = escape(after);
                    out.extend(bytes);
                    self.at += 1 + length;
                }
                [byte, ..] => {
                    out.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    /// An expression between slashes, the first of which is behind us.
    pub(crate) fn regex(&mut self) -> Result<Vec<u8>, String> {
        let (mut out, mut bracket) = (Vec::new(), false);
        loop {
            match self.rest() {
                [] | [b'\n', ..] => return Err("a regular expression without its end".into()),
                [b'/', ..] if !bracket => {
                    self.at += 1;
                    return Ok(out);
                }
                [b'\\', b'/', ..] => {
                    out.push(b'/');
                    self.at += 2;
                }
                [b'\\', next, ..] => {
                    out.extend([b'\\', *next]);
                    self.at += 2;
                }
                [b'[', after @ ..] if !bracket => {
                    bracket = true;
                    let first = after.strip_prefix(b"^").unwrap_or(after);
                    let length = 1
                        + usize::from(after.len() > first.len())
                        + usize::from(first.starts_with(b"]"));
                    out.extend(self.rest().iter().take(length));
                    self.at += length;
                }
                [b'[', b':', ..] if bracket => {
                    let end = self
                        .rest()
                        .windows(2)
                        .position(|pair| pair == b":]")
                        .map_or(2, |at| at + 2);
                    out.extend(self.rest().iter().take(end));
                    self.at += end;
                }
                [byte, ..] => {
                    bracket &= *byte != b']';
                    out.push(*byte);
                    self.at += 1;
                }
            }
        }
    }
}

/// What stands behind a backslash in a string: its bytes, and how much of the source it was.
pub(crate) fn escape(after: &[u8]) -> (Vec<u8>, usize) {
    let simple = |byte| (vec![byte], 1);
    match after {
        [b'n', ..] => simple(b'\n'),
        [b't', ..] => simple(b'\t'),
        [b'r', ..] => simple(b'\r'),
        [b'a', ..] => simple(7),
        [b'b', ..] => simple(8),
        [b'v', ..] => simple(11),
        [b'f', ..] => simple(12),
        [b'x', hex @ ..] => {
            let count = hex.iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
            let value = super::value::hex(hex.get(..count).unwrap_or_default());
            if count == 0 { (b"\\x".to_vec(), 1) } else { (vec![value as u8], 1 + count) }
        }
        [b'0'..=b'7', ..] => {
            let count = after.iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            let digits = after.iter().take(count);
            let value = digits.fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            (vec![value.to_le_bytes()[0]], count)
        }
        // Also what means something in an expression: `"\."` is any character, as GNU's and busybox's have it.
        [c, ..] => simple(*c),
        [] => (vec![b'\\'], 0),
    }
}
