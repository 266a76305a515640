//! In which function a change is: the last line before it that looks like a function's head.

use super::print::Lines;
use crate::matcher::Matcher;

/// So much of that line is shown.
const SHOWN: usize = 40;

/// The search for it, from the file's beginning to its end.
pub(crate) struct Functions<'a> {
    heads: Option<&'a Matcher>,
    lines: &'a Lines<'a>,
    /// Up to where it was searched, and what was found there.
    searched: usize,
    last: Option<&'a [u8]>,
}

impl<'a> Functions<'a> {
    pub(crate) fn new(heads: Option<&'a Matcher>, lines: &'a Lines<'a>) -> Self {
        Self { heads, lines, searched: 0, last: None }
    }

    /// What to show of the function before a line; lines are asked for in their order.
    pub(crate) fn before(&mut self, line: usize) -> Option<&'a [u8]> {
        let heads = self.heads?;
        let new = self.lines.get(self.searched..line).unwrap_or_default();
        let found = new.iter().rev().map(|line| line.strip_suffix(b"\n").unwrap_or(line));
        self.last = found.into_iter().find(|line| heads.is_match(line)).or(self.last);
        self.searched = self.searched.max(line);
        let text = self.last?.trim_ascii_start();
        Some(text.get(..SHOWN).unwrap_or(text).trim_ascii_end())
    }
}
