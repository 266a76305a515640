//! What benchmarks end with: a line for each figure.

use std::fmt;

/// What a figure must keep to.
#[derive(Clone, Copy)]
pub enum Limit {
    /// Not over this.
    Most(f64),
    /// Not below this.
    Least(f64),
}

/// A measured figure and its limit.
pub struct Figure {
    /// `boot-ratio`.
    pub name: &'static str,
    /// What was measured.
    pub value: f64,
    /// `ratio`, `round-trips`, `MB`.
    pub unit: &'static str,
    /// Its limit.
    pub limit: Limit,
}

impl Figure {
    /// Whether it is beyond its limit.
    pub fn over(&self) -> bool {
        match self.limit {
            Limit::Most(limit) => self.value > limit,
            Limit::Least(limit) => self.value < limit,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, unit, limit } = self;
        let (Limit::Most(limit) | Limit::Least(limit)) = limit;
        let verdict = if self.over() { "over" } else { "ok" };
        let value = (value * 1000.0).round() / 1000.0;
        write!(f, "FIGURE {name} {value} {unit} {limit} {verdict}")
    }
}

/// The middle value; the lower of the two middle ones of an even number.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}
