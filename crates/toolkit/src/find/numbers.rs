//! `N`, `+N` and `-N`.

use std::cmp::Ordering;

/// A number to compare with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compare<T> {
    /// What the file's number must be, compared with this one.
    pub(crate) order: Ordering,
    pub(crate) number: T,
}

impl<T: std::str::FromStr> Compare<T> {
    /// `None` for what is no number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (order, digits) = match text.as_bytes() {
            [b'+', ..] => (Ordering::Greater, text.get(1..)?),
            [b'-', ..] => (Ordering::Less, text.get(1..)?),
            _ => (Ordering::Equal, text),
        };
        // A second sign, or what only Rust takes for a number.
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        Some(Self { order, number: digits.parse().ok()? })
    }
}

impl Compare<u64> {
    pub(crate) fn matches(&self, number: u64) -> bool {
        number.cmp(&self.number) == self.order
    }
}

impl Compare<f64> {
    /// Whether something is so many units old, fractions of a unit left out.
    pub(crate) fn matches_whole(&self, units: f64) -> bool {
        match self.order {
            Ordering::Less => units < self.number,
            Ordering::Equal => units >= self.number && units < self.number + 1.0,
            Ordering::Greater => units >= self.number + 1.0,
        }
    }

    /// The same, a part of a unit counted as one.
    pub(crate) fn matches_begun(&self, units: f64) -> bool {
        match self.order {
            Ordering::Less => units < self.number,
            Ordering::Equal => units > self.number - 1.0 && units <= self.number,
            Ordering::Greater => units > self.number,
        }
    }
}
