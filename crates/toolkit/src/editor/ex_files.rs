//! Commands of a line that read and write files.

use super::{
    address::Range,
    ex::Line,
    files::Files,
    history::{History, Pos},
    model::{Editor, Request},
    outside::output,
    text::Block,
};
use std::path::{Path, PathBuf};

impl Editor {
    pub(super) fn ex_file(&mut self, line: &Line<'_>) {
        match line.name {
            "w" | "write" => self.write(line),
            "wq" | "x" | "xit" | "exit" => {
                if line.name == "wq" || self.history.is_modified() || !line.args.is_empty() {
                    self.write(line);
                }
                self.quit_after(line);
            }
            "q" | "quit" if !line.bang && self.history.is_modified() => {
                self.fail("E37: No write since last change (add ! to override)");
            }
            "q" | "quit" => self.quit_after(line),
            "qa" | "qall" if !line.bang && self.history.is_modified() => {
                self.fail("E37: No write since last change (add ! to override)");
            }
            "qa" | "qall" => self.requests.push(Request::Quit),
            "cq" | "cquit" => {
                self.status = 1;
                self.requests.push(Request::Quit);
            }
            "e" | "edit" | "n" | "next" | "prev" | "previous" | "N" | "Next" | "rew" | "rewind" => {
                self.other(line)
            }
            "f" | "file" if line.args.is_empty() => self.say_where(),
            "f" | "file" => {
                self.files.rename(PathBuf::from(line.args));
                self.say_where();
            }
            "r" | "read" => self.read_in(line),
            name => self.fail(format!("E492: Not an editor command: {name}")),
        }
    }

    fn quit_after(&mut self, line: &Line<'_>) {
        let left = self.files.list.len().saturating_sub(self.files.at + 1);
        if self.failed {
        } else if left > 0 && !line.bang && !self.warned {
            self.warned = true;
            self.fail(format!(
                "E173: {left} more file{} to edit",
                if left == 1 { "" } else { "s" }
            ));
        } else {
            self.requests.push(Request::Quit);
        }
    }

    fn write(&mut self, line: &Line<'_>) {
        let lines = line.range.lines.map_or(0..usize::MAX, |(first, last)| first..last + 1);
        let all = line.range.lines.is_none();
        if let Some(path) = line.args.strip_prefix(">>") {
            let path = PathBuf::from(path.trim());
            return self.wrote(&path, Files::append(&self.text, lines, &path));
        }
        let path = match (line.args, &self.files.path) {
            ("", Some(path)) => path.clone(),
            ("", None) => return self.fail("E32: No file name"),
            (args, _) => PathBuf::from(args),
        };
        let own = self.files.path.as_ref() == Some(&path);
        if own && self.options.readonly && !line.bang {
            return self.fail("E45: 'readonly' option is set (add ! to override)");
        }
        if own && !all && !line.bang {
            return self.fail("E140: Use ! to write partial buffer");
        }
        if self.files.path.is_none() && all {
            self.files.rename(path.clone());
        }
        let done = self.files.write(&self.text, lines, &path, line.bang);
        if done.is_ok() && all && self.files.path.as_ref() == Some(&path) {
            self.history.set_saved();
        }
        self.wrote(&path, done);
    }

    fn wrote(&mut self, path: &Path, done: Result<u64, String>) {
        match done {
            Ok(length) => {
                let lines = self.text.real_len();
                self.say(format!("\"{}\" {lines}L, {length}B written", path.display()));
            }
            Err(said) => self.fail(said),
        }
    }

    fn other(&mut self, line: &Line<'_>) {
        if self.history.is_modified() && !line.bang {
            return self.fail("E37: No write since last change (add ! to override)");
        }
        let at = self.files.at;
        let next = match line.name {
            "e" | "edit" => {
                let own = self.files.path.clone();
                let path = if line.args.is_empty() { own } else { Some(PathBuf::from(line.args)) };
                return match path {
                    Some(path) => self.open(&path),
                    None => self.fail("E32: No file name"),
                };
            }
            "n" | "next" => Some(at + 1),
            "rew" | "rewind" => Some(0),
            _ => at.checked_sub(1),
        };
        match next.and_then(|next| Some((next, self.files.list.get(next)?.clone()))) {
            Some((next, path)) => {
                self.files.at = next;
                self.open(&path);
            }
            None if line.name.starts_with('n') => self.fail("E165: Cannot go beyond last file"),
            None => self.fail("E164: Cannot go before first file"),
        }
    }

    /// Edits another file.
    pub(crate) fn open(&mut self, path: &Path) {
        match self.files.read(path) {
            Ok((text, new)) => {
                self.text = text;
                self.history = History::default();
                self.marks.clear();
                (self.cursor, self.top, self.want) = (Pos::default(), 0, None);
                self.cursor.col = self.first_filled(0);
                let lines = self.text.real_len();
                let end = if self.files.whole { "" } else { "[noeol] " };
                let said = if new { "[New]".into() } else { format!("{end}{lines}L") };
                self.say(format!("\"{}\" {said}", path.display()));
            }
            Err(said) => self.fail(said),
        }
    }

    fn read_in(&mut self, line: &Line<'_>) {
        let here = self.cursor.line;
        let at = match line.range {
            Range { before: true, .. } => 0,
            range => range.lines.map_or(here, |(_, last)| last) + 1,
        };
        let command = if line.bang { Some(line.args) } else { line.args.strip_prefix('!') };
        let path = || match line.args {
            "" => self.files.path.clone().unwrap_or_default(),
            args => PathBuf::from(args),
        };
        let read = match command {
            Some(command) => output(command, Vec::new()),
            None => std::fs::read(path()).map_err(|error| {
                format!("\"{}\" {}", path().display(), crate::applet::reason(&error))
            }),
        };
        match read {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => {
                let block = Block::of_text(&bytes);
                // The last line of what a command printed, the first one of a file.
                let on = if command.is_some() { block.count() - 1 } else { 0 };
                self.change(at, 0, block);
                let at = (at + on).min(self.text.last());
                self.cursor = Pos::new(at, self.first_filled(at));
            }
            Err(said) => self.fail(said),
        }
    }
}
