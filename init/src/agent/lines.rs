//! The last lines of a stream.

use std::collections::VecDeque;

/// Lines kept.
const MOST_LINES: usize = 100;

/// A longer line is cut, bytes.
const LONGEST: usize = 1024;

/// The last hundred lines of what was printed.
#[derive(Debug, Default)]
pub(super) struct Lines {
    whole: VecDeque<String>,
    partial: Vec<u8>,
}

impl Lines {
    /// Takes what was read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                _ if self.partial.len() < LONGEST => self.partial.push(*byte),
                _ => {}
            }
        }
    }

    /// All lines, an unfinished one too.
    pub(super) fn take(&mut self) -> Vec<String> {
        if !self.partial.is_empty() {
            self.end_line();
        }
        self.whole.drain(..).collect()
    }

    fn end_line(&mut self) {
        let text = String::from_utf8_lossy(&self.partial);
        // It is shown on terminals: no escape sequences.
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.partial.clear();
        if self.whole.len() == MOST_LINES {
            self.whole.pop_front();
        }
        self.whole.push_back(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_hundred() {
        let mut lines = Lines::default();
        for n in 0..250 {
            lines.push(format!("line {n}\n").as_bytes());
        }
        lines.push(b"unfin\x1b[2Jished");
        let kept = lines.take();
        assert_eq!(kept.len(), 100);
        assert_eq!(kept.first().map(String::as_str), Some("line 151"));
        assert_eq!(kept.last().map(String::as_str), Some("unfin [2Jished"));
    }

    proptest! {
        #[test]
        fn bounded_whatever_comes(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..20)) {
            let mut lines = Lines::default();
            for chunk in &chunks {
                lines.push(chunk);
            }
            let kept = lines.take();
            prop_assert!(kept.len() <= MOST_LINES);
            // A byte that is not UTF-8 becomes three.
            prop_assert!(kept.iter().all(|l| l.len() <= 3 * LONGEST && !l.contains(char::is_control)));
        }
    }
}
