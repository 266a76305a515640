//! `printf`, of AWK: formats and values to bytes.

use super::value::{Value, number_text};

#[derive(Clone, Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    alt: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// No field is padded further: memory is not the script's to fill by a slip.
const WIDEST: usize = 1 << 20;

/// Formats `args`; `convfmt` makes text of numbers where text is asked for.
pub(crate) fn sprintf(format: &[u8], args: &[Value], convfmt: &[u8]) -> Vec<u8> {
    let (mut out, mut rest, mut args) = (Vec::new(), format, args.iter());
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        let (spec, letter, after) = parse(from.get(1..).unwrap_or_default(), &mut args);
        match letter {
            Some(b'%') => out.push(b'%'),
            Some(letter) if b"diouxXcseEfFgG".contains(&letter) => {
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

/// Flags, width, precision and letter, and what is left.
fn parse<'a, 'b>(
    text: &'a [u8],
    args: &mut impl Iterator<Item = &'b Value>,
) -> (Spec, Option<u8>, &'a [u8]) {
    let mut spec = Spec::default();
    let mut rest = text;
    while let [flag @ (b'-' | b'+' | b' ' | b'#' | b'0' | b'\''), after @ ..] = rest {
        match flag {
            b'-' => spec.left = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'#' => spec.alt = true,
            b'0' => spec.zero = true,
            _ => {}
        }
        rest = after;
    }
    let (width, after) = count(rest, args);
    if let Some(width) = width {
        spec.left |= width < 0;
        spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(WIDEST).min(WIDEST);
    }
    rest = after;
    if let [b'.', after @ ..] = rest {
        let (precision, after) = count(after, args);
        let precision = precision.unwrap_or(0);
        spec.precision = usize::try_from(precision).ok().map(|p| p.min(WIDEST));
        rest = after;
    }
    while let [b'l' | b'h' | b'L' | b'q' | b'j' | b'z', after @ ..] = rest {
        rest = after;
    }
    match rest {
        [letter, after @ ..] => (spec, Some(*letter), after),
        [] => (spec, None, rest),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a width is small; Rust saturates")]
fn count<'a, 'b>(
    text: &'a [u8],
    args: &mut impl Iterator<Item = &'b Value>,
) -> (Option<i64>, &'a [u8]) {
    if let [b'*', after @ ..] = text {
        return (Some(args.next().map_or(0, |value| value.number() as i64)), after);
    }
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    (std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()), after)
}

fn one(spec: &Spec, letter: u8, value: &Value, convfmt: &[u8]) -> Vec<u8> {
    let mut spec = spec.clone();
    let (sign, body) = match letter {
        b'c' => (String::new(), character(value)),
        b's' => {
            let text = value.bytes(convfmt);
            let cut = spec.precision.map_or(text.len(), |p| p.min(text.len()));
            (String::new(), text.get(..cut).unwrap_or_default().to_vec())
        }
        _ => {
            let number = value.number();
            if !number.is_finite() {
                spec.zero = false;
                let text = number_text(number, b"");
                (String::new(), text)
            } else {
                numeric(&mut spec, letter, number)
            }
        }
    };
    pad(&spec, sign.as_bytes(), &body, matches!(letter, b'c' | b's'))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a byte is what is wanted"
)]
fn character(value: &Value) -> Vec<u8> {
    match value {
        Value::Num(number) => vec![(*number as i64 & 0xff) as u8],
        value => value.bytes(b"%.6g").iter().take(1).copied().collect(),
    }
}

/// Sign or prefix, and digits.
fn numeric(spec: &mut Spec, letter: u8, number: f64) -> (String, Vec<u8>) {
    let plus = if spec.plus {
        "+"
    } else if spec.space {
        " "
    } else {
        ""
    };
    let mut sign = if number.is_sign_negative() { "-".to_owned() } else { plus.to_owned() };
    let size = number.abs();
    let precision = spec.precision.unwrap_or(6);
    let digits = match letter {
        b'd' | b'i' | b'u' => {
            if size.trunc() == 0.0 && number.is_sign_negative() {
                sign = plus.to_owned();
            }
            integer(spec, format!("{:.0}", size.trunc()))
        }
        b'o' | b'x' | b'X' if number < 0.0 => return (sign, general(size, 6, false).into_bytes()),
        b'o' | b'x' | b'X' => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates"
            )]
            let whole = size as u64;
            sign = String::new();
            let text = match letter {
                b'o' => format!("{}{whole:o}", if spec.alt { "0" } else { "" }),
                b'x' => format!("{whole:x}"),
                _ => format!("{whole:X}"),
            };
            if spec.alt && letter != b'o' && whole != 0 {
                sign = format!("0{}", char::from(letter));
            }
            integer(spec, text)
        }
        b'e' | b'E' => exponent(size, precision),
        b'f' | b'F' => {
            let shown = precision.min(DIGITS);
            let text = format!("{size:.shown$}") + &"0".repeat(precision - shown);
            if spec.alt && precision == 0 { format!("{text}.") } else { text }
        }
        _ => general(size, precision, spec.alt),
    };
    let digits = if matches!(letter, b'E' | b'G') { digits.to_uppercase() } else { digits };
    (sign, digits.into_bytes())
}

/// A whole number's digits: the precision is the least number of them.
fn integer(spec: &mut Spec, digits: String) -> String {
    match spec.precision {
        None => digits,
        Some(0) if digits == "0" => String::new(),
        Some(least) => {
            spec.zero = false;
            "0".repeat(least.saturating_sub(digits.len())) + &digits
        }
    }
}

/// No number has more digits behind its point; Rust's formats take no more than 65535.
const DIGITS: usize = 1100;

/// `1.500000e+02`
fn exponent(size: f64, precision: usize) -> String {
    let shown = precision.min(DIGITS);
    let text = format!("{size:.shown$e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let zeros = "0".repeat(precision - shown);
    let (sign, power) = match power.strip_prefix('-') {
        Some(power) => ('-', power),
        None => ('+', power),
    };
    format!("{digits}{zeros}e{sign}{power:0>2}")
}

/// `%g`: the shorter of the two, without zeros at the end.
fn general(size: f64, precision: usize, keep: bool) -> String {
    let precision = precision.max(1);
    let scientific = exponent(size, precision - 1);
    let power: i64 = scientific.split_once('e').and_then(|(_, p)| p.parse().ok()).unwrap_or(0);
    let most = i64::try_from(precision).unwrap_or(i64::MAX);
    let trim = |text: &str| {
        if keep || !text.contains('.') {
            text.to_owned()
        } else {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    };
    if size != 0.0 && (power < -4 || power >= most) {
        let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "+00"));
        return format!("{}e{power}", trim(digits));
    }
    let decimals = usize::try_from(most - 1 - if size == 0.0 { 0 } else { power }).unwrap_or(0);
    let shown = decimals.min(DIGITS);
    trim(&(format!("{size:.shown$}") + &"0".repeat(decimals - shown)))
}

fn pad(spec: &Spec, sign: &[u8], body: &[u8], text: bool) -> Vec<u8> {
    let fill = spec.width.saturating_sub(sign.len() + body.len());
    if spec.left {
        [sign, body, &vec![b' '; fill]].concat()
    } else if spec.zero && !text {
        [sign, &vec![b'0'; fill], body].concat()
    } else {
        [&vec![b' '; fill], sign, body].concat()
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
