//! Keys as commands: `"a2d3w` is one. No state: the same keys are always the same command.

use crate::terminal::Key;

/// What is done with a stretch of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Delete,
    Change,
    Yank,
    Right,
    Left,
}

/// A whole command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) register: Option<char>,
    pub(crate) count: Option<usize>,
    pub(crate) op: Option<Op>,
    /// The motion after an operator, or the command itself.
    pub(crate) key: Key,
    /// The character that some keys take.
    pub(crate) arg: Option<Key>,
    /// The pattern of `/` and `?`.
    pub(crate) pattern: Option<String>,
}

/// What keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The beginning of a command.
    Part,
    Command(Command),
    Nothing,
}

/// The greatest count.
const MOST: usize = 99_999_999;

/// Reads keys; with `visual`, operators need no motion.
pub(crate) fn parse(keys: &[Key], visual: bool) -> Parsed {
    let mut command = Command {
        register: None,
        count: None,
        op: None,
        key: Key::Unknown,
        arg: None,
        pattern: None,
    };
    let mut rest = keys.iter().copied();
    loop {
        let Some(key) = rest.next() else { return Parsed::Part };
        match key {
            Key::Char('"') if command.op.is_none() => match rest.next() {
                Some(Key::Char(name)) => command.register = Some(name),
                Some(_) => return Parsed::Nothing,
                None => return Parsed::Part,
            },
            Key::Char(digit @ '1'..='9') => {
                if count(digit, &mut rest, &mut command) {
                    return Parsed::Part;
                }
            }
            Key::Char(letter) if !visual && command.op.is_none() && op(letter).is_some() => {
                command.op = op(letter);
            }
            key => return finish(command, key, rest, visual),
        }
    }
}

/// Digits until a key that is none is next; true when that has not come.
fn count(
    first: char,
    rest: &mut (impl Iterator<Item = Key> + Clone),
    command: &mut Command,
) -> bool {
    let value = |digit: char| digit.to_digit(10).unwrap_or(0) as usize;
    let mut number = value(first);
    loop {
        match rest.clone().next() {
            None => return true,
            Some(Key::Char(digit @ '0'..='9')) => {
                number = number.saturating_mul(10).saturating_add(value(digit)).min(MOST);
                rest.next();
            }
            // Counts before and after an operator are multiplied.
            Some(_) => {
                let before = command.count.unwrap_or(1);
                command.count = Some(before.saturating_mul(number).min(MOST));
                return false;
            }
        }
    }
}

fn op(letter: char) -> Option<Op> {
    Some(match letter {
        'd' => Op::Delete,
        'c' => Op::Change,
        'y' => Op::Yank,
        '>' => Op::Right,
        '<' => Op::Left,
        _ => return None,
    })
}

fn finish(
    mut command: Command,
    key: Key,
    mut rest: impl Iterator<Item = Key>,
    visual: bool,
) -> Parsed {
    command.key = key;
    let takes = match key {
        Key::Char('f' | 'F' | 't' | 'T' | '\'' | '`' | 'g') => true,
        Key::Char('r' | 'm' | 'z' | 'Z') => command.op.is_none(),
        // A word or what is between quotes or brackets.
        Key::Char('i' | 'a') => command.op.is_some() || visual,
        _ => false,
    };
    if takes {
        match rest.next() {
            None => return Parsed::Part,
            Some(Key::Escape) => return Parsed::Nothing,
            arg => command.arg = arg,
        }
    }
    match (key, command.op) {
        (Key::Escape, _) => Parsed::Nothing,
        (Key::Char(letter), Some(now)) if op(letter).is_some_and(|op| op != now) => Parsed::Nothing,
        _ => Parsed::Command(command),
    }
}

impl Command {
    pub(crate) fn times(&self) -> usize {
        self.count.unwrap_or(1)
    }

    /// Whether the operator is doubled: whole lines.
    pub(crate) fn is_lines(&self) -> bool {
        matches!((self.op, self.key), (Some(now), Key::Char(letter)) if op(letter) == Some(now))
    }

    /// Short forms as what they stand for: `x` is `dl`.
    pub(crate) fn long(mut self) -> Self {
        let (op, key) = match (self.op, self.key) {
            (None, Key::Char('x') | Key::Delete) => (Op::Delete, 'l'),
            (None, Key::Char('X')) => (Op::Delete, 'h'),
            (None, Key::Char('D')) => (Op::Delete, '$'),
            (None, Key::Char('C')) => (Op::Change, '$'),
            (None, Key::Char('s')) => (Op::Change, 'l'),
            (None, Key::Char('S')) => (Op::Change, 'c'),
            (None, Key::Char('Y')) => (Op::Yank, 'y'),
            _ => return self,
        };
        self.op = Some(op);
        self.key = Key::Char(key);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &str) -> Parsed {
        let keys: Vec<Key> = keys.chars().map(Key::Char).collect();
        parse(&keys, false)
    }

    #[test]
    fn counts_are_multiplied() {
        let Parsed::Command(command) = read("\"a2d30w") else { panic!() };
        assert_eq!(
            (command.register, command.times(), command.op),
            (Some('a'), 60, Some(Op::Delete))
        );
        assert_eq!(read("2d3"), Parsed::Part);
        assert_eq!(read("d"), Parsed::Part);
        assert_eq!(read("dy"), Parsed::Nothing);
        assert_eq!(read("f"), Parsed::Part);
        let Parsed::Command(command) = read("3dd") else { panic!() };
        assert!(command.is_lines());
        let Parsed::Command(command) = read("0") else { panic!() };
        assert_eq!(command.key, Key::Char('0'));
    }
}
