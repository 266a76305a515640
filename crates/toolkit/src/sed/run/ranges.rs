//! Whether a command's addresses choose a line.

use super::{Address, Command, End, Machine};

/// Where a command's range is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    Closed,
    /// The line at which it ends, if that is known.
    Open(u64),
    /// One that begins at a line's number has been, and does not come again.
    Past,
}

impl<'a> Machine<'a> {
    pub(super) fn fits(&mut self, address: &'a Address) -> anyhow::Result<bool> {
        Ok(match address {
            Address::Line(line) => self.number == *line,
            Address::Step(first, step) => {
                self.number.checked_sub(*first).is_some_and(|past| past % step == 0)
            }
            Address::Last => !self.input.ready(),
            Address::Match(pattern) => self.pattern(pattern.as_ref())?.is_match(&self.space),
        })
    }

    pub(super) fn chosen(&mut self, at: usize, command: &'a Command) -> anyhow::Result<bool> {
        let Some(start) = &command.start else { return Ok(true) };
        let Some(end) = &command.end else {
            let before = matches!(start, Address::Line(0)) && self.number == 1;
            return Ok(before || self.fits(start)?);
        };
        let by_number = matches!(start, Address::Line(_));
        let open = match self.ranges.get(at) {
            Some(Range::Open(last)) => Some(*last),
            Some(Range::Past) => return Ok(false),
            // One from 0 on is open before the first line.
            _ if matches!(start, Address::Line(0)) => Some(u64::MAX),
            _ => None,
        };
        let state = match (open, end) {
            (Some(last), End::At(Address::Line(_)) | End::Plus(_) | End::Multiple(_)) => {
                if self.number > last {
                    self.set(at, None, by_number);
                    return self.fits(start);
                }
                (self.number < last).then_some(last)
            }
            (Some(last), End::At(end)) => (!self.fits(end)?).then_some(last),
            (None, _) => {
                let Some(last) = self.begins(start, end)? else { return Ok(false) };
                (last > self.number).then_some(last)
            }
        };
        self.set(at, state, by_number);
        Ok(true)
    }

    /// Whether a range begins here, and at which line it ends. The command may not have been reached at the
    /// line that the start names: then it begins at the first line behind, if that is not behind its end.
    fn begins(&mut self, start: &'a Address, end: &'a End) -> anyhow::Result<Option<u64>> {
        let number = self.number;
        let here = match (start, end) {
            (Address::Line(first), End::At(Address::Line(last))) => {
                number == *first || (number > *first && number <= *last)
            }
            (Address::Line(first), _) => number >= *first,
            _ => self.fits(start)?,
        };
        Ok(here.then(|| match end {
            End::At(Address::Line(line)) => *line,
            End::At(_) => u64::MAX,
            End::Plus(count) => number.saturating_add(*count),
            End::Multiple(0) => number,
            End::Multiple(of) => (number / *of).saturating_add(1).saturating_mul(*of),
        }))
    }

    fn set(&mut self, at: usize, last: Option<u64>, by_number: bool) {
        if let Some(range) = self.ranges.get_mut(at) {
            *range = match last {
                Some(last) => Range::Open(last),
                None if by_number => Range::Past,
                None => Range::Closed,
            };
        }
    }
}
