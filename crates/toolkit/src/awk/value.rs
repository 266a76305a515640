//! Values: numbers, strings, and strings from input that look like numbers.

use std::{cell::RefCell, cmp::Ordering, collections::HashMap, rc::Rc};

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nothing,
    Num(f64),
    Str(Rc<[u8]>),
    /// From input: a number too, if the text is one.
    Input(Rc<[u8]>),
}

impl Value {
    pub(crate) fn text(bytes: impl Into<Rc<[u8]>>) -> Self {
        Self::Str(bytes.into())
    }

    pub(crate) fn input(bytes: impl Into<Rc<[u8]>>) -> Self {
        Self::Input(bytes.into())
    }

    pub(crate) fn number(&self) -> f64 {
        match self {
            Self::Nothing => 0.0,
            Self::Num(number) => *number,
            Self::Str(text) | Self::Input(text) => number_prefix(text).0,
        }
    }

    /// As text; numbers that are not whole by the format.
    pub(crate) fn bytes(&self, format: &[u8]) -> Rc<[u8]> {
        match self {
            Self::Nothing => Rc::from(&b""[..]),
            Self::Str(text) | Self::Input(text) => Rc::clone(text),
            Self::Num(number) => number_text(*number, format).into(),
        }
    }

    /// The number, if for comparisons it is one.
    fn numeric(&self) -> Option<f64> {
        match self {
            Self::Nothing => Some(0.0),
            Self::Num(number) => Some(*number),
            Self::Str(_) => None,
            Self::Input(text) => looks_numeric(text),
        }
    }

    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Num(number) => *number != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::Input(text) => {
                looks_numeric(text).map_or(!text.is_empty(), |number| number != 0.0)
            }
        }
    }

    /// Numbers as numbers, everything else as text.
    pub(crate) fn compare(&self, other: &Self, format: &[u8]) -> Ordering {
        match (self.numeric(), other.numeric()) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Greater),
            _ => self.bytes(format).cmp(&other.bytes(format)),
        }
    }
}

/// A number as `print` and concatenation have it.
pub(crate) fn number_text(number: f64, format: &[u8]) -> Vec<u8> {
    if number.is_nan() {
        return if number.is_sign_negative() { b"-nan".to_vec() } else { b"+nan".to_vec() };
    }
    if number.is_infinite() {
        return if number < 0.0 { b"-inf".to_vec() } else { b"+inf".to_vec() };
    }
    if number.fract() == 0.0 {
        return if number == 0.0 { b"0".to_vec() } else { format!("{number:.0}").into_bytes() };
    }
    super::printf::sprintf(format, &[Value::Num(number)], format)
}

/// The number if the whole text is one, with blanks around it.
pub(crate) fn looks_numeric(text: &[u8]) -> Option<f64> {
    let trimmed = text.trim_ascii();
    // Quickly: most text is no number.
    if !matches!(trimmed.first()?, b'0'..=b'9' | b'+' | b'-' | b'.') {
        return None;
    }
    let (number, length) = number_prefix(trimmed);
    (length == trimmed.len() && length > 0).then_some(number)
}

/// The number that text begins with, and where it ends (0: there is none).
pub(crate) fn number_prefix(text: &[u8]) -> (f64, usize) {
    let blanks = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let rest = text.get(blanks..).unwrap_or_default();
    let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
    let body = rest.get(sign..).unwrap_or_default();
    if sign == 1 {
        let word = body.get(..3).unwrap_or_default().to_ascii_lowercase();
        let alone = !body.get(3).is_some_and(u8::is_ascii_alphanumeric);
        let negative = rest.first() == Some(&b'-');
        let signed = |value: f64| if negative { -value } else { value };
        match word.as_slice() {
            b"inf" if alone => return (signed(f64::INFINITY), blanks + 4),
            b"nan" if alone => return (signed(f64::NAN), blanks + 4),
            _ => {}
        }
    }
    let digits = |from: usize| {
        body.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let whole = digits(0);
    let point = usize::from(body.get(whole) == Some(&b'.'));
    let fraction = if point == 1 { digits(whole + 1) } else { 0 };
    if whole + fraction == 0 {
        return (0.0, 0);
    }
    let mut length = whole + point + fraction;
    if matches!(body.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(body.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    let number = rest.get(..sign + length).and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
    (number.unwrap_or(0.0), blanks + sign + length)
}

/// Hexadecimal digits as a number.
pub(crate) fn hex(digits: &[u8]) -> f64 {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0);
    digits.iter().fold(0.0, |value, byte| value * 16.0 + f64::from(digit(byte)))
}

/// An array. What is put in first comes first in `for (k in a)`.
#[derive(Debug, Default)]
pub(crate) struct Array {
    map: HashMap<Rc<[u8]>, (u64, Value)>,
    next: u64,
}

/// An array that several names may mean.
pub(crate) type ArrayRef = Rc<RefCell<Array>>;

impl Array {
    pub(crate) fn get(&mut self, key: &Rc<[u8]>) -> Value {
        if let Some((_, value)) = self.map.get(key) {
            return value.clone();
        }
        self.set(Rc::clone(key), Value::Nothing);
        Value::Nothing
    }

    pub(crate) fn set(&mut self, key: Rc<[u8]>, value: Value) {
        self.next += 1;
        let next = self.next;
        self.map.entry(key).or_insert((next, Value::Nothing)).1 = value;
    }

    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.map.contains_key(key)
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.map.remove(key);
    }

    pub(crate) fn clear(&mut self) {
        self.map.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Keys and values in their order.
    pub(crate) fn pairs(&self) -> Vec<(Rc<[u8]>, Value)> {
        let mut all: Vec<_> = self.map.iter().collect();
        all.sort_unstable_by_key(|(_, (order, _))| *order);
        all.into_iter().map(|(key, (_, value))| (Rc::clone(key), value.clone())).collect()
    }
}
