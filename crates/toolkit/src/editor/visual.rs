//! Text that is selected first.

use super::{
    chars,
    command::{Command, Op},
    history::Pos,
    insert::typed,
    model::{Editor, Mode, lines_of},
    operate::Stretch,
    simple::toggled,
    text::Block,
};
use crate::terminal::Key;

impl Editor {
    /// What is selected.
    pub(super) fn selection(&self) -> Option<Stretch> {
        let Mode::Visual { anchor, lines } = self.mode else { return None };
        let (from, mut to) = (anchor.min(self.cursor), anchor.max(self.cursor));
        let bytes = self.text.line(to.line);
        // The end of a line is selected, too, where the cursor is on it.
        to.col = if to.col >= bytes.len() { bytes.len() } else { chars::after(bytes, to.col) };
        Some(Stretch { from, to, lines })
    }

    /// Notes where the selection is, for `'<` and `'>`.
    pub(super) fn mark_selection(&mut self) {
        if let Some(stretch) = self.selection() {
            self.marks.insert('<', stretch.from);
            self.marks.insert('>', stretch.to);
        }
    }

    /// A command on what is selected; false if it is none, but a motion.
    pub(super) fn visual(&mut self, command: &Command) -> bool {
        let (Some(mut stretch), Mode::Visual { anchor, lines }) = (self.selection(), &self.mode)
        else {
            return false;
        };
        let (anchor, was_lines) = (*anchor, *lines);
        let Key::Char(letter) = command.key else {
            return matches!(command.key, Key::Delete) && {
                self.finish_visual(Op::Delete, command, stretch);
                true
            };
        };
        match letter {
            'v' | 'V' if (letter == 'V') == was_lines => self.mode = Mode::Normal,
            'v' | 'V' => self.mode = Mode::Visual { anchor, lines: letter == 'V' },
            'o' => {
                self.mode = Mode::Visual { anchor: self.cursor, lines: was_lines };
                self.cursor = anchor;
            }
            'i' | 'a' => self.select_object(letter, command),
            'd' | 'x' => self.finish_visual(Op::Delete, command, stretch),
            'c' | 's' => self.finish_visual(Op::Change, command, stretch),
            'y' => self.finish_visual(Op::Yank, command, stretch),
            '>' => self.finish_visual(Op::Right, command, stretch),
            '<' => self.finish_visual(Op::Left, command, stretch),
            'D' | 'X' | 'Y' | 'C' | 'S' | 'R' => {
                stretch.lines = true;
                let op = match letter {
                    'D' | 'X' => Op::Delete,
                    'Y' => Op::Yank,
                    _ => Op::Change,
                };
                self.finish_visual(op, command, stretch);
            }
            'J' => {
                self.mode = Mode::Normal;
                self.join(
                    stretch.from.line,
                    (stretch.to.line + 1 - stretch.from.line).max(2),
                    true,
                );
            }
            '~' | 'u' | 'U' => self.convert(stretch, letter),
            'r' => match command.arg.and_then(typed) {
                Some(c) => self.fill(stretch, c),
                None => self.mode = Mode::Normal,
            },
            'p' | 'P' => self.put_over(command, stretch),
            _ => return false,
        }
        true
    }

    fn finish_visual(&mut self, op: Op, command: &Command, stretch: Stretch) {
        let mut stretch = stretch;
        self.mark_selection();
        let breaks = self.holds_break(stretch.to);
        self.mode = Mode::Normal;
        let Stretch { from, to, lines } = stretch;
        // `.` does the same to as much text from the cursor on.
        let again = if lines || matches!(op, Op::Left | Op::Right) {
            let key = match op {
                Op::Delete => 'd',
                Op::Change => 'c',
                Op::Yank => 'y',
                Op::Right => '>',
                Op::Left => '<',
            };
            Command {
                count: Some(to.line + 1 - from.line),
                op: Some(op),
                key: Key::Char(key),
                ..command.clone()
            }
        } else {
            let count = self.text.line(from.line).get(from.col..to.col).map_or(1, <[u8]>::len);
            Command {
                count: Some(count.max(1)),
                op: Some(op),
                key: Key::Char('l'),
                ..command.clone()
            }
        };
        if op != Op::Yank {
            self.remember(&again);
        }
        if !lines && !matches!(op, Op::Left | Op::Right) && breaks {
            stretch.to = Pos::new(to.line + 1, 0);
        }
        // Shifts are repeated, not multiplied by lines.
        let pattern = Some(String::new());
        let command = Command { key: Key::Char('v'), pattern, ..command.clone() };
        self.apply(op, &command, stretch);
    }

    /// Whether the end of the line itself is selected, too.
    fn holds_break(&self, to: Pos) -> bool {
        let behind = self.cursor.line == to.line && self.want == Some(usize::MAX);
        let last = self.text.line(to.line).len();
        let Mode::Visual { anchor, .. } = self.mode else { return false };
        (behind || anchor.max(self.cursor).col >= last) && to.line < self.text.last()
    }

    fn select_object(&mut self, kind: char, command: &Command) {
        let Some(stretch) = self.object(kind, command.arg, command.times()) else { return };
        self.mode = Mode::Visual { anchor: stretch.from, lines: false };
        let end = chars::before(self.text.line(stretch.to.line), stretch.to.col);
        self.go_to(Pos::new(stretch.to.line, end), None);
    }

    fn put_over(&mut self, command: &Command, stretch: Stretch) {
        self.mode = Mode::Normal;
        let Some(register) = self.registers.get(command.register).cloned() else { return };
        let command = Command { register: None, key: Key::Char('v'), ..command.clone() };
        let at_end = !stretch.lines && stretch.to.col >= self.text.line(stretch.to.line).len();
        let last = stretch.to.line >= self.text.last();
        self.apply(Op::Delete, &command, stretch);
        let cut = self.registers.get(None).cloned();
        self.registers.yank(None, register);
        self.clamp();
        let after =
            if stretch.lines { last && stretch.from.line > self.text.last() } else { at_end };
        self.put(None, command.times(), after && !self.text.line(self.cursor.line).is_empty());
        if let Some(cut) = cut {
            self.registers.yank(None, cut);
        }
    }

    /// Puts something in the place of each of its parts of lines.
    fn edit(&mut self, stretch: Stretch, mut edit: impl FnMut(&[u8]) -> Vec<u8>) {
        self.mark_selection();
        self.mode = Mode::Normal;
        let Stretch { from, to, lines } = stretch;
        let mut new = Block::default();
        let old = self.text.block(from.line, to.line + 1);
        for (n, line) in lines_of(&old).enumerate() {
            let begin = if n == 0 && !lines { from.col } else { 0 };
            let end = if from.line + n == to.line && !lines { to.col } else { line.len() };
            let (begin, end) = (begin.min(line.len()), end.min(line.len()));
            let mut made = line.get(..begin).unwrap_or_default().to_vec();
            made.extend(edit(line.get(begin..end).unwrap_or_default()));
            made.extend(line.get(end..).unwrap_or_default());
            new.push(&made);
        }
        self.change(from.line, to.line + 1 - from.line, new);
        self.cursor = if lines { Pos::new(from.line, 0) } else { from };
        self.want = None;
    }

    fn convert(&mut self, stretch: Stretch, how: char) {
        self.edit(stretch, |part| match (how, std::str::from_utf8(part)) {
            ('u', Ok(text)) => text.to_lowercase().into_bytes(),
            ('U', Ok(text)) => text.to_uppercase().into_bytes(),
            ('u', Err(_)) => part.to_ascii_lowercase(),
            ('U', Err(_)) => part.to_ascii_uppercase(),
            _ => toggled(part),
        });
    }

    fn fill(&mut self, stretch: Stretch, with: char) {
        self.edit(stretch, |part| {
            let (mut count, mut at) = (0, 0);
            while at < part.len() {
                at = chars::after(part, at);
                count += 1;
            }
            with.to_string().repeat(count).into_bytes()
        });
    }
}
