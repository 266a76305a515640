//! Secrets that were handed to a script are covered where they turn up in what it prints: `set -x` is
//! easily forgotten. That is a help against accidents; a script that encodes a secret gets it through.

use zeroize::Zeroizing;

/// Shorter lines of a secret are not covered: they would be found everywhere.
const LEAST: usize = 6;
/// Most lines that are looked for; more are not covered.
const MOST: usize = 256;
/// What stands in the place of a secret.
const COVER: &str = "[secret]";

/// What is covered. Never shown.
#[derive(Default)]
pub struct Masks(Vec<Zeroizing<String>>);

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masks({})", self.0.len())
    }
}

impl Masks {
    /// Covers the lines of `secret` from now on.
    pub fn hide(&mut self, secret: &[u8]) {
        // What is printed is text: a secret of other bytes could not be recognized in it.
        let Ok(text) = std::str::from_utf8(secret) else { return };
        for line in text.lines().map(str::trim).filter(|line| line.len() >= LEAST) {
            if self.0.len() < MOST && !self.0.iter().any(|known| known.as_str() == line) {
                self.0.push(Zeroizing::new(line.to_owned()));
            }
        }
        // Of two that contain each other the longer one is to be found first.
        self.0.sort_unstable_by_key(|line| std::cmp::Reverse(line.len()));
    }

    /// `text` with everything hidden covered.
    #[must_use]
    pub fn cover(&self, mut text: String) -> String {
        for line in self.0.iter().map(|line| line.as_str()) {
            if text.contains(line) {
                text = text.replace(line, COVER);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_covered_wherever_they_stand() {
        let mut masks = Masks::default();
        let cover = |masks: &Masks, text: &str| masks.cover(text.to_owned());
        assert_eq!(cover(&masks, "key=hunter2hunter2"), "key=hunter2hunter2");
        masks.hide(b"hunter2\n");
        masks.hide(b"hunter2hunter2\r\nab\n");
        masks.hide(&[0xff; 40]);
        assert_eq!(cover(&masks, "key=hunter2hunter2, hunter2!"), "key=[secret], [secret]!");
        assert_eq!(cover(&masks, "ab"), "ab");
        assert_eq!(format!("{masks:?}"), "Masks(2)");
        masks.hide(&(0..1000).map(|n| format!("line {n:04}\n")).collect::<String>().into_bytes());
        assert_eq!(format!("{masks:?}"), format!("Masks({MOST})"));
    }
}
