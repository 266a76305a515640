//! Moving in the text, searching, following.

use super::{Case, Pager, Search, line_of, view::Place};
use crate::terminal::{Event, Key, print};
use regex::bytes::RegexBuilder;
use std::time::Duration;

/// Between two looks at a file that may grow.
const FOLLOW: Duration = Duration::from_millis(250);
/// After so many lines a search asks whether somebody wants it to end.
const PATIENCE: usize = 4096;

impl Pager {
    pub(super) fn forward(&mut self, count: usize) -> anyhow::Result<()> {
        let (size, rows) = (self.terminal.size(), self.height());
        for _ in 0..count.min(1 << 20) {
            // The next row that comes up may have to be waited for.
            let end = self.view.below(self.view.top, rows, size)?;
            while self.view.source.lacks(end.line).is_some() {
                if !self.receive(end.line)? {
                    return Ok(());
                }
            }
            if self.view.source.line(end.line)?.is_none() {
                break;
            }
            self.view.top = self.view.below(self.view.top, 1, size)?;
        }
        Ok(())
    }

    pub(super) fn back(&mut self, count: usize) -> anyhow::Result<()> {
        self.view.top = self.view.above(self.view.top, count, self.terminal.size())?;
        Ok(())
    }

    /// Line `number` at the top; the last one when there are fewer.
    pub(super) fn go_to_line(&mut self, number: u64) -> anyhow::Result<()> {
        let mut place = 0;
        for passed in 1..number.max(1) {
            while self.view.source.lacks(place).is_some() {
                if !self.receive(place)? {
                    return Ok(());
                }
            }
            match self.view.source.line(place)? {
                Some(line) => place = line.next,
                None => return self.go_to_end(),
            }
            if passed % (PATIENCE as u64) == 0 && self.is_interrupted()? {
                break;
            }
        }
        self.show(place)
    }

    pub(super) fn go_to_end(&mut self) -> anyhow::Result<()> {
        while self.view.source.size().is_none() {
            if !self.receive(u64::MAX)? {
                return Ok(());
            }
        }
        self.view.source.refresh();
        self.view.top = self.view.last(self.terminal.size(), self.height())?;
        Ok(())
    }

    pub(super) fn go_to_share(&mut self, percent: u64) -> anyhow::Result<()> {
        while self.view.source.size().is_none() {
            if !self.receive(u64::MAX)? {
                return Ok(());
            }
        }
        let size = self.view.source.size().unwrap_or(0);
        let offset = size / 100 * percent.min(100) + size % 100 * percent.min(100) / 100;
        let begin = self.view.source.before(offset)?.unwrap_or(0);
        self.show(begin)
    }

    /// A line at the top, or as high as the end of the text lets it be.
    pub(super) fn show(&mut self, line: u64) -> anyhow::Result<()> {
        let (size, rows) = (self.terminal.size(), self.height());
        self.view.top = Place { line, row: 0 };
        self.fill()?;
        let end = self.view.below(self.view.top, rows, size)?;
        if self.view.source.size().is_some_and(|size| end.line >= size) {
            let last = self.view.last(size, rows)?;
            self.view.top = self.view.top.min(last);
        }
        Ok(())
    }

    pub(super) fn find(&mut self, text: &str, backwards: bool) -> anyhow::Result<()> {
        let ignore = match self.case {
            Case::Exact => false,
            Case::Smart => !text.chars().any(char::is_uppercase),
            Case::Ignored => true,
        };
        match RegexBuilder::new(text).case_insensitive(ignore).build() {
            Err(_) => self.message = Some("Invalid pattern".into()),
            Ok(pattern) => {
                self.view.look.pattern = Some(pattern.clone());
                let first = self.search.is_none() && self.is_new;
                self.search = Some(Search { pattern, backwards });
                self.seek(backwards, first)?;
            }
        }
        Ok(())
    }

    pub(super) fn again(&mut self, other_way: bool) -> anyhow::Result<()> {
        match self.search.as_ref().map(|search| search.backwards) {
            None => self.message = Some("No previous regular expression".into()),
            Some(backwards) => self.seek(backwards != other_way, false)?,
        }
        Ok(())
    }

    /// Looks for the pattern in the lines after, or before, the one at the top.
    pub(super) fn seek(&mut self, backwards: bool, with_first: bool) -> anyhow::Result<()> {
        let Some(search) = self.search.clone() else { return Ok(()) };
        let mut place = self.view.top.line;
        let mut is_first = true;
        for looked in 1_usize.. {
            if backwards {
                let Some(before) = self.view.source.before(place)? else { break };
                place = before;
            }
            while self.view.source.lacks(place).is_some() {
                if !self.receive(place)? {
                    return Ok(());
                }
            }
            let Some(line) = self.view.source.line(place)? else { break };
            let counts = backwards || !is_first || with_first;
            if counts && search.pattern.is_match(&line.bytes) {
                return self.show(place);
            }
            is_first = false;
            if !backwards {
                place = line.next;
            }
            if looked % PATIENCE == 0 && self.is_interrupted()? {
                self.message = Some("Interrupted".into());
                return Ok(());
            }
        }
        self.message = Some("Pattern not found".into());
        Ok(())
    }

    /// Shows what is appended, until Ctrl-C.
    pub(super) fn follow(&mut self) -> anyhow::Result<()> {
        self.message = Some("Waiting for data... (interrupt to abort)".into());
        loop {
            self.view.source.refresh();
            let end = self.view.source.held();
            self.view.top = self.view.above(
                Place { line: end, row: 0 },
                self.height(),
                self.terminal.size(),
            )?;
            self.draw_now()?;
            let event = match self.view.source.lacks(u64::MAX) {
                Some(stream) => self.terminal.next(None, Some(stream))?,
                None => self.terminal.next(Some(FOLLOW), None)?,
            };
            match event {
                Event::Ready => self.view.source.receive()?,
                Event::Key(Key::Ctrl('c') | Key::Char('q')) | Event::Closed => break,
                Event::Key(_) | Event::Redraw | Event::Timeout => {}
            }
        }
        self.message = None;
        Ok(())
    }

    /// Draws while following: nobody is asked anything.
    pub(super) fn draw_now(&mut self) -> anyhow::Result<()> {
        let (size, rows) = (self.terminal.size(), self.height());
        let screen = self.view.draw(size, rows, "~")?;
        let mut out = b"\x1b[m\x1b[H".to_vec();
        out.extend(screen.out);
        let text = self.message.clone().unwrap_or_default();
        out.extend(line_of(&text, size, true));
        out.extend(b"\x1b[K");
        Ok(print(&out)?)
    }

    /// Waits for bytes at `offset` once; false when Ctrl-C was faster.
    pub(super) fn receive(&mut self, offset: u64) -> anyhow::Result<bool> {
        let Some(stream) = self.view.source.lacks(offset) else { return Ok(true) };
        match self.terminal.next(None, Some(stream))? {
            Event::Ready => self.view.source.receive()?,
            Event::Key(Key::Ctrl('c') | Key::Char('q')) | Event::Closed => return Ok(false),
            Event::Key(_) | Event::Redraw | Event::Timeout => {}
        }
        Ok(true)
    }

    /// Whether somebody wants a long search or count to end.
    pub(super) fn is_interrupted(&mut self) -> anyhow::Result<bool> {
        let event = self.terminal.next(Some(Duration::ZERO), None)?;
        Ok(matches!(event, Event::Key(Key::Ctrl('c')) | Event::Closed))
    }
}
