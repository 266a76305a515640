//! The conversions of C's `printf` (C17, 7.21.6.1), for awk and the shell.

/// What stands between `%` and the letter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    alt: bool,
    zero: bool,
    width: usize,
    /// Where it is given: digits of a number, bytes of a text.
    pub(crate) precision: Option<usize>,
    /// `%a` is of C's double, rather than of its long double.
    pub(crate) double: bool,
}

/// No field is padded further: memory is not the script's to fill by a slip.
const WIDEST: usize = 1 << 20;

impl Spec {
    /// Reads what follows a `%`: flags, width, precision, letter; and what is left. `star` gives the value of each `*`.
    pub(crate) fn parse(text: &[u8], mut star: impl FnMut() -> i64) -> (Self, Option<u8>, &[u8]) {
        let mut spec = Self::default();
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
        let (width, after) = count(rest, &mut star);
        if let Some(width) = width {
            spec.left |= width < 0;
            spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(WIDEST).min(WIDEST);
        }
        rest = after;
        if let [b'.', after @ ..] = rest {
            let (precision, after) = count(after, &mut star);
            let precision = precision.unwrap_or(0);
            spec.precision = usize::try_from(precision).ok().map(|p| p.min(WIDEST));
            rest = after;
        }
        match rest {
            [letter, after @ ..] => (spec, Some(*letter), after),
            [] => (spec, None, rest),
        }
    }

    /// A text, cut to the precision and padded.
    pub(crate) fn text(&self, text: &[u8]) -> Vec<u8> {
        let cut = self.precision.map_or(text.len(), |p| p.min(text.len()));
        self.pad("", text.get(..cut).unwrap_or_default(), false)
    }

    /// A text that the precision says nothing about, padded.
    pub(crate) fn padded(&self, text: &[u8]) -> Vec<u8> {
        self.pad("", text, false)
    }

    /// A decimal number of any size: its sign and its digits.
    pub(crate) fn decimal(&self, negative: bool, digits: String) -> Vec<u8> {
        let sign = if negative { "-" } else { self.plus() };
        self.whole(sign, digits)
    }

    /// An unsigned number, for the letters `o`, `x`, `X` and `u`.
    pub(crate) fn unsigned(&self, letter: u8, number: u64) -> Vec<u8> {
        let digits = match letter {
            b'o' => format!("{}{number:o}", if self.alt && number != 0 { "0" } else { "" }),
            b'x' => format!("{number:x}"),
            b'X' => format!("{number:X}"),
            _ => number.to_string(),
        };
        match letter {
            b'o' if self.alt && number == 0 => {
                self.pad("", b"0", self.zero && self.precision.is_none())
            }
            b'x' if self.alt && number != 0 => self.whole("0x", digits),
            b'X' if self.alt && number != 0 => self.whole("0X", digits),
            _ => self.whole("", digits),
        }
    }

    /// A number for the letters `a`, `A`, `e`, `E`, `f`, `F`, `g` and `G`.
    pub(crate) fn real(&self, letter: u8, number: f64) -> Vec<u8> {
        let sign = if number.is_sign_negative() { "-" } else { self.plus() };
        let size = number.abs();
        let precision = self.precision.unwrap_or(6);
        let hexadecimal = letter.eq_ignore_ascii_case(&b'a') && number.is_finite();
        let sign = if hexadecimal { format!("{sign}0x") } else { sign.to_owned() };
        let digits = match letter.to_ascii_lowercase() {
            _ if !number.is_finite() => if number.is_nan() { "nan" } else { "inf" }.to_owned(),
            b'a' => binary(size, if self.double { 1 } else { 4 }, self.precision, self.alt),
            b'e' => exponent(size, precision),
            b'f' => {
                let shown = precision.min(DIGITS);
                let text = format!("{size:.shown$}") + &"0".repeat(precision - shown);
                if self.alt && precision == 0 { format!("{text}.") } else { text }
            }
            _ => general(size, precision, self.alt),
        };
        let upper =
            |text: String| if letter.is_ascii_uppercase() { text.to_uppercase() } else { text };
        let (sign, digits) = (upper(sign), upper(digits));
        self.pad(&sign, digits.as_bytes(), self.zero && number.is_finite())
    }

    /// What stands before a number that is not negative.
    fn plus(&self) -> &'static str {
        match (self.plus, self.space) {
            (true, _) => "+",
            (_, true) => " ",
            _ => "",
        }
    }

    /// A whole number: the precision is the least count of digits, and zeros then do not fill the field.
    fn whole(&self, sign: &str, digits: String) -> Vec<u8> {
        let digits = match self.precision {
            None => digits,
            Some(0) if digits == "0" => String::new(),
            Some(least) => "0".repeat(least.saturating_sub(digits.len())) + &digits,
        };
        self.pad(sign, digits.as_bytes(), self.zero && self.precision.is_none())
    }

    fn pad(&self, sign: &str, body: &[u8], zeros: bool) -> Vec<u8> {
        let fill = self.width.saturating_sub(sign.len() + body.len());
        let sign = sign.as_bytes();
        if self.left {
            [sign, body, &vec![b' '; fill]].concat()
        } else if zeros {
            [sign, &vec![b'0'; fill], body].concat()
        } else {
            [&vec![b' '; fill], sign, body].concat()
        }
    }
}

/// A count that is written out, or `*`.
fn count<'a>(text: &'a [u8], star: &mut impl FnMut() -> i64) -> (Option<i64>, &'a [u8]) {
    if let [b'*', after @ ..] = text {
        return (Some(star()), after);
    }
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    let number = std::str::from_utf8(digits).ok().filter(|d| !d.is_empty());
    (number.map(|digits| digits.parse().unwrap_or(i64::MAX)), after)
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

/// `c.ccp-7`, behind `0x`: of the 64 bits that an x86 has for a number, the first `leading` are in front of the point.
fn binary(size: f64, leading: u32, precision: Option<usize>, keep: bool) -> String {
    let bits = size.to_bits();
    let (stored, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let significand = if stored == 0 { fraction } else { fraction | (1 << 52) };
    let shift = significand.leading_zeros();
    let first = stored.max(1).cast_signed() - 1011 - i64::from(shift + leading);
    let mut power = if significand == 0 { 0 } else { first };
    // In digits, of which `count` are behind the point.
    let count = (64 - leading).div_ceil(4) as usize;
    let wide = u128::from(significand.checked_shl(shift).unwrap_or(0));
    let mut wide = wide << (4 * count + leading as usize - 64);
    let dropped =
        precision.filter(|digits| *digits < count).map_or(0, |digits| 4 * (count - digits));
    if dropped > 0 {
        // To the nearest, and of two that are as near to the even one.
        let (half, rest) = (1u128 << (dropped - 1), wide & ((1u128 << dropped) - 1));
        let kept = wide >> dropped;
        wide = (kept + u128::from(rest > half || (rest == half && kept & 1 == 1))) << dropped;
        if wide >> (4 * count + 4) != 0 {
            (wide, power) = (wide >> 4, power + 4);
        }
    }
    let digits = format!("{wide:0width$x}", width = count + 1);
    let (first, rest) = digits.split_at(1);
    let rest = match precision {
        None => rest.trim_end_matches('0').to_owned(),
        Some(count) => rest.chars().chain(std::iter::repeat('0')).take(count).collect(),
    };
    let point = if rest.is_empty() && !keep { "" } else { "." };
    format!("{first}{point}{rest}p{power:+}")
}

/// A number in hexadecimal with a point or a power of two, and what follows it; `text` stands behind `0x`.
pub(crate) fn read_binary(text: &str) -> Option<(f64, &str)> {
    let (mut value, mut power, mut point, mut digits) = (0.0, 0i32, false, 0);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c.to_digit(16) {
            Some(digit) => {
                value = value * 16.0 + f64::from(digit);
                power = power.saturating_sub(if point { 4 } else { 0 });
                digits += 1;
            }
            None if c == '.' && !point => point = true,
            None => break,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    if digits == 0 {
        return None;
    }
    if let Some(after) = rest.strip_prefix(['p', 'P']) {
        let sign = after.len() - after.trim_start_matches(['+', '-']).len();
        let end = after.get(sign..)?.find(|c: char| !c.is_ascii_digit());
        let (number, behind) = after.split_at(end.map_or(after.len(), |end| sign + end));
        if let Ok(exponent) = number.parse::<i32>() {
            (power, rest) = (power.saturating_add(exponent), behind);
        }
    }
    // In two steps, since a power of two may be out of range where the number is not.
    let half = power / 2;
    Some((value * 2f64.powi(half) * 2f64.powi(power.saturating_sub(half)), rest))
}

/// `%g`: the shorter of the two, without zeros at the end.
fn general(size: f64, precision: usize, keep: bool) -> String {
    let precision = precision.max(1);
    let scientific = exponent(size, precision - 1);
    let power: i64 = scientific.split_once('e').and_then(|(_, p)| p.parse().ok()).unwrap_or(0);
    let most = i64::try_from(precision).unwrap_or(i64::MAX);
    let trim = |text: &str| {
        if keep {
            let point = if text.contains('.') { "" } else { "." };
            format!("{text}{point}")
        } else if !text.contains('.') {
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
