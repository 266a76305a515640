//! What was cut and copied.

use std::collections::BTreeMap;

/// Cut or copied text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Register {
    /// Lines are separated by `\n`; whole lines all end with one.
    pub(crate) text: Vec<u8>,
    /// Whole lines.
    pub(crate) lines: bool,
}

/// All of them; the unnamed one is what was written last.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    named: BTreeMap<char, Register>,
    last: char,
}

impl Registers {
    /// What `p` puts.
    pub(crate) fn get(&self, name: Option<char>) -> Option<&Register> {
        let name = match name {
            None | Some('"') => self.last,
            Some(name) => name.to_ascii_lowercase(),
        };
        self.named.get(&name)
    }

    /// All, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (char, &Register)> {
        self.named.iter().map(|(name, register)| (*name, register))
    }

    fn named(&mut self, name: char, what: Register) {
        let lower = name.to_ascii_lowercase();
        self.last = lower;
        match self.named.get_mut(&lower).filter(|_| name.is_ascii_uppercase()) {
            Some(old) => {
                if what.lines && !old.lines {
                    old.text.push(b'\n');
                    old.lines = true;
                }
                old.text.extend(&what.text);
                if old.lines && !old.text.ends_with(b"\n") {
                    old.text.push(b'\n');
                }
            }
            None => {
                self.named.insert(lower, what);
            }
        }
    }

    /// Takes what was copied.
    pub(crate) fn yank(&mut self, name: Option<char>, what: Register) {
        match name {
            Some('_') => {}
            Some(name) if name.is_ascii_alphanumeric() => self.named(name, what),
            _ => self.named('0', what),
        }
    }

    /// Takes what was cut; `large` is what goes through the numbered ones.
    pub(crate) fn cut(&mut self, name: Option<char>, what: Register, large: bool) {
        let chosen = name.filter(|name| name.is_ascii_alphanumeric());
        if name == Some('_') {
            return;
        }
        if let Some(name) = chosen {
            self.named(name, what.clone());
        }
        let large = large || what.lines || what.text.contains(&b'\n');
        if large {
            for digit in ('1'..='8').rev() {
                let next = char::from_u32(u32::from(digit) + 1).unwrap_or('9');
                if let Some(register) = self.named.remove(&digit) {
                    self.named.insert(next, register);
                }
            }
            self.named.insert('1', what);
        } else if chosen.is_none() {
            self.named.insert('-', what);
        }
        if chosen.is_none() {
            self.last = if large { '1' } else { '-' };
        }
    }
}
