//! The formats of hexdump(1): units, each with how often it is used, of how many bytes, and a text with conversions.

use crate::conversion::Spec;

/// Why a format is refused, in hexdump's words.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Fault {
    #[error("bad format {{{0}}}")]
    Format(String),
    #[error("bad conversion character %{0}")]
    Conversion(String),
    #[error("bad byte count for conversion character {0}")]
    Size(char),
    #[error("%s requires a precision or a byte count")]
    NoSize,
    #[error("byte count with multiple conversion characters")]
    Several,
    #[error("a format takes more than {LARGEST} bytes")]
    Large,
}

/// No block is larger, in bytes.
const LARGEST: usize = 1 << 20;

/// One format: what is printed of each block.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) units: Vec<Unit>,
}

/// A part of a format.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) turns: usize,
    /// Whether the turns were written; else the last unit takes as many as fill the block.
    fixed: bool,
    pub(super) parts: Vec<Part>,
    /// That each turn takes.
    bytes: usize,
    /// It has a conversion `%_A`, and is printed once, behind all data.
    pub(super) at_end: bool,
}

/// A text, or what is put in the place of a conversion.
#[derive(Debug)]
pub(super) enum Part {
    Text(Vec<u8>),
    Value(Value),
}

/// A conversion, and how many bytes it takes.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) spec: Spec,
    pub(super) kind: Kind,
    pub(super) size: usize,
}

/// What a conversion shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Signed,
    Unsigned(u8),
    Real(u8),
    Char,
    Text,
    /// `%_c`: with the escapes of C.
    Escaped,
    /// `%_p`: what cannot be printed as a dot.
    Printable,
    /// `%_u`: control characters by their names.
    Named,
    Address(u8),
}

impl Format {
    /// Reads one, such as `8/1 "%02x " "\n"`.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Fault> {
        let bad = || Fault::Format(String::from_utf8_lossy(text).into_owned());
        let (mut units, mut rest) = (Vec::new(), text.trim_ascii_start());
        while !rest.is_empty() {
            let (turns, after) = number(rest);
            if turns.is_some() && !matches!(after, [b'/', ..]) && !blank(after) {
                return Err(bad());
            }
            rest = after.trim_ascii_start();
            let mut bytes = None;
            if let [b'/', after @ ..] = rest {
                let (count, after) = number(after.trim_ascii_start());
                if count.is_some() && !blank(after) {
                    return Err(bad());
                }
                (bytes, rest) = (count, after.trim_ascii_start());
            }
            let quoted = rest.strip_prefix(b"\"").ok_or_else(bad)?;
            let end = quoted.iter().position(|byte| *byte == b'"').ok_or_else(bad)?;
            let (text, after) = (quoted.get(..end), quoted.get(end + 1..));
            units.push(Unit::new(turns, bytes.unwrap_or(0), &escapes(text.unwrap_or_default()))?);
            rest = after.unwrap_or_default().trim_ascii_start();
        }
        let format = Self { units };
        if format.bytes() > LARGEST { Err(Fault::Large) } else { Ok(format) }
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let each = self.units.iter().map(|unit| unit.bytes.saturating_mul(unit.turns));
        each.fold(0, usize::saturating_add)
    }

    /// The last unit is used as often as fills the block, if its turns are not written.
    pub(super) fn fill(&mut self, block: usize) {
        let left = block.saturating_sub(self.bytes());
        if let Some(last) = self.units.last_mut().filter(|unit| !unit.fixed) {
            last.turns += left.checked_div(last.bytes).unwrap_or(0);
        }
    }
}

impl Unit {
    fn new(turns: Option<usize>, bytes: usize, text: &[u8]) -> Result<Self, Fault> {
        let (mut parts, mut rest) = (Vec::new(), text);
        let mut at_end = false;
        while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
            parts.push(Part::Text(rest.get(..at).unwrap_or_default().to_vec()));
            let (value, end, after) = Value::parse(rest.get(at + 1..).unwrap_or_default(), bytes)?;
            at_end |= end;
            parts.push(Part::Value(value));
            rest = after;
        }
        parts.push(Part::Text(rest.to_vec()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        let sizes = parts.iter().filter_map(|part| match part {
            Part::Value(value) if value.size > 0 => Some(value.size),
            _ => None,
        });
        if bytes > 0 && sizes.clone().count() > 1 {
            return Err(Fault::Several);
        }
        let bytes = if bytes > 0 { bytes } else { sizes.fold(0, usize::saturating_add) };
        Ok(Self { turns: turns.unwrap_or(1), fixed: turns.is_some(), parts, bytes, at_end })
    }
}

impl Value {
    /// Reads what follows a `%`; also whether it belongs to the end, and what is left.
    fn parse(text: &[u8], bytes: usize) -> Result<(Self, bool, &[u8]), Fault> {
        let (spec, letter, mut rest) = Spec::parse(text, || 0);
        let letter = letter.unwrap_or(0);
        let shown = |letters: &[u8]| Fault::Conversion(String::from_utf8_lossy(letters).into());
        let sized = |allowed: &[usize], otherwise| match bytes {
            0 => Ok(otherwise),
            bytes if allowed.contains(&bytes) => Ok(bytes),
            _ => Err(Fault::Size(char::from(letter))),
        };
        let mut at_end = false;
        let (kind, size) = match letter {
            b'd' | b'i' => (Kind::Signed, sized(&[1, 2, 4, 8], 4)?),
            b'o' | b'u' | b'x' | b'X' => (Kind::Unsigned(letter), sized(&[1, 2, 4, 8], 4)?),
            b'e' | b'E' | b'f' | b'g' | b'G' => (Kind::Real(letter), sized(&[4, 8], 8)?),
            b'c' => (Kind::Char, sized(&[1], 1)?),
            b's' if bytes > 0 => (Kind::Text, bytes),
            b's' => (Kind::Text, spec.precision.ok_or(Fault::NoSize)?),
            b'_' => {
                let (second, after) = rest.split_first().ok_or_else(|| shown(b"_"))?;
                rest = after;
                match second {
                    b'c' => (Kind::Escaped, sized(&[1], 1)?),
                    b'p' => (Kind::Printable, sized(&[1], 1)?),
                    b'u' => (Kind::Named, sized(&[1], 1)?),
                    b'a' | b'A' => {
                        at_end = *second == b'A';
                        let (radix, after) = rest.split_first().unwrap_or((&0, rest));
                        if !matches!(radix, b'd' | b'o' | b'x') {
                            return Err(shown(&[b'_', *second, *radix]));
                        }
                        rest = after;
                        (Kind::Address(*radix), 0)
                    }
                    other => return Err(shown(&[b'_', *other])),
                }
            }
            other => return Err(shown(&[other])),
        };
        Ok((Self { spec, kind, size }, at_end, rest))
    }
}

/// A decimal number at the beginning, if there is one. A larger one than any block is one too large.
fn number(text: &[u8]) -> (Option<usize>, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let add = |value: usize, digit: &u8| (value * 10 + usize::from(digit - b'0')).min(LARGEST + 1);
    ((end > 0).then(|| digits.iter().fold(0, add)), rest)
}

fn blank(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_whitespace)
}

fn escapes(text: &[u8]) -> Vec<u8> {
    let (mut out, mut bytes) = (Vec::new(), text.iter());
    while let Some(byte) = bytes.next() {
        out.push(match (byte, byte == &b'\\') {
            (byte, false) => *byte,
            (_, true) => match bytes.next() {
                None => b'\\',
                Some(b'0') => 0,
                Some(b'a') => 7,
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => *other,
            },
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_unit_fills_the_block() {
        let mut format = Format::parse(b"\"%04_ax\" 2/2 \"%x\" /1 \" %d\"").unwrap();
        assert_eq!(format.bytes(), 5);
        format.fill(16);
        assert_eq!(format.units.iter().map(|unit| unit.turns).collect::<Vec<_>>(), [1, 2, 12]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fault = |text: &str| Format::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(fault("x"), "bad format {x}");
        assert_eq!(fault("\"%x"), "bad format {\"%x}");
        assert_eq!(fault("\"%_q\""), "bad conversion character %_q");
        assert_eq!(fault("/2 \"%x%x\""), "byte count with multiple conversion characters");
        assert_eq!(fault("99999999999999/4 \"%x\""), "a format takes more than 1048576 bytes");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "([0-9]{1,30}|/|\"|%[-0-9.]{0,4}|[a-z_A]| |\\\\){0,20}") {
            if let Ok(mut format) = Format::parse(text.as_bytes()) {
                format.fill(LARGEST);
            }
        }
    }
}
