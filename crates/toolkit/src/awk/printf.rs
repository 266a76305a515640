//! `printf`, of AWK: formats and values to bytes.

use super::value::{Value, number_text};
use crate::conversion::Spec;

/// Formats `args`; `convfmt` makes text of numbers where text is asked for.
pub(crate) fn sprintf(format: &[u8], args: &[Value], convfmt: &[u8]) -> Vec<u8> {
    let (mut out, mut rest, mut args) = (Vec::new(), format, args.iter());
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        let (spec, letter, after) = parse(from.get(1..).unwrap_or_default(), &mut args);
        match letter {
            Some(b'%') => out.push(b'%'),
            Some(letter) if b"diouxXcsaAeEfFgG".contains(&letter) => {
                let value = args.next().cloned().unwrap_or(Value::Nothing);
                out.extend(one(&spec, letter, &value, convfmt));
            }
            _ => out.extend_from_slice(from.get(..from.len() - after.len()).unwrap_or(from)),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

/// A conversion without the length that C has between precision and letter.
#[expect(clippy::cast_possible_truncation, reason = "a width is small; Rust saturates")]
fn parse<'a, 'b>(
    text: &'a [u8],
    args: &mut impl Iterator<Item = &'b Value>,
) -> (Spec, Option<u8>, &'a [u8]) {
    let star = || args.next().map_or(0, |value| value.number() as i64);
    let (mut spec, mut letter, mut rest) = Spec::parse(text, star);
    spec.double = true;
    while let Some(b'l' | b'h' | b'L' | b'q' | b'j' | b'z') = letter {
        (letter, rest) = rest.split_first().map_or((None, rest), |(l, rest)| (Some(*l), rest));
    }
    (spec, letter, rest)
}

fn one(spec: &Spec, letter: u8, value: &Value, convfmt: &[u8]) -> Vec<u8> {
    match letter {
        b'c' => spec.padded(&character(value)),
        b's' => spec.text(&value.bytes(convfmt)),
        _ => {
            let number = value.number();
            if number.is_finite() {
                numeric(spec, letter, number)
            } else {
                spec.padded(&number_text(number, b""))
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a byte is what is wanted; Rust saturates"
)]
fn character(value: &Value) -> Vec<u8> {
    match value {
        Value::Num(number) => vec![(*number as i64 & 0xff) as u8],
        value => value.bytes(b"%.6g").iter().take(1).copied().collect(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "Rust saturates")]
fn numeric(spec: &Spec, letter: u8, number: f64) -> Vec<u8> {
    match letter {
        b'd' | b'i' | b'u' => {
            let whole = number.trunc();
            spec.decimal(whole < 0.0, format!("{:.0}", whole.abs()))
        }
        // What has no such digits is shown as it is.
        b'o' | b'x' | b'X' if number < 0.0 => {
            let mut spec = spec.clone();
            spec.precision = None;
            spec.real(b'g', number)
        }
        b'o' | b'x' | b'X' => spec.unsigned(letter, number as u64),
        _ => spec.real(letter, number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f(format: &str, number: f64) -> String {
        String::from_utf8(sprintf(format.as_bytes(), &[Value::Num(number)], b"%.6g")).unwrap()
    }

    #[test]
    fn numbers_are_as_in_c() {
        for (format, number, text) in [
            ("%d", -3.9, "-3"),
            ("%5d|", 42.0, "   42|"),
            ("%-5d|", 42.0, "42   |"),
            ("%05d", -42.0, "-0042"),
            ("%+d", 1.0, "+1"),
            ("%x", 255.0, "ff"),
            ("%#o", 8.0, "010"),
            ("%e", 12345.678, "1.234568e+04"),
            ("%.2f", 2.345, "2.35"),
            ("%g", 1e10, "1e+10"),
            ("%g", 0.0001, "0.0001"),
            ("%g", 0.00001, "1e-05"),
            ("%g", 100000.0, "100000"),
            ("%G", 1e-10, "1E-10"),
            ("%c", 65.0, "A"),
            ("%s", 0.1, "0.1"),
            ("%a", 42.0, "0x1.5p+5"),
            ("%.3d", 5.0, "005"),
            ("%%", 0.0, "%"),
            ("%z", 0.0, "%z"),
            ("%g", 0.0, "0"),
            ("%.0f", 0.5, "0"),
        ] {
            assert_eq!(f(format, number), text, "{format} {number}");
        }
    }

    #[test]
    fn precision_may_be_large() {
        for (letter, length) in [('d', 70_000), ('x', 70_000), ('f', 70_002), ('e', 70_006)] {
            assert_eq!(f(&format!("%.70000{letter}"), 1.5).len(), length, "{letter}");
        }
        assert_eq!(f("%.70000g", 1.5), "1.5");
        assert_eq!(f("%#.70000g", 1.5).len(), 70_001);
    }

    proptest::proptest! {
        #[test]
        fn any_format_is_taken(format in "[%0-9.*+#a-z -]{0,12}", number: f64) {
            let _ = sprintf(format.as_bytes(), &[Value::Num(number)], b"%.6g");
        }
    }
}
