//! The comparison of two files.

use super::{
    look::Part,
    print::Printer,
    settings::{Form, Settings},
    tree::{Side, State, complain, header_name, name, one_file},
};
use crate::dates::{date, offset};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::MetadataExt as _,
    time::{SystemTime, UNIX_EPOCH},
};

/// A file is binary if there is a zero byte among so many.
const HEAD: usize = 32768;

type Reader = BufReader<Box<dyn Read>>;

/// Compares two files; the status. `below` says that they were found in folders.
pub(crate) fn compare(
    settings: &Settings,
    a: &Side,
    b: &Side,
    below: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let pair = Pair { settings, a, b };
    // Standard input beside itself is the same, and left for others to read.
    if one_file(a, b) && settings.quiet_if_same() || a.is_stdin() && b.is_stdin() {
        pair.identical(out)?;
        return Ok(0);
    }
    let (mut old, mut new) = match (open(a), open(b)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            for (side, error) in [(a, old.err()), (b, new.err())] {
                error.map(|error| complain(&side.path, &error));
            }
            return Ok(2);
        }
    };
    let mut binary = false;
    for (side, reader) in [(a, &mut old), (b, &mut new)] {
        match reader.fill_buf() {
            Ok(head) => binary |= !settings.text && head.contains(&0),
            Err(error) => return Ok(complain(&side.path, &error)),
        }
    }
    let bytes = settings.same.is_exact() && !settings.strip_returns;
    if binary || settings.brief && bytes {
        return match same_bytes(old, new) {
            Ok(true) => pair.identical(out).map(|()| 0),
            Ok(false) => pair.differ(binary, out).map(|()| 1),
            Err((false, error)) => Ok(complain(&a.path, &error)),
            Err((true, error)) => Ok(complain(&b.path, &error)),
        };
    }
    let (mut data_a, mut data_b) = (Vec::new(), Vec::new());
    for (side, reader, data) in [(a, old, &mut data_a), (b, new, &mut data_b)] {
        let mut reader = reader;
        if let Err(error) = reader.read_to_end(data) {
            return Ok(complain(&side.path, &error));
        }
        if settings.strip_returns {
            strip_returns(data);
        }
    }
    let lack = if settings.form.is_for_ed() {
        [(a, &mut data_a), (b, &mut data_b)].map(|(side, data)| end_line(side, data))
    } else {
        [false; 2]
    };
    let status = pair.texts(&data_a, &data_b, below, out)?;
    Ok(if lack.contains(&true) { 2 } else { status })
}

/// Gives a last line an end. That it had none, commands for `ed` cannot say: a message does.
fn end_line(side: &Side, data: &mut Vec<u8>) -> bool {
    let lacks = data.last().is_some_and(|byte| *byte != b'\n');
    if lacks {
        data.push(b'\n');
        eprintln!("diff: {}: No newline at end of file\n", side.path.display());
    }
    lacks
}

/// Opens a file for reading.
fn open(side: &Side) -> io::Result<Reader> {
    let data: Box<dyn Read> = match &side.state {
        State::Absent => Box::new(io::empty()),
        State::There(_) if side.is_stdin() => Box::new(io::stdin().lock()),
        State::There(_) => Box::new(File::open(&side.path)?),
    };
    Ok(BufReader::with_capacity(HEAD, data))
}

/// Whether the rest of both is the same; an error says whether the second file has it.
fn same_bytes(mut a: Reader, mut b: Reader) -> Result<bool, (bool, io::Error)> {
    loop {
        let x = a.fill_buf().map_err(|error| (false, error))?;
        let y = b.fill_buf().map_err(|error| (true, error))?;
        let count = x.len().min(y.len());
        if x.get(..count) != y.get(..count) || x.is_empty() != y.is_empty() {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        a.consume(count);
        b.consume(count);
    }
}

/// Makes each CR LF to LF.
fn strip_returns(data: &mut Vec<u8>) {
    let mut next = data.iter().skip(1).copied().collect::<Vec<u8>>().into_iter();
    data.retain(|byte| next.next() != Some(b'\n') || *byte != b'\r');
}

/// The lines with their ends.
fn lines(data: &[u8]) -> Vec<&[u8]> {
    data.split_inclusive(|byte| *byte == b'\n').collect()
}

/// Two files.
struct Pair<'a> {
    settings: &'a Settings,
    a: &'a Side,
    b: &'a Side,
}

impl Pair<'_> {
    fn identical(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        if self.settings.report_same {
            self.say(out, b"Files ", b" are identical\n")?;
        }
        Ok(())
    }

    fn differ(&self, binary: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        let word: &[u8] = if binary && !self.settings.brief { b"Binary files " } else { b"Files " };
        Ok(self.say(out, word, b" differ\n")?)
    }

    fn say(&self, out: &mut dyn Write, word: &[u8], end: &[u8]) -> io::Result<()> {
        let parts = [word, name(self.a), b" and ", name(self.b), end];
        parts.into_iter().try_for_each(|part| out.write_all(part))
    }

    fn texts(
        &self,
        old_data: &[u8],
        new_data: &[u8],
        below: bool,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        let settings = self.settings;
        let (old, new) = (lines(old_data), lines(new_data));
        let mut changes = if old_data == new_data {
            Vec::new()
        } else {
            super::compare(&self.keys(&old), &self.keys(&new), settings.minimal)
        };
        settings.same.mark(&mut changes, &old, &new);
        let same = changes.iter().all(|change| change.ignored);
        if !same && settings.brief {
            self.differ(false, out)?;
            return Ok(1);
        }
        if !same || !settings.quiet_if_same() && !settings.brief {
            if below {
                let names = [b" ".as_slice(), &header_name(self.a), b" ", &header_name(self.b)];
                let text = [b"diff".as_slice(), &settings.words, &names.concat(), b"\n"].concat();
                out.write_all(&text)?;
            }
            let mut printer =
                Printer { out: &mut *out, look: &settings.look, old: &old, new: &new };
            match settings.form {
                Form::Normal => printer.normal(&changes)?,
                Form::Unified | Form::Context => {
                    self.header(printer.out)?;
                    printer.grouped(settings, &changes)?;
                }
                Form::Ed => printer.ed(&changes)?,
                Form::ForwardEd => printer.forward_ed(&changes)?,
                Form::Rcs => printer.rcs(&changes)?,
                Form::SideBySide => printer.side_by_side(&settings.columns, &changes)?,
                Form::Merged => printer.merged(&settings.formats, &changes)?,
            }
        }
        if same {
            self.identical(out)?;
        }
        Ok(u8::from(!same))
    }

    /// What is compared of each line.
    fn keys<'a>(&self, lines: &[&'a [u8]]) -> Vec<Cow<'a, [u8]>> {
        lines.iter().map(|line| self.settings.same.key(line)).collect()
    }

    fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        let context = self.settings.form == Form::Context;
        let marks = if context { ["***", "---"] } else { ["---", "+++"] };
        for (at, (mark, side)) in marks.into_iter().zip([self.a, self.b]).enumerate() {
            let mut text = format!("{mark} ").into_bytes();
            match self.settings.labels.get(at) {
                Some(label) => text.extend(label.as_encoded_bytes()),
                None => {
                    text.extend(header_name(side));
                    text.extend(format!("\t{}", time(side, context)).bytes());
                }
            }
            self.settings.look.paint(out, Part::Header, &text)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// When a file was changed.
fn time(side: &Side, context: bool) -> String {
    let (seconds, nanos) = match &side.state {
        State::There(meta) if side.is_stdin() && !meta.is_file() => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            (i64::try_from(now.as_secs()).unwrap_or(0), i64::from(now.subsec_nanos()))
        }
        State::There(meta) => (meta.mtime(), meta.mtime_nsec()),
        State::Absent => (0, 0),
    };
    let date = date(seconds);
    if context {
        let (weekday, month, day) = (date.weekday, date.month, date.day);
        return format!("{weekday} {month} {day:>2} {} {}", date.time, date.year);
    }
    let ahead = offset(seconds) / 60;
    let sign = if ahead < 0 { '-' } else { '+' };
    let zone = format!("{sign}{:02}{:02}", ahead.abs() / 60, ahead.abs() % 60);
    format!("{} {}.{nanos:09} {zone}", date.iso(), date.time)
}
