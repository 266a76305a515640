//! The commands that have texts: `a`, `i`, `c`, `s` and `y`.

use super::{EMPTY_MODIFIED, Parser, Result, UNKNOWN_OPTION};
use crate::{
    posix_regex,
    sed::{
        replacement::parts,
        script::{Action, Part, Substitute},
        text::{escape, recursive},
    },
};
use std::collections::HashMap;

impl Parser<'_> {
    /// The text of `a`, `i` and `c`, in both forms.
    pub(super) fn text(&mut self, end: u8) -> Result<Vec<u8>> {
        self.skip(b" \t");
        let posix = self.posix && self.peek() != Some(b'\\');
        if self.peek().is_none() || posix {
            return self.wrong("expected \\ after `a', `c' or `i'");
        }
        if self.take(b'\\') {
            if self.posix && self.joints.contains(&self.at) {
                return Err("incomplete command".into());
            }
            let behind = self.at;
            self.skip(b" \t");
            let line = self.take(b'\n');
            if !line {
                self.at = behind;
            }
            // Without a line to follow there is no text at all.
            if self.peek().is_none() && !line {
                return Ok(Vec::new());
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

    pub(super) fn translate(&mut self) -> Result<Action> {
        let unterminated = "unterminated `y' command";
        let delimiter = self.next().ok_or(unterminated)?;
        let mut side = || -> Result<Vec<u8>> {
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
            Ok(out)
        };
        let (from, to) = (side()?, side()?);
        let bytes = posix_regex::bytes(&[&*from, &*to].concat());
        let characters = |text: Vec<u8>| -> Vec<char> {
            match bytes {
                true => text.into_iter().map(char::from).collect(),
                false => String::from_utf8_lossy(&text).chars().collect(),
            }
        };
        let (from, to) = (characters(from), characters(to));
        if from.len() != to.len() {
            return Err("strings for `y' command are different lengths".into());
        }
        let mut map = HashMap::new();
        for (from, to) in from.into_iter().zip(to) {
            map.insert(from, to);
        }
        Ok(Action::Translate { map, bytes })
    }

    pub(super) fn substitute(&mut self) -> Result<Action> {
        let unterminated = "unterminated `s' command";
        let delimiter = self.next().ok_or(unterminated)?;
        if matches!(delimiter, b'\n' | b'\\') {
            return Err(unterminated.into());
        }
        let source = self.until(delimiter, true).ok_or(unterminated)?;
        let mut replacement = self.until(delimiter, false).ok_or(unterminated)?;
        if delimiter == b'&' {
            // Every one there is was escaped, and stands for itself.
            replacement =
                replacement.split(|byte| *byte == b'&').collect::<Vec<_>>().join(&b"\\&"[..]);
        }
        if recursive(&replacement) {
            return Err("recursive escaping after \\c not allowed".into());
        }
        let parts = parts(&replacement, self.posix);
        let mut s = Substitute {
            pattern: None,
            parts,
            global: false,
            print: false,
            print_first: false,
            execute: false,
            nth: 1,
            file: None,
        };
        let mut flags = String::new();
        let mut counted = false;
        loop {
            match self.peek() {
                Some(b'g') if s.global => return self.wrong("multiple `g' options to `s' command"),
                Some(b'p') if s.print => return self.wrong("multiple `p' options to `s' command"),
                Some(b'e' | b'i' | b'I' | b'm' | b'M') if self.posix => {
                    return self.wrong(UNKNOWN_OPTION);
                }
                Some(b' ' | b'\t') => {}
                Some(b'g') => s.global = true,
                Some(b'p') => s.print = true,
                Some(b'e') => {
                    // `pe` prints what is executed, `ep` the result.
                    s.print_first = std::mem::take(&mut s.print);
                    s.execute = true;
                }
                Some(b'i' | b'I') => flags.push('i'),
                Some(b'm' | b'M') => flags.push('m'),
                Some(b'0'..=b'9') if counted => {
                    return self.wrong("multiple number options to `s' command");
                }
                Some(b'0'..=b'9') => {
                    let nth = self.number().and_then(|n| usize::try_from(n).ok());
                    s.nth = nth
                        .filter(|n| *n > 0)
                        .ok_or("number option to `s' command may not be zero")?;
                    counted = true;
                    continue;
                }
                Some(b'w') => {
                    self.at += 1;
                    self.harmless(true)?;
                    s.file = Some(self.file()?);
                    break;
                }
                _ => {
                    self.ends().map_err(|_| UNKNOWN_OPTION)?;
                    break;
                }
            }
            self.at += 1;
            self.harmless(s.execute)?;
        }
        if !source.is_empty() {
            let pattern = self.compile(&source, &flags)?;
            let highest = s.parts.iter().filter_map(|part| match part {
                Part::Group(group) => Some(*group),
                _ => None,
            });
            if let Some(highest) =
                highest.max().filter(|highest| *highest > pattern.groups() && !self.posix)
            {
                return Err(format!("invalid reference \\{highest} on `s' command's RHS"));
            }
            s.pattern = Some(pattern);
        } else if !flags.is_empty() {
            return Err(EMPTY_MODIFIED.into());
        }
        Ok(Action::Substitute(Box::new(s)))
    }
}
