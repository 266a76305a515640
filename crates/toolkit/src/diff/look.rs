//! How lines are written: tabs, what stands before them, colours.

use std::io::{self, Write};

/// What of the output has a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Header,
    Place,
    Removed,
    Added,
    /// None.
    Plain,
}

/// The numbers of each colour's SGR sequence.
pub(crate) struct Palette {
    reset: Vec<u8>,
    header: Vec<u8>,
    added: Vec<u8>,
    removed: Vec<u8>,
    place: Vec<u8>,
}

impl Default for Palette {
    fn default() -> Self {
        let [reset, header, added, removed, place] =
            [b"0".as_slice(), b"1", b"32", b"31", b"36"].map(<[u8]>::to_vec);
        Self { reset, header, added, removed, place }
    }
}

impl Palette {
    /// Takes colours as `--palette` has them; an error has a message of its own or none.
    pub(crate) fn set(&mut self, text: &[u8]) -> Result<(), Option<String>> {
        for part in text.split(|byte| *byte == b':').filter(|part| !part.is_empty()) {
            let at = part.iter().position(|byte| *byte == b'=').ok_or(None)?;
            let (name, numbers) = part.split_at(at);
            let place = match name {
                b"rs" => &mut self.reset,
                b"hd" => &mut self.header,
                b"ad" => &mut self.added,
                b"de" => &mut self.removed,
                b"ln" => &mut self.place,
                [_, _] => {
                    let name = String::from_utf8_lossy(name);
                    return Err(Some(format!("unrecognized prefix: {name}")));
                }
                _ => return Err(None),
            };
            *place = numbers.get(1..).unwrap_or_default().to_vec();
        }
        Ok(())
    }
}

/// All of it.
pub(crate) struct Look {
    pub(crate) expand_tabs: bool,
    /// A tab's columns, at least one.
    pub(crate) tab: usize,
    /// A tab instead of the space between a mark and its line.
    pub(crate) initial_tab: bool,
    /// No space before empty lines.
    pub(crate) bare_empty: bool,
    pub(crate) palette: Option<Palette>,
}

/// What stands before a line.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) text: &'static str,
    /// A space follows it.
    pub(crate) apart: bool,
}

const NO_END: &[u8] = b"\n\\ No newline at end of file\n";

impl Look {
    /// Begins a part in its colour.
    pub(crate) fn begin(&self, out: &mut dyn Write, part: Part) -> io::Result<()> {
        let Some(palette) = &self.palette else { return Ok(()) };
        let numbers = match part {
            Part::Header => &palette.header,
            Part::Place => &palette.place,
            Part::Removed => &palette.removed,
            Part::Added => &palette.added,
            Part::Plain => return Ok(()),
        };
        sequence(out, numbers)
    }

    /// Ends it.
    pub(crate) fn end(&self, out: &mut dyn Write, part: Part) -> io::Result<()> {
        match &self.palette {
            Some(palette) if part != Part::Plain => sequence(out, &palette.reset),
            _ => Ok(()),
        }
    }

    /// Writes a text as a part.
    pub(crate) fn paint(&self, out: &mut dyn Write, part: Part, text: &[u8]) -> io::Result<()> {
        self.begin(out, part)?;
        out.write_all(text)?;
        self.end(out, part)
    }

    /// Writes a line of a file, behind its mark.
    pub(crate) fn line(
        &self,
        out: &mut dyn Write,
        part: Part,
        mark: Mark,
        line: &[u8],
    ) -> io::Result<()> {
        let text = line.strip_suffix(b"\n");
        let body = text.unwrap_or(line);
        self.begin(out, part)?;
        let bare = self.bare_empty && text.is_some_and(<[u8]>::is_empty);
        self.mark(out, mark, bare)?;
        if self.expand_tabs {
            self.expanded(out, mark, body)?;
        } else {
            out.write_all(body)?;
        }
        self.end(out, part)?;
        out.write_all(if text.is_some() { b"\n" } else { NO_END })
    }

    fn mark(&self, out: &mut dyn Write, mark: Mark, bare: bool) -> io::Result<()> {
        if bare {
            return out.write_all(mark.text.trim_end().as_bytes());
        }
        // The tab takes the place of a common line's space.
        let text = if self.initial_tab && !mark.apart { mark.text.trim_end() } else { mark.text };
        out.write_all(text.as_bytes())?;
        match (self.initial_tab, mark.apart) {
            (true, _) => out.write_all(b"\t"),
            (false, true) => out.write_all(b" "),
            (false, false) => Ok(()),
        }
    }

    /// A line with spaces for its tabs. Behind a carriage return the mark stands again.
    fn expanded(&self, out: &mut dyn Write, mark: Mark, body: &[u8]) -> io::Result<()> {
        let mut column: usize = 0;
        for byte in body {
            match byte {
                b'\t' => {
                    let spaces = self.tab - column % self.tab;
                    column += spaces;
                    write!(out, "{:spaces$}", "")?;
                    continue;
                }
                b'\r' => {
                    out.write_all(b"\r")?;
                    if mark.apart {
                        self.mark(out, mark, false)?;
                    }
                    column = 0;
                    continue;
                }
                0x08 => column = column.saturating_sub(1),
                byte => column += usize::from(!byte.is_ascii_control()),
            }
            out.write_all(&[*byte])?;
        }
        Ok(())
    }
}

fn sequence(out: &mut dyn Write, numbers: &[u8]) -> io::Result<()> {
    out.write_all(b"\x1b[")?;
    out.write_all(numbers)?;
    out.write_all(b"m")
}
