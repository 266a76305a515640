//! Commands of a line, behind `:`.

use super::{
    address::Range,
    history::Pos,
    model::{Editor, Request},
    outside::output,
    registers::Register,
    search::until,
    text::Block,
};

/// The shell of `:!`.
pub(crate) const SHELL: &str = "/bin/sh";

/// A command in parts.
pub(super) struct Line<'a> {
    pub(super) range: Range,
    pub(super) name: &'a str,
    pub(super) bang: bool,
    pub(super) args: &'a str,
}

impl Editor {
    /// Does a command; several are separated by `|`.
    pub(crate) fn ex(&mut self, text: &str) {
        let (range, rest) = match self.range(text) {
            Ok(read) => read,
            Err(said) => return self.fail(said),
        };
        let rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with(['"', '|']) {
            if let Some((_, line)) = range.lines {
                self.set_context();
                self.cursor = Pos::new(line, self.first_filled(line));
                self.want = None;
            }
            if let Some(next) = rest.strip_prefix('|') {
                self.ex(next);
            }
            return;
        }
        let end = match rest.chars().next() {
            Some('&' | '!' | '=' | '>' | '<' | '#') => 1,
            _ => rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len()),
        };
        let (name, after) = rest.split_at(end);
        // The letter of the mark follows at once.
        let (name, after) = match rest.strip_prefix('k') {
            Some(mark) if mark.len() == 1 => ("k", mark),
            _ => (name, after),
        };
        let bang = after.starts_with('!') && name != "!";
        let after = if bang { after.get(1..).unwrap_or_default() } else { after };
        let takes_bars = ["!", "g", "global", "v", "vglobal", "r", "w"].contains(&name);
        let (args, next) = if takes_bars { (after.to_owned(), None) } else { bar(after) };
        self.one(&Line { range, name, bang, args: args.trim_start() });
        if let Some(next) = next.filter(|_| !self.failed) {
            self.ex(next);
        }
    }

    fn one(&mut self, line: &Line<'_>) {
        let here = self.cursor.line;
        let (first, last) = line.range.lines.unwrap_or((here, here));
        match line.name {
            "d" | "delete" | "y" | "yank" | ">" | "<" | "j" | "join" => {
                self.ex_lines(line, first, last)
            }
            "m" | "move" | "t" | "co" | "copy" => self.transfer(line, first, last),
            "k" | "ma" | "mark" => match line.args.chars().next() {
                Some(name) => drop(self.marks.insert(name, Pos::new(last, 0))),
                None => self.fail("E471: Argument required"),
            },
            "pu" | "put" => {
                self.cursor.line = last;
                if let Some(register) = self.registers.get(line.args.chars().next()).cloned() {
                    let at = if line.range.before { 0 } else { last + 1 };
                    let block = Block::of_text(&register.text);
                    let end = at + block.count();
                    self.change(at, 0, block);
                    self.cursor = Pos::new(end - 1, 0);
                }
            }
            "s" | "substitute" | "&" => self.substitute(first, last, line.args),
            "g" | "global" => self.global(line, !line.bang),
            "v" | "vglobal" => self.global(line, false),
            "set" | "se" => self.set(line.args),
            "noh" | "nohlsearch" => self.hits = None,
            "u" | "undo" => self.undo(true),
            "red" | "redo" => self.undo(false),
            "reg" | "registers" | "di" | "display" => self.show_registers(),
            "=" => self
                .say(format!("{}", line.range.lines.map_or(self.text.len(), |(_, last)| last + 1))),
            "!" if line.range.lines.is_some() => self.filter(first, last, line.args),
            "!" => self.requests.push(Request::Shell(line.args.to_owned())),
            "sh" | "shell" => self.requests.push(Request::Shell(SHELL.into())),
            "st" | "stop" | "sus" | "suspend" => self.requests.push(Request::Suspend),
            "p" | "print" | "nu" | "number" | "#" => {
                self.cursor = Pos::new(last, 0);
                let shown = |n| String::from_utf8_lossy(self.text.line(n)).into_owned();
                let lines = (first..=last.min(first + 9999)).map(shown).collect();
                self.requests.push(Request::Show(lines));
            }
            _ => self.ex_file(line),
        }
    }

    fn ex_lines(&mut self, line: &Line<'_>, first: usize, last: usize) {
        let mut words = line.args.split_whitespace().peekable();
        let name = words
            .next_if(|word| word.starts_with(|c: char| !c.is_ascii_digit() && !"<>".contains(c)));
        let count = words.next().and_then(|word| word.parse::<usize>().ok());
        let (first, last) = match count {
            Some(count) => (last, last.saturating_add(count.max(1) - 1).min(self.text.last())),
            None => (first, last),
        };
        let register = name.and_then(|name| name.chars().next());
        let copied = |editor: &Self| Register {
            text: editor.text.block(first, last + 1).bytes().to_vec(),
            lines: true,
        };
        let times = 1 + line.args.chars().filter(|c| "<>".contains(*c)).count();
        match line.name {
            "d" | "delete" => {
                self.registers.cut(register, copied(self), false);
                self.change(first, last + 1 - first, Block::default());
                let at = first.min(self.text.last());
                self.cursor = Pos::new(at, self.first_filled(at));
            }
            "y" | "yank" => self.registers.yank(register, copied(self)),
            ">" | "<" => {
                self.shift(first, last, line.name == ">", times);
                self.cursor = Pos::new(last, self.first_filled(last));
            }
            _ => {
                let several = line.range.lines.is_some() && last > first;
                let count = if several { last + 1 - first } else { 2 };
                self.join(first, count, !line.bang);
                self.cursor.col = self.first_filled(first);
            }
        }
        self.want = None;
    }

    /// `:m` and `:t`.
    fn transfer(&mut self, line: &Line<'_>, first: usize, last: usize) {
        let to = match self.range(line.args) {
            Ok((Range { before: true, .. }, _)) => 0,
            Ok((Range { lines: Some((_, to)), .. }, _)) => to + 1,
            Ok(_) => return self.fail("E14: Invalid address"),
            Err(said) => return self.fail(said),
        };
        let block = self.text.block(first, last + 1);
        let count = block.count();
        let mut end = to + count;
        if line.name.starts_with('m') {
            if to > first && to <= last {
                return self.fail("E134: Cannot move a range of lines into itself");
            }
            if to > last {
                self.change(to, 0, block);
                self.change(first, count, Block::default());
                end = to;
            } else {
                self.change(first, count, Block::default());
                self.change(to, 0, block);
            }
        } else {
            self.change(to, 0, block);
        }
        self.cursor = Pos::new(end - 1, 0);
        self.cursor.col = self.first_filled(end - 1);
        self.want = None;
    }

    /// `:g` and `:v`.
    fn global(&mut self, line: &Line<'_>, wanted: bool) {
        let delimiter = line.args.chars().next().unwrap_or('/');
        let (pattern, command) =
            until(line.args.get(delimiter.len_utf8()..).unwrap_or_default(), delimiter);
        if !pattern.is_empty() {
            self.search = Some((pattern, false));
        }
        let Some(pattern) = self.pattern() else { return };
        let command = command.unwrap_or_default().to_owned();
        let (first, last) = line.range.lines.unwrap_or((0, self.text.last()));
        let hits =
            |editor: &Self, n: usize| pattern.find(editor.text.line(n), 0).is_some() == wanted;
        let found: Vec<usize> = (first..=last).filter(|number| hits(self, *number)).collect();
        let Some(end) = found.last().copied() else {
            return self.fail("E486: Pattern not found");
        };
        if !self.marked.is_empty() {
            return self.fail("E147: Cannot do :global recursive");
        }
        self.set_context();
        if matches!(command.trim(), "d" | "delete") {
            let mut kept = Block::default();
            let mut gone = found.iter().copied().peekable();
            for number in first..=end {
                if gone.next_if_eq(&number).is_none() {
                    kept.push(self.text.line(number));
                }
            }
            let at = (first + kept.count()).min(self.text.last());
            self.registers.cut(
                None,
                Register { text: self.text.block(end, end + 1).bytes().to_vec(), lines: true },
                true,
            );
            self.change(first, end + 1 - first, kept);
            self.cursor = Pos::new(at.min(self.text.last()), 0);
            self.cursor.col = self.first_filled(self.cursor.line);
            return;
        }
        self.marked = found.into_iter().rev().map(Some).collect();
        while let Some(next) = self.marked.pop() {
            if let Some(number) = next {
                self.failed = false;
                self.cursor = Pos::new(number, 0);
                self.ex(if command.is_empty() { "p" } else { &command });
            }
        }
        self.join_shown();
    }

    /// What several commands show is shown at once.
    fn join_shown(&mut self) {
        let mut all = Vec::new();
        self.requests.retain_mut(|request| match request {
            Request::Show(lines) => {
                all.append(lines);
                false
            }
            _ => true,
        });
        if !all.is_empty() {
            self.requests.push(Request::Show(all));
        }
    }

    fn show_registers(&mut self) {
        let shown = self.registers.all().map(|(name, register)| {
            let text = String::from_utf8_lossy(&register.text).replace('\n', "^J");
            format!("\"{name}   {}", text.chars().take(70).collect::<String>())
        });
        self.requests.push(Request::Show(shown.collect()));
    }

    /// `:1,5!sort`.
    fn filter(&mut self, first: usize, last: usize, command: &str) {
        let input = self.text.block(first, last + 1).bytes().to_vec();
        match output(command, input) {
            Ok(out) => {
                self.change(first, last + 1 - first, Block::of_text(&out));
                self.cursor = Pos::new(first.min(self.text.last()), 0);
            }
            Err(said) => self.fail(said),
        }
    }
}

/// The arguments up to `|` without `\` before it, and the next command.
fn bar(text: &str) -> (String, Option<&str>) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == '|' && !escaped {
            return (text.get(..at).unwrap_or_default().to_owned(), text.get(at + 1..));
        }
        escaped = c == '\\' && !escaped;
    }
    (text.to_owned(), None)
}
