//! Which lines count as the same, and which changes do not count.

use super::Change;
use crate::{applet::Args, matcher::Matcher};
use std::borrow::Cow;

/// Which space does not count; the more the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Space {
    Counts,
    /// A tab and the spaces that it stands for are the same.
    Tabs,
    /// Not at the end.
    Trailing,
    TabsAndTrailing,
    /// Not how much of it.
    Amount,
    All,
}

impl Space {
    pub(crate) fn of(args: &Args) -> Self {
        match (args.has("ignore-tab-expansion"), args.has("ignore-trailing-space")) {
            _ if args.has("ignore-all-space") => Self::All,
            _ if args.has("ignore-space-change") => Self::Amount,
            (true, true) => Self::TabsAndTrailing,
            (false, true) => Self::Trailing,
            (true, false) => Self::Tabs,
            (false, false) => Self::Counts,
        }
    }
}

/// What of lines is compared.
pub(crate) struct Same {
    pub(crate) ignore_case: bool,
    pub(crate) space: Space,
    /// A tab's columns.
    pub(crate) tab: usize,
    /// Changes of empty lines only do not count.
    pub(crate) blank: bool,
    /// Neither do those of such lines only.
    pub(crate) matching: Option<Matcher>,
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

impl Same {
    /// Whether files are the same only if all their bytes are.
    pub(crate) fn is_exact(&self) -> bool {
        self.keeps_lines() && !self.blank && self.matching.is_none()
    }

    /// Whether a line is compared as it is.
    fn keeps_lines(&self) -> bool {
        !self.ignore_case && self.space == Space::Counts
    }

    /// What is compared of a line.
    pub(crate) fn key<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        if self.keeps_lines() {
            return Cow::Borrowed(line);
        }
        let mut key = line.to_vec();
        if self.ignore_case {
            key.make_ascii_lowercase();
        }
        if matches!(self.space, Space::Tabs | Space::TabsAndTrailing) {
            key = self.without_tabs(&key);
        }
        match self.space {
            Space::All => key.retain(|byte| !is_space(*byte)),
            Space::Trailing | Space::TabsAndTrailing | Space::Amount => {
                key.truncate(key.iter().rposition(|byte| !is_space(*byte)).map_or(0, |at| at + 1));
            }
            Space::Counts | Space::Tabs => {}
        }
        if self.space == Space::Amount {
            key.iter_mut().filter(|byte| is_space(**byte)).for_each(|byte| *byte = b' ');
            key.dedup_by(|a, b| *a == b' ' && *b == b' ');
        }
        Cow::Owned(key)
    }

    fn without_tabs(&self, line: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(line.len());
        let mut column: usize = 0;
        for byte in line {
            match byte {
                b'\t' => {
                    let spaces = self.tab - column % self.tab;
                    text.resize(text.len() + spaces, b' ');
                    column += spaces;
                    continue;
                }
                b'\r' => column = 0,
                0x08 => column = column.saturating_sub(1),
                _ => column += 1,
            }
            text.push(*byte);
        }
        text
    }

    /// Marks the changes that do not count.
    pub(crate) fn mark(&self, changes: &mut [Change], old: &[&[u8]], new: &[&[u8]]) {
        if !self.blank && self.matching.is_none() {
            return;
        }
        let trivial = |lines: &[&[u8]], (from, to): (usize, usize)| {
            lines.get(from..to).unwrap_or_default().iter().all(|line| self.is_trivial(line))
        };
        for change in changes {
            change.ignored = trivial(old, change.old) && trivial(new, change.new);
        }
    }

    fn is_trivial(&self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let spaces = self.space >= Space::Trailing;
        let blank = line.iter().all(|byte| spaces && is_space(*byte));
        self.blank && blank
            || self.matching.as_ref().is_some_and(|matching| matching.is_match(line))
    }
}
