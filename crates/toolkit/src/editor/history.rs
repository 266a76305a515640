//! What was changed, to undo and to redo it.

use super::text::{Block, Text};

/// A place in the text: a line and a byte of it, both from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pos {
    pub(crate) line: usize,
    pub(crate) col: usize,
}

impl Pos {
    pub(crate) fn new(line: usize, col: usize) -> Self {
        Self { line, col }
    }
}

/// Lines that were put in the place of others.
#[derive(Debug)]
struct Change {
    at: usize,
    old: Block,
    new: Block,
}

/// The changes of one command.
#[derive(Debug)]
struct Group {
    changes: Vec<Change>,
    /// Where the cursor was before.
    cursor: Pos,
    /// The state of the text before and after it.
    states: [u64; 2],
}

/// All changes of a text.
#[derive(Debug, Default)]
pub(crate) struct History {
    done: Vec<Group>,
    undone: Vec<Group>,
    open: Vec<Change>,
    /// Where the cursor was when the command began.
    cursor: Pos,
    /// Which state the text is in: no two are the same unless their text is.
    state: u64,
    states: u64,
    saved: u64,
}

impl History {
    /// A command begins.
    pub(crate) fn begin(&mut self, cursor: Pos) {
        if self.open.is_empty() {
            self.cursor = cursor;
        }
    }

    /// Changes the text and notes it.
    pub(crate) fn change(&mut self, text: &mut Text, at: usize, count: usize, new: Block) {
        let old = text.splice(at, count, &new);
        match self.open.last_mut() {
            // Letter after letter of a line.
            Some(last)
                if last.at == at && count == 1 && last.new.count() == 1 && new.count() == 1 =>
            {
                last.new = new;
            }
            _ => self.open.push(Change { at, old, new }),
        }
    }

    /// The command ended.
    pub(crate) fn commit(&mut self) {
        if self.open.is_empty() {
            return;
        }
        self.undone.clear();
        self.states += 1;
        let states = [self.state, self.states];
        self.state = self.states;
        let changes = std::mem::take(&mut self.open);
        self.done.push(Group { changes, cursor: self.cursor, states });
    }

    pub(crate) fn is_modified(&self) -> bool {
        self.state != self.saved || !self.open.is_empty()
    }

    /// The text is as on the disk.
    pub(crate) fn set_saved(&mut self) {
        self.commit();
        self.saved = self.state;
    }

    /// Takes the last command back; where the cursor goes, if there was one.
    pub(crate) fn undo(&mut self, text: &mut Text) -> Option<Went> {
        let mut group = self.done.pop()?;
        let mut went = Went::default();
        for change in group.changes.iter_mut().rev() {
            text.splice(change.at, change.new.count(), &change.old);
            went.see(change.at, &change.new, &change.old, group.cursor);
        }
        self.state = group.states[0];
        self.undone.push(group);
        Some(went)
    }

    /// The other way round.
    pub(crate) fn redo(&mut self, text: &mut Text) -> Option<Went> {
        let group = self.undone.pop()?;
        let mut went = Went::default();
        for change in &group.changes {
            text.splice(change.at, change.old.count(), &change.new);
            went.see(change.at, &change.old, &change.new, group.cursor);
        }
        self.state = group.states[1];
        self.done.push(group);
        Some(went)
    }
}

/// Where the cursor goes after that: where it was, if that is near, else to the topmost change.
#[derive(Debug, Default)]
pub(crate) struct Went {
    top: Option<usize>,
    pub(crate) cursor: Pos,
    /// The column is that of before, not the first that is filled.
    pub(crate) exact: bool,
}

impl Went {
    fn see(&mut self, at: usize, before: &Block, now: &Block, cursor: Pos) {
        if self.top.is_some_and(|top| top <= at) {
            return;
        }
        self.top = Some(at);
        self.exact = cursor.line + 1 >= at && cursor.line <= at + now.count();
        self.cursor = cursor;
        if !self.exact {
            let lines = |block: &Block| {
                block.bytes().split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()
            };
            let pairs = lines(before).into_iter().zip(lines(now));
            let same = pairs.take_while(|(a, b)| a == b && !a.is_empty()).count();
            self.cursor = Pos::new(at + same, 0);
        }
    }
}
