//! What `--color` paints, and in which colours: GREP_COLORS.

use std::{
    env,
    io::{self, Write},
};

/// The colours (SGR parameters, ECMA-48 8.3.117) by their names in GREP_COLORS; one that is empty paints nothing.
pub(super) struct Colours {
    selected_match: String,
    context_match: String,
    selected_line: String,
    context_line: String,
    pub(super) name: String,
    pub(super) number: String,
    pub(super) offset: String,
    pub(super) separator: String,
    /// With -v, the colours of lines that are selected and of others are exchanged.
    swapped: bool,
    /// What erases to the line's end, so that it has the background of no colour.
    erase: &'static str,
}

impl Colours {
    /// Those of the environment, where nothing is said GNU's.
    pub(super) fn of_environment() -> Self {
        let mut all = Self {
            selected_match: "01;31".into(),
            context_match: "01;31".into(),
            selected_line: String::new(),
            context_line: String::new(),
            name: "35".into(),
            number: "32".into(),
            offset: "32".into(),
            separator: "36".into(),
            swapped: false,
            erase: "\x1b[K",
        };
        let said = |name| env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(old) = said("GREP_COLOR") {
            eprintln!(
                "grep: warning: GREP_COLOR='{old}' is deprecated; use GREP_COLORS='mt={old}'"
            );
            let _ = all.set("mt", &old);
        }
        for part in said("GREP_COLORS").unwrap_or_default().split(':') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if all.set(name, value).is_none() {
                break;
            }
        }
        all
    }

    /// Nothing if it is no colour: what follows in GREP_COLORS does not count then.
    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        if !value.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') {
            return None;
        }
        match name {
            "mt" => {
                value.clone_into(&mut self.selected_match);
                value.clone_into(&mut self.context_match);
            }
            "ms" => value.clone_into(&mut self.selected_match),
            "mc" => value.clone_into(&mut self.context_match),
            "sl" => value.clone_into(&mut self.selected_line),
            "cx" => value.clone_into(&mut self.context_line),
            "fn" => value.clone_into(&mut self.name),
            "ln" => value.clone_into(&mut self.number),
            "bn" => value.clone_into(&mut self.offset),
            "se" => value.clone_into(&mut self.separator),
            "rv" => self.swapped = true,
            "ne" => self.erase = "",
            _ => {}
        }
        Some(())
    }

    pub(super) fn paint(&self, colour: &str, text: &str) -> String {
        if colour.is_empty() {
            return text.to_owned();
        }
        format!("{}{text}{}", self.start(colour), self.end(colour))
    }

    fn start(&self, colour: &str) -> String {
        if colour.is_empty() { String::new() } else { format!("\x1b[{colour}m{}", self.erase) }
    }

    fn end(&self, colour: &str) -> String {
        if colour.is_empty() { String::new() } else { format!("\x1b[m{}", self.erase) }
    }

    /// Writes nothing but what matches.
    pub(super) fn only(
        &self,
        part: &[u8],
        is_context: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let found = if is_context { &self.context_match } else { &self.selected_match };
        out.write_all(&[self.start(found).as_bytes(), part, self.end(found).as_bytes()].concat())
    }

    /// Writes a line, and in it the `parts` that match.
    pub(super) fn line(
        &self,
        line: &[u8],
        parts: &[&[u8]],
        is_context: bool,
        invert: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let is_context_colour = is_context ^ (invert && self.swapped);
        let around = if is_context_colour { &self.context_line } else { &self.selected_line };
        let found = if is_context { &self.context_match } else { &self.selected_match };
        let mut done = 0;
        // Of lines that do not match it is known that nothing in them does.
        for part in parts.iter().filter(|_| is_context == invert && !found.is_empty()) {
            let start = part.as_ptr().addr() - line.as_ptr().addr();
            out.write_all(self.start(around).as_bytes())?;
            out.write_all(line.get(done..start).unwrap_or_default())?;
            out.write_all(self.start(found).as_bytes())?;
            out.write_all(part)?;
            out.write_all(self.end(found).as_bytes())?;
            done = start + part.len();
        }
        let rest = line.get(done..).unwrap_or_default();
        if !rest.is_empty() {
            out.write_all(self.start(around).as_bytes())?;
            out.write_all(rest)?;
            out.write_all(self.end(around).as_bytes())?;
        }
        Ok(())
    }
}
