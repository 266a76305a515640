//! Writes blocks as formats say.

use super::format::{Format, Kind, Part, Unit, Value};
use std::io::{self, Write};

/// What all formats show of one block. Of the last one only the first `filled` bytes are data.
pub(super) fn block(
    formats: &[Format],
    start: u64,
    block: &[u8],
    filled: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    for format in formats {
        let mut at = 0;
        for unit in format.units.iter().take_while(|unit| !unit.at_end) {
            for turn in 1..=unit.turns {
                let last = turn == unit.turns && unit.turns > 1;
                at = turn_of(unit, last, start, at, (block, filled), out)?;
            }
        }
    }
    Ok(())
}

/// What the formats say behind all data.
pub(super) fn end(formats: &[Format], at: u64, out: &mut impl Write) -> io::Result<()> {
    let units = formats.iter().flat_map(|format| &format.units);
    match units.rev().find(|unit| unit.at_end) {
        Some(unit) => turn_of(unit, false, at, 0, (&[], 1), out).map(drop),
        None => Ok(()),
    }
}

/// Writes a unit once, from the place `at` of the block on; returns the place behind. The last of several turns leaves
/// out a blank at its end.
fn turn_of(
    unit: &Unit,
    last: bool,
    start: u64,
    mut at: usize,
    (block, filled): (&[u8], usize),
    out: &mut impl Write,
) -> io::Result<usize> {
    for (number, part) in unit.parts.iter().enumerate() {
        match part {
            Part::Text(text) => {
                let cut = last && number + 1 == unit.parts.len();
                let cut = usize::from(cut && text.last().is_some_and(u8::is_ascii_whitespace));
                out.write_all(text.get(..text.len() - cut).unwrap_or_default())?;
            }
            Part::Value(value) if at >= filled => out.write_all(&value.spec.padded(b""))?,
            Part::Value(value) => {
                let data = block.get(at..at + value.size).unwrap_or_default();
                let place = start.saturating_add(u64::try_from(at).unwrap_or(0));
                out.write_all(&shown(value, data, place))?;
            }
        }
        if let Part::Value(value) = part {
            at += value.size;
        }
    }
    Ok(at)
}

fn shown(value: &Value, data: &[u8], place: u64) -> Vec<u8> {
    let spec = &value.spec;
    let byte = data.first().copied().unwrap_or(0);
    match value.kind {
        Kind::Address(radix) => spec.unsigned(radix, place),
        Kind::Unsigned(letter) => spec.unsigned(letter, little_endian(data)),
        Kind::Signed => {
            let unused = u32::try_from((8 - data.len().min(8)) * 8).unwrap_or(0);
            let top = little_endian(data).checked_shl(unused).unwrap_or(0).cast_signed();
            let number = top.checked_shr(unused).unwrap_or(0);
            spec.decimal(number < 0, number.unsigned_abs().to_string())
        }
        Kind::Real(letter) => match data.try_into() {
            Ok(four) => spec.real(letter, f32::from_le_bytes(four).into()),
            Err(_) => spec.real(letter, f64::from_bits(little_endian(data))),
        },
        Kind::Char => spec.padded(&[byte]),
        Kind::Text => spec.text(data.split(|byte| *byte == 0).next().unwrap_or_default()),
        Kind::Escaped => spec.padded(escaped(byte).as_bytes()),
        Kind::Printable => spec.padded(&[if matches!(byte, b' '..=b'~') { byte } else { b'.' }]),
        Kind::Named => match NAMES.get(usize::from(byte)) {
            Some(name) => spec.padded(name.as_bytes()),
            None if byte == 0x7f => spec.padded(b"del"),
            None if byte < 0x7f => spec.padded(&[byte]),
            None => spec.unsigned(b'x', byte.into()),
        },
    }
}

fn little_endian(data: &[u8]) -> u64 {
    data.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn escaped(byte: u8) -> String {
    match byte {
        0 => "\\0".into(),
        7 => "\\a".into(),
        8 => "\\b".into(),
        b'\t' => "\\t".into(),
        b'\n' => "\\n".into(),
        11 => "\\v".into(),
        12 => "\\f".into(),
        b'\r' => "\\r".into(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("{byte:03o}"),
    }
}

/// The control characters of ASCII.
const NAMES: [&str; 32] = [
    "nul", "soh", "stx", "etx", "eot", "enq", "ack", "bel", "bs", "ht", "lf", "vt", "ff", "cr",
    "so", "si", "dle", "dc1", "dc2", "dc3", "dc4", "nak", "syn", "etb", "can", "em", "sub", "esc",
    "fs", "gs", "rs", "us",
];
