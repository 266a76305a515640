//! The form in which both files stand as one: `--ifdef`, and what users make of `--GROUP-group-format`.

use super::{
    Change,
    print::{Lines, Printer, Span, some},
};
use crate::applet::{Args, usage_error};
use std::{
    io::{self, Write},
    os::unix::ffi::OsStrExt,
};

/// What lines are: in the first file only, in the second only, in both.
#[derive(Clone, Copy)]
enum Of {
    Old,
    New,
    Both,
}

/// How groups of lines are written, and the lines in them.
pub(crate) struct Formats {
    old: Vec<u8>,
    new: Vec<u8>,
    changed: Vec<u8>,
    common: Vec<u8>,
    old_line: Vec<u8>,
    new_line: Vec<u8>,
    common_line: Vec<u8>,
}

/// How lines are written if nothing is said.
const USUAL_LINE: &[u8] = b"%l\n";

/// A format inside a format goes so deep at most.
const DEEPEST: usize = 64;

impl Formats {
    pub(crate) fn new(args: &Args) -> anyhow::Result<Self> {
        let given = |option: &'static str| -> anyhow::Result<Option<Vec<u8>>> {
            let mut values = args.values(option).map(OsStrExt::as_bytes);
            let Some(first) = values.next() else { return Ok(None) };
            match values.find(|value| *value != first) {
                None => Ok(Some(first.to_vec())),
                Some(other) => usage_error(format!(
                    "conflicting --{option} option value '{}'",
                    String::from_utf8_lossy(other)
                )),
            }
        };
        // A name must not be taken for a format.
        let doubled = |name: &[u8]| {
            let each = |byte: &u8| if *byte == b'%' { vec![b'%', b'%'] } else { vec![*byte] };
            name.iter().flat_map(each).collect::<Vec<u8>>()
        };
        let name = given("ifdef")?.map(|name| doubled(&name));
        let around = |parts: &[&[u8]]| {
            let name = name.as_ref()?;
            let join = |part: &&[u8]| if *part == b"NAME" { name.clone() } else { part.to_vec() };
            Some(parts.iter().flat_map(join).collect::<Vec<u8>>())
        };
        let line = given("line-format")?;
        let of_line = |own: Option<Vec<u8>>| {
            own.or_else(|| line.clone()).unwrap_or_else(|| USUAL_LINE.to_vec())
        };
        // What is said of one kind of change holds for the others, if nothing is said of them.
        let changed = given("changed-group-format")?;
        let one = |own: Option<Vec<u8>>, ifdef: Option<Vec<u8>>, usual: &[u8]| {
            own.or(ifdef).or_else(|| changed.clone()).unwrap_or_else(|| usual.to_vec())
        };
        let old = one(
            given("old-group-format")?,
            around(&[b"#ifndef ", b"NAME", b"\n%<#endif /* ! ", b"NAME", b" */\n"]),
            b"%<",
        );
        let new = one(
            given("new-group-format")?,
            around(&[b"#ifdef ", b"NAME", b"\n%>#endif /* ", b"NAME", b" */\n"]),
            b"%>",
        );
        let (middle, end) = (b"\n%<#else /* ", b" */\n%>#endif /* ");
        let both = around(&[b"#ifndef ", b"NAME", middle, b"NAME", end, b"NAME", b" */\n"]);
        let changed = changed.or(both).unwrap_or_else(|| [old.as_slice(), &new].concat());
        Ok(Self {
            changed,
            old,
            new,
            common: given("unchanged-group-format")?.unwrap_or_else(|| b"%=".to_vec()),
            old_line: of_line(given("old-line-format")?),
            new_line: of_line(given("new-line-format")?),
            common_line: of_line(given("unchanged-line-format")?),
        })
    }

    /// Whether nothing is written of common lines.
    pub(crate) fn common_is_nothing(&self) -> bool {
        self.common.is_empty() || self.common == b"%=" && self.common_line.is_empty()
    }
}

impl Printer<'_> {
    /// All lines, as the formats say.
    pub(crate) fn merged(&mut self, formats: &Formats, changes: &[Change]) -> io::Result<()> {
        let (mut old, mut new) = (0, 0);
        for change in changes.iter().filter(|change| !change.ignored) {
            self.unchanged(formats, (old, change.old.0), (new, change.new.0))?;
            let format = match change.letter() {
                'c' => &formats.changed,
                'd' => &formats.old,
                _ => &formats.new,
            };
            Group { printer: self, formats, old: change.old, new: change.new }
                .write(format, true, None)?;
            (old, new) = (change.old.1, change.new.1);
        }
        self.unchanged(formats, (old, self.old.len()), (new, self.new.len()))
    }

    fn unchanged(&mut self, formats: &Formats, old: Span, new: Span) -> io::Result<()> {
        if old.0 < old.1 || new.0 < new.1 {
            Group { printer: self, formats, old, new }.write(&formats.common, true, None)?;
        }
        Ok(())
    }
}

/// Which part of a choice is being written.
#[derive(Clone, Copy)]
struct Choice {
    /// The character that ends it.
    end: u8,
    /// Choices around it.
    depth: usize,
}

/// A group that is being written.
struct Group<'a, 'b> {
    printer: &'a mut Printer<'b>,
    formats: &'a Formats,
    old: Span,
    new: Span,
}

impl Group<'_, '_> {
    /// Writes by a format, if it is `shown`; what stands behind it, from the end of a choice on.
    fn write<'f>(
        &mut self,
        format: &'f [u8],
        shown: bool,
        choice: Option<Choice>,
    ) -> io::Result<&'f [u8]> {
        let mut rest = format;
        while let [first, after @ ..] = rest {
            if choice.is_some_and(|choice| choice.end == *first) {
                return Ok(rest);
            }
            let depth = choice.map_or(0, |choice| choice.depth);
            let piece = if *first == b'%' { self.piece(after, shown, depth)? } else { None };
            rest = match piece {
                Some(behind) => behind,
                None => {
                    if shown {
                        self.printer.out.write_all(&[*first])?;
                    }
                    after
                }
            };
        }
        Ok(rest)
    }

    /// What a `%` begins; what stands behind it, or `None` if it is only that character.
    fn piece<'f>(
        &mut self,
        text: &'f [u8],
        shown: bool,
        depth: usize,
    ) -> io::Result<Option<&'f [u8]>> {
        let (of, behind) = match text {
            [b'<', behind @ ..] => (Of::Old, behind),
            [b'>', behind @ ..] => (Of::New, behind),
            [b'=', behind @ ..] => (Of::Both, behind),
            [b'(', behind @ ..] if depth < DEEPEST => return self.choice(behind, shown, depth),
            _ => {
                if let Some((byte, behind)) = character(text) {
                    if shown {
                        self.printer.out.write_all(&[byte])?;
                    }
                    return Ok(Some(behind));
                }
                let Some((number, behind)) = Number::parse(text) else { return Ok(None) };
                let Some(value) = self.value(number.of) else { return Ok(None) };
                if shown {
                    self.printer.out.write_all(number.shown(value).as_bytes())?;
                }
                return Ok(Some(behind));
            }
        };
        if shown {
            self.lines(of)?;
        }
        Ok(Some(behind))
    }

    /// `A=B?T:E)`
    fn choice<'f>(
        &mut self,
        text: &'f [u8],
        shown: bool,
        depth: usize,
    ) -> io::Result<Option<&'f [u8]>> {
        let Some((a, text)) = self.operand(text) else { return Ok(None) };
        let Some((b, text)) = text.strip_prefix(b"=").and_then(|text| self.operand(text)) else {
            return Ok(None);
        };
        let Some(text) = text.strip_prefix(b"?") else { return Ok(None) };
        let part = |end| Some(Choice { end, depth: depth + 1 });
        let mut rest = self.write(text, shown && a == b, part(b':'))?;
        if let Some(text) = rest.strip_prefix(b":") {
            rest = self.write(text, shown && a != b, part(b')'))?;
        }
        Ok(Some(rest.strip_prefix(b")").unwrap_or(rest)))
    }

    /// A number, or the letter of one.
    fn operand<'f>(&self, text: &'f [u8]) -> Option<(usize, &'f [u8])> {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            let (letter, behind) = text.split_first()?;
            return Some((self.value(*letter)?, behind));
        }
        let (number, behind) = text.split_at(digits);
        Some((std::str::from_utf8(number).ok()?.parse().ok()?, behind))
    }

    /// What a letter stands for.
    fn value(&self, letter: u8) -> Option<usize> {
        let (from, to) = if letter.is_ascii_uppercase() { self.new } else { self.old };
        Some(match letter.to_ascii_lowercase() {
            b'e' => from,
            b'f' => from + 1,
            b'l' => to,
            b'm' => to + 1,
            b'n' => to - from,
            _ => return None,
        })
    }

    fn lines(&mut self, of: Of) -> io::Result<()> {
        let Printer { out, old, new, .. } = &mut *self.printer;
        let (lines, span, format): (&Lines<'_>, _, _) = match of {
            Of::Old => (old, self.old, &self.formats.old_line),
            Of::New => (new, self.new, &self.formats.new_line),
            Of::Both => (old, self.old, &self.formats.common_line),
        };
        for (line, number) in some(lines, span).iter().zip(span.0 + 1..) {
            // The usual format, for many lines.
            if format == USUAL_LINE && line.ends_with(b"\n") {
                out.write_all(line)?;
            } else {
                write_line(*out, format, line, number)?;
            }
        }
        Ok(())
    }
}

fn write_line(out: &mut dyn Write, format: &[u8], line: &[u8], number: usize) -> io::Result<()> {
    let mut rest = format;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'%', [b'L', behind @ ..]) => {
                out.write_all(line)?;
                rest = behind;
            }
            (b'%', [b'l', behind @ ..]) => {
                out.write_all(line.strip_suffix(b"\n").unwrap_or(line))?;
                rest = behind;
            }
            (b'%', _) => {
                if let Some((byte, behind)) = character(after) {
                    out.write_all(&[byte])?;
                    rest = behind;
                } else if let Some((shape, behind)) =
                    Number::parse(after).filter(|(shape, _)| shape.of == b'n')
                {
                    out.write_all(shape.shown(number).as_bytes())?;
                    rest = behind;
                } else {
                    out.write_all(b"%")?;
                }
            }
            (byte, _) => out.write_all(&[*byte])?,
        }
    }
    Ok(())
}

/// `%`, `c'X'` or `c'\OCTAL'`.
fn character(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'%', behind @ ..] => Some((b'%', behind)),
        [b'c', b'\'', b'\\', behind @ ..] => {
            let digits = behind.iter().take(3).take_while(|b| (b'0'..b'8').contains(b)).count();
            let (octal, behind) = behind.split_at_checked(digits)?;
            let value = u32::from_str_radix(std::str::from_utf8(octal).ok()?, 8).ok()?;
            Some((u8::try_from(value & 0xff).ok()?, behind.strip_prefix(b"'")?))
        }
        [b'c', b'\'', byte, b'\'', behind @ ..] if *byte != b'\'' => Some((*byte, behind)),
        _ => None,
    }
}

/// How a number is written, as `printf` has it, and which.
#[derive(Debug, PartialEq, Eq)]
struct Number {
    left: bool,
    zeros: bool,
    width: usize,
    /// Digits at least.
    digits: usize,
    base: u8,
    of: u8,
}

impl Number {
    fn parse(text: &[u8]) -> Option<(Self, &[u8])> {
        let flags = text.iter().take_while(|byte| matches!(byte, b'-' | b'\'' | b'0')).count();
        let (flags, text) = text.split_at_checked(flags)?;
        let (width, text) = count(text)?;
        let (digits, text) = match text.strip_prefix(b".") {
            Some(text) => count(text).map(|(digits, text)| (Some(digits), text))?,
            None => (None, text),
        };
        let [base @ (b'd' | b'o' | b'x' | b'X'), of, behind @ ..] = text else { return None };
        let left = flags.contains(&b'-');
        let number = Self {
            left,
            zeros: flags.contains(&b'0') && !left && digits.is_none(),
            width,
            digits: digits.unwrap_or(0),
            base: *base,
            of: *of,
        };
        Some((number, behind))
    }

    fn shown(&self, value: usize) -> String {
        let digits = if self.zeros { self.width } else { self.digits };
        let text = match self.base {
            b'o' => format!("{value:0digits$o}"),
            b'x' => format!("{value:0digits$x}"),
            b'X' => format!("{value:0digits$X}"),
            _ => format!("{value:0digits$}"),
        };
        let width = self.width;
        if self.left { format!("{text:<width$}") } else { format!("{text:>width$}") }
    }
}

/// A number of columns, small enough to be written.
fn count(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, behind) = text.split_at_checked(digits)?;
    if digits == 0 {
        return Some((0, behind));
    }
    let number: u16 = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some((number.into(), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_printf_writes_them() {
        for (format, shown) in [
            ("dn", "10"),
            ("5dn", "   10"),
            ("-5dn|", "10   |"),
            ("05dn", "00010"),
            ("6.3xn", "   00a"),
            ("on", "12"),
            ("Xn", "A"),
        ] {
            let (number, behind) = Number::parse(format.as_bytes()).unwrap();
            assert_eq!(number.shown(10) + &String::from_utf8_lossy(behind), shown, "{format}");
        }
        for format in ["", "q", "d", "99999999dn", "5", "-", ".5", "%"] {
            assert_eq!(Number::parse(format.as_bytes()), None, "{format}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_format_panics(text: Vec<u8>) {
            let _ = write_line(&mut Vec::new(), &text, b"line\n", 3);
            let _ = character(&text);
        }
    }
}
