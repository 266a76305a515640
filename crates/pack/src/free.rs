//! What is free of a file system, as ranges of bytes.

use std::ops::Range;

/// Most ranges that are kept: what more there are counts as used.
const MOST: usize = 1 << 20;

/// Free ranges, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Free(Vec<Range<u64>>);

impl Free {
    /// One more range, which begins behind the last one or where it ends. Whether it did.
    pub(crate) fn add(&mut self, range: Range<u64>) -> bool {
        let room = self.0.len() < MOST;
        match self.0.last_mut() {
            Some(last) if last.end > range.start => return false,
            Some(last) if last.end == range.start => last.end = range.end,
            _ if room && range.start < range.end => self.0.push(range),
            _ => {}
        }
        true
    }

    /// Makes zeros of what is free in `bytes`, which begin at `at`. Returns whether anything of it is used.
    pub(crate) fn clear(&self, at: u64, bytes: &mut [u8]) -> bool {
        let end = at + bytes.len() as u64;
        let first = self.0.partition_point(|range| range.end <= at);
        let mut covered = 0;
        for range in self.0.iter().skip(first).take_while(|range| range.start < end) {
            let (from, to) = (range.start.max(at), range.end.min(end));
            let place = usize::try_from(from - at).ok().zip(usize::try_from(to - at).ok());
            if let Some(part) = place.and_then(|(from, to)| bytes.get_mut(from..to)) {
                part.fill(0);
                covered += to - from;
            }
        }
        covered < end - at
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    #[cfg(test)]
    pub(crate) fn ranges(&self) -> &[Range<u64>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_cleared_and_nothing_else() {
        let mut free = Free::default();
        assert!(free.add(10..20) && free.add(20..25) && free.add(30..30) && free.add(40..60));
        assert!(!free.add(59..70));
        assert_eq!(free.ranges(), [10..25, 40..60]);
        let cleared = |at, length| {
            let mut bytes = vec![1; length];
            let used = free.clear(at, &mut bytes);
            (used, bytes.iter().map(|byte| if *byte == 0 { '-' } else { 'x' }).collect::<String>())
        };
        assert_eq!(cleared(8, 4), (true, "xx--".into()));
        assert_eq!(cleared(12, 4), (false, "----".into()));
        assert_eq!(cleared(23, 20), (true, format!("--{}---", "x".repeat(15))));
        assert_eq!(cleared(60, 3), (true, "xxx".into()));
    }
}
