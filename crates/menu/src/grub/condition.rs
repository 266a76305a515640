//! `test`, also called `[`.

use super::run::Machine;
use crate::files::What;
use std::cmp::Ordering;

/// How deep parentheses are at most.
const MAX_DEPTH: usize = 30;

/// Whether the expression is true.
pub(super) fn is_true(machine: &Machine<'_>, words: &[String]) -> bool {
    let mut test = Test { machine, words, at: 0, depth: 0 };
    test.either()
}

struct Test<'a> {
    machine: &'a Machine<'a>,
    words: &'a [String],
    at: usize,
    depth: usize,
}

impl Test<'_> {
    fn word(&self, ahead: usize) -> Option<&str> {
        self.words.get(self.at + ahead).map(String::as_str)
    }

    /// One of those that `-o` is between.
    fn either(&mut self) -> bool {
        let mut result = self.both();
        while self.word(0) == Some("-o") {
            self.at += 1;
            result |= self.both();
        }
        result
    }

    /// All of those that `-a` is between.
    fn both(&mut self) -> bool {
        let mut result = self.term();
        loop {
            match self.word(0) {
                None | Some("-o" | ")") => return result,
                Some("-a") => self.at += 1,
                // Two expressions without anything between them are as if `-a` were there.
                Some(_) => {}
            }
            result &= self.term();
        }
    }

    fn term(&mut self) -> bool {
        if let (Some(left), Some(operator), Some(right)) =
            (self.word(0), self.word(1), self.word(2))
            && let Some(result) = self.binary(left, operator, right)
        {
            self.at += 3;
            return result;
        }
        let negations = self.negations();
        if negations > 0 {
            self.at += negations;
            return self.term() ^ (negations % 2 == 1);
        }
        match (self.word(0), self.word(1)) {
            (None, _) => false,
            (Some("("), _) if self.depth < MAX_DEPTH => {
                self.at += 1;
                self.depth += 1;
                let result = self.either();
                self.depth -= 1;
                self.at += usize::from(self.word(0) == Some(")"));
                result
            }
            (Some(operator), Some(operand)) if is_unary(operator) => {
                let result = self.unary(operator, operand);
                self.at += 2;
                result
            }
            (Some(text), _) => {
                let result = !text.is_empty();
                self.at += 1;
                result
            }
        }
    }

    /// How many `!` come first, up to one that is compared with something.
    fn negations(&self) -> usize {
        let is_negation = |ahead: &usize| {
            let operator = self.word(ahead + 1).unwrap_or_default();
            let compared = *ahead > 0
                && self
                    .word(ahead + 2)
                    .is_some_and(|right| self.binary("!", operator, right).is_some());
            self.word(*ahead) == Some("!") && !compared
        };
        (0..self.words.len()).take_while(is_negation).count()
    }

    fn unary(&self, operator: &str, operand: &str) -> bool {
        let what = || {
            let place = self.machine.place(operand).ok()?;
            self.machine.files.what(&place)
        };
        match operator {
            "-n" => !operand.is_empty(),
            "-z" => operand.is_empty(),
            "-e" => what().is_some(),
            "-d" => what() == Some(What::Folder),
            "-f" => matches!(what(), Some(What::File(_))),
            _ => what().is_some_and(|what| what != What::File(0)),
        }
    }

    fn binary(&self, left: &str, operator: &str, right: &str) -> Option<bool> {
        let texts = || left.cmp(right);
        let numbers = || number(left).cmp(&number(right));
        let tails = || {
            let (left, right) = without_beginning(left, right);
            number(left).cmp(&number(right))
        };
        Some(match operator {
            "=" | "==" => left == right,
            "!=" => left != right,
            "<" => texts() == Ordering::Less,
            "<=" => texts() != Ordering::Greater,
            ">" => texts() == Ordering::Greater,
            ">=" => texts() != Ordering::Less,
            "-eq" => numbers() == Ordering::Equal,
            "-ne" => numbers() != Ordering::Equal,
            "-lt" => numbers() == Ordering::Less,
            "-le" => numbers() != Ordering::Greater,
            "-gt" => numbers() == Ordering::Greater,
            "-ge" => numbers() != Ordering::Less,
            "-pgt" => tails() == Ordering::Greater,
            "-plt" => tails() == Ordering::Less,
            // Files have no times here.
            "-nt" | "-ot" => false,
            _ => return None,
        })
    }
}

fn is_unary(word: &str) -> bool {
    matches!(word, "-n" | "-z" | "-e" | "-d" | "-f" | "-s")
}

/// As much of a text as is a number; 0 when nothing is.
fn number(text: &str) -> i64 {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None => (10, digits),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let number = digits.get(..end).and_then(|digits| i64::from_str_radix(digits, radix).ok());
    sign * number.unwrap_or(0)
}

/// Both without what they begin with in common.
fn without_beginning<'a>(left: &'a str, right: &'a str) -> (&'a str, &'a str) {
    let same = left.chars().zip(right.chars()).take_while(|(a, b)| a == b);
    let length = same.map(|(c, _)| c.len_utf8()).sum();
    (left.get(length..).unwrap_or_default(), right.get(length..).unwrap_or_default())
}
