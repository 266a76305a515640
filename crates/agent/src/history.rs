//! What the consoles have shown, for operators who watch from afar: the last of it, in memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// How much is kept, bytes.
const KEPT: usize = 128 << 10;

/// The lines shown; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    bytes: VecDeque<u8>,
    /// How many bytes were given up before those.
    before: u64,
}

impl History {
    /// A line was shown.
    pub fn push(&self, line: &str) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes.extend(line.bytes());
        held.bytes.extend(b"\r\n");
        let over = held.bytes.len().saturating_sub(KEPT);
        if over > 0 {
            held.bytes.drain(..over);
            held.before += over as u64;
        }
    }

    /// What was shown after the first `after` bytes, at most `most` of it, and how many bytes came before that. A number
    /// from the future is of an agent before this one: then it is everything.
    #[must_use]
    pub fn after(&self, after: u64, most: usize) -> (u64, Vec<u8>) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = held.before + held.bytes.len() as u64;
        let from = if after > end { held.before } else { after.max(held.before) };
        let skip = usize::try_from(from - held.before).unwrap_or(usize::MAX);
        (from, held.bytes.iter().skip(skip).take(most).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_and_what_is_old_is_given_up() {
        let history = History::default();
        assert_eq!(history.after(0, 100), (0, Vec::new()));
        history.push("one");
        history.push("two");
        assert_eq!(history.after(0, 100), (0, b"one\r\ntwo\r\n".to_vec()));
        assert_eq!(history.after(5, 2), (5, b"tw".to_vec()));
        assert_eq!(history.after(10, 100), (10, Vec::new()));
        assert_eq!(history.after(11, 3).1, b"one", "an agent before this one had shown more");
        for _ in 0..KEPT {
            history.push("x");
        }
        let (from, text) = history.after(10, usize::MAX);
        assert_eq!((from, text.len()), (10 + 2 * KEPT as u64, KEPT));
    }
}
