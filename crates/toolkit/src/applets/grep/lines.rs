//! The lines of one file, and what is printed of them.

use super::{Output, Search, colours::Colours, unwritten_error};
use std::{
    collections::VecDeque,
    io::{self, BufRead, Write},
};

/// Where a line, or what matches in it, stands.
#[derive(Clone, Copy)]
struct Place {
    /// From 1.
    number: usize,
    /// Bytes from the file's beginning.
    offset: usize,
}

impl Search {
    pub(super) fn lines(
        &self,
        name: &str,
        input: &mut impl BufRead,
        out: &mut impl Write,
    ) -> io::Result<(bool, Option<usize>)> {
        let first = input.fill_buf()?;
        // How far it is known whether there are zero bytes.
        let mut looked = first.len();
        let mut binary = !self.text && first.contains(&0);
        if binary && self.skip_binary {
            return Ok((self.summary(name, 0, out)?, None));
        }
        let mut behind = None;
        let mut earlier: VecDeque<(Place, Vec<u8>)> = VecDeque::new();
        let (mut line, mut number, mut count) = (Vec::new(), 0, 0);
        let mut next_offset = 0;
        let (mut owed, mut last_printed) = (0, 0);
        while count < self.most || owed > 0 {
            line.clear();
            if input.read_until(self.end, &mut line)? == 0 {
                break;
            }
            number += 1;
            let place = Place { number, offset: next_offset };
            next_offset += line.len();
            if line.last() == Some(&self.end) {
                line.pop();
            }
            if count < self.most && self.matcher.is_match(&line) != self.invert {
                count += 1;
                if count == self.most {
                    behind = Some(next_offset);
                }
                if !self.text && !binary && next_offset > looked {
                    let next = input.fill_buf()?;
                    looked = next_offset + next.len();
                    binary = next.contains(&0) || line.contains(&0);
                }
                match self.output {
                    Output::Nothing | Output::NamesWith | Output::NamesWithout => break,
                    Output::Lines if binary => {
                        eprintln!("grep: {name}: binary file matches");
                        break;
                    }
                    Output::Lines => {
                        let first = earlier.front().map_or(number, |(place, _)| place.number);
                        if let Some(between) = &self.between
                            && self.printed.get()
                            && (last_printed == 0 || first > last_printed + 1)
                        {
                            writeln!(out, "{between}").map_err(unwritten_error)?;
                        }
                        for (place, line) in earlier.drain(..) {
                            self.around(name, place, &line, out)?;
                        }
                        self.printed.set(true);
                        self.found(name, place, &line, out)?;
                        (owed, last_printed) = (self.after, number);
                    }
                    Output::Count => {}
                }
            } else if owed > 0 {
                self.around(name, place, &line, out)?;
                (owed, last_printed) = (owed - 1, number);
            } else if self.before > 0 {
                earlier.push_back((place, line.clone()));
                if earlier.len() > self.before {
                    earlier.pop_front();
                }
            }
        }
        Ok((self.summary(name, count, out)?, behind))
    }

    /// A line of the context; with -o, what matches in it.
    fn around(
        &self,
        name: &str,
        place: Place,
        line: &[u8],
        out: &mut impl Write,
    ) -> io::Result<()> {
        match self.only {
            true if self.invert => self.matches(name, place, '-', line, out),
            true => Ok(()),
            false => self.print(name, place, '-', line, out),
        }
    }

    pub(super) fn summary(
        &self,
        name: &str,
        count: usize,
        out: &mut impl Write,
    ) -> io::Result<bool> {
        match self.output {
            Output::Count if self.names => writeln!(out, "{name}:{count}")?,
            Output::Count => writeln!(out, "{count}")?,
            Output::NamesWith if count > 0 => self.name(name, out)?,
            Output::NamesWithout if count == 0 => self.name(name, out)?,
            _ => {}
        }
        Ok(count > 0)
    }

    fn name(&self, name: &str, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{name}{}", if self.null { '\0' } else { '\n' })
    }

    fn found(&self, name: &str, place: Place, line: &[u8], out: &mut impl Write) -> io::Result<()> {
        if !self.only {
            return self.print(name, place, ':', line, out);
        }
        if self.invert { Ok(()) } else { self.matches(name, place, ':', line, out) }
    }

    fn matches(
        &self,
        name: &str,
        place: Place,
        separator: char,
        line: &[u8],
        out: &mut impl Write,
    ) -> io::Result<()> {
        for part in self.matcher.parts(line) {
            let within = part.as_ptr().addr() - line.as_ptr().addr();
            let place = Place { offset: place.offset + within, ..place };
            self.print(name, place, separator, part, out)?;
        }
        Ok(())
    }

    fn print(
        &self,
        name: &str,
        place: Place,
        separator: char,
        line: &[u8],
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.written(name, place, separator, line, out).map_err(unwritten_error)
    }

    fn written(
        &self,
        name: &str,
        place: Place,
        separator: char,
        line: &[u8],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let colours = self.colours.as_ref();
        let paint = |colour: fn(&Colours) -> &str, text: &str| match colours {
            Some(colours) => colours.paint(colour(colours), text),
            None => text.to_owned(),
        };
        let width = self.width.get();
        let between = paint(|colours| &colours.separator, &separator.to_string());
        if self.names {
            let behind = if self.null { "\0" } else { &between };
            write!(out, "{}{behind}", paint(|colours| &colours.name, name))?;
        }
        if self.numbers {
            let number = format!("{:>width$}", place.number);
            write!(out, "{}{between}", paint(|colours| &colours.number, &number))?;
        }
        if self.offsets {
            let offset = format!("{:>width$}", place.offset);
            write!(out, "{}{between}", paint(|colours| &colours.offset, &offset))?;
        }
        let begun = self.names || self.numbers || self.offsets;
        if self.tab && begun && !line.is_empty() {
            out.write_all(b"\t")?;
        }
        match colours {
            Some(colours) if self.only => colours.only(line, separator == '-', out)?,
            Some(colours) => {
                let parts = self.matcher.parts(line);
                colours.line(line, &parts, separator == '-', self.invert, out)?;
            }
            None => out.write_all(line)?,
        }
        out.write_all(&[self.end])
    }
}
