//! The editor on a terminal.

use super::{
    model::{Editor, Request},
    outside::interactive,
};
use crate::{
    applet::{Args, reason},
    terminal::{Event, Key, Terminal, print},
    text_cells::{cells, write_cells},
};
use anyhow::Context as _;
use std::{io, os::unix::ffi::OsStrExt as _, path::PathBuf, time::Duration};

/// Runs `vi`.
pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let mut editor = Editor::new();
    let mut commands = Vec::new();
    for word in &args.operands {
        match word.as_bytes() {
            b"+" => commands.push("$".to_owned()),
            [b'+', command @ ..] => commands.push(String::from_utf8_lossy(command).into_owned()),
            _ => editor.files.list.push(PathBuf::from(word)),
        }
    }
    commands.extend(args.values("command").map(|line| line.to_string_lossy().into_owned()));
    editor.options.readonly = args.has("readonly");
    if let Some(first) = editor.files.list.first().cloned() {
        editor.open(&first);
        if editor.failed {
            anyhow::bail!("{}", editor.message.unwrap_or_default());
        }
    }
    for command in &commands {
        editor.ex(command);
        editor.settle();
    }
    let mut keys = match args.value("script") {
        Some(path) => script(&std::fs::read(path).with_context(|| path.display().to_string())?),
        None => Vec::new(),
    };
    keys.reverse();
    Session { editor, keys, terminal: None }.edit()
}

/// The keys of a script; ESC is always the key Escape.
fn script(bytes: &[u8]) -> Vec<Key> {
    let key = |c| match c {
        '\r' | '\n' => Key::Enter,
        '\t' => Key::Tab,
        '\x08' | '\x7f' => Key::Backspace,
        '\x1b' => Key::Escape,
        '\0'..='\x1f' => Key::Ctrl(char::from((c as u8) | 0x40).to_ascii_lowercase()),
        c => Key::Char(c),
    };
    String::from_utf8_lossy(bytes).chars().map(key).collect()
}

struct Session {
    editor: Editor,
    /// Keys of a script, the next one last.
    keys: Vec<Key>,
    /// From when keys of a person are needed on.
    terminal: Option<Terminal>,
}

impl Session {
    fn take_terminal() -> anyhow::Result<Terminal> {
        if !rustix::termios::isatty(io::stdout()) {
            anyhow::bail!("standard output is no terminal");
        }
        let mut terminal = Terminal::take(true).context("no terminal to read keys from")?;
        terminal.mark_pastes()?;
        terminal.defer_signals();
        Ok(terminal)
    }

    /// Takes keys until the end; the exit status.
    fn edit(mut self) -> anyhow::Result<u8> {
        loop {
            if let Some(status) = self.requests()? {
                return Ok(status);
            }
            if let Some(key) = self.keys.pop() {
                self.editor.key(key);
                continue;
            }
            let terminal = match &mut self.terminal {
                Some(terminal) => terminal,
                none => none.insert(Self::take_terminal()?),
            };
            // Drawn when no key is waiting: pasted text is not drawn letter by letter.
            let mut event = terminal.next(Some(Duration::ZERO), None)?;
            if event == Event::Timeout {
                print(&self.editor.draw(terminal.size()))?;
                event = terminal.next(None, None)?;
            }
            match event {
                Event::Key(key) => self.editor.key(key),
                Event::Closed => return self.rescue(),
                Event::Redraw | Event::Timeout | Event::Ready => {}
            }
        }
    }

    /// The terminal is gone, or a signal ends us: what was not written is saved.
    fn rescue(self) -> anyhow::Result<u8> {
        if self.editor.history.is_modified() {
            let done = self.editor.files.rescue(&self.editor.text);
            if let Some(terminal) = &self.terminal {
                terminal.lend();
            }
            // Where messages went may be gone, too.
            let _ = match done {
                Ok(path) => said(&format!("vi: the text was saved to {}", path.display())),
                Err(error) => said(&format!("vi: the text could not be saved: {}", reason(&error))),
            };
        }
        if let Some(terminal) = self.terminal {
            terminal.end_if_asked()?;
        }
        Ok(1)
    }

    fn requests(&mut self) -> anyhow::Result<Option<u8>> {
        for request in std::mem::take(&mut self.editor.requests) {
            match (request, &self.terminal) {
                (Request::Quit, _) => return Ok(Some(self.editor.status)),
                (Request::Redraw, Some(_)) => print(b"\x1b[2J")?,
                (Request::Suspend, Some(terminal)) => terminal.suspend()?,
                (Request::Redraw | Request::Suspend, None) => {}
                (Request::Shell(line), _) => self.lend(|| interactive(&line))?,
                (Request::Show(lines), _) => self.lend(|| show(&lines))?,
            }
        }
        Ok(None)
    }

    /// Does something on the terminal as it was, then waits for a key.
    fn lend(&mut self, act: impl FnOnce() -> io::Result<()>) -> anyhow::Result<()> {
        let Some(terminal) = &mut self.terminal else { return Ok(act()?) };
        terminal.lend();
        if let Err(error) = act() {
            said(&reason(&error))?;
        }
        print(b"\nPress ENTER to continue ")?;
        terminal.take_keys()?;
        while !matches!(terminal.next(None, None)?, Event::Key(_) | Event::Closed) {}
        Ok(terminal.take_back()?)
    }
}

fn said(text: &str) -> io::Result<()> {
    use io::Write as _;
    writeln!(io::stderr(), "{text}")
}

fn show(lines: &[String]) -> io::Result<()> {
    let mut out = Vec::new();
    for line in lines {
        write_cells(&mut out, cells(line.as_bytes(), false));
        out.push(b'\n');
    }
    print(&out)
}
