//! What a machine writes to its serial console, read from the file that QEMU appends it to.

use crate::wait::wait_until;
use anyhow::{Context, Result};
use std::{fs, path::PathBuf, time::Duration};

/// A console and how far it was read.
pub struct Console {
    path: PathBuf,
    read: usize,
}

impl Console {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read: 0 }
    }

    /// Everything since power-on, without carriage returns and terminal sequences.
    #[must_use]
    pub fn text(&self) -> String {
        plain(&String::from_utf8_lossy(&fs::read(&self.path).unwrap_or_default()))
    }

    /// Waits until `text` appears after what was found last, and returns its line.
    pub fn expect(&mut self, text: &str, limit: Duration) -> Result<String> {
        let found = wait_until(&format!("{text:?} on the console"), limit, || {
            let all = self.text();
            let fresh = all.get(self.read..).unwrap_or_default();
            let Some(at) = fresh.find(text) else { return Ok(None) };
            let at = self.read + at;
            let from = all.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
            // Wait for the line's end, so that the caller has all of it.
            let line = all.get(from..).and_then(|rest| rest.split_once('\n')).map(|(line, _)| line);
            Ok(line.map(|line| (at + text.len(), line.to_owned())))
        });
        let (read, line) = found.context(self.path.display().to_string())?;
        self.read = read;
        Ok(line)
    }

    /// Goes back to the start of what was written.
    pub fn rewind(&mut self) {
        self.read = 0;
    }

    /// Passes over all that was written until now.
    pub fn skip(&mut self) {
        self.read = self.text().len();
    }

    /// Whether `text` was written since power-on.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// How often `text` was written since power-on.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.text().matches(text).count()
    }
}

/// Text without carriage returns and escape sequences (ECMA-48, section 5.4). Of a sequence that has not
/// ended yet nothing is returned, so that what was returned before stays a prefix of what is returned later.
fn plain(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => {}
            '\x1b' => {
                if rest.next() == Some('[') {
                    let _ = rest.by_ref().find(|c| ('@'..='~').contains(c));
                }
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_one_after_the_other_and_ignores_sequences() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial");
        fs::write(&path, "\x1b[2J\x1b[1;31mone two\x1b[0m\r\nthree one\r\nfour").unwrap();
        let mut console = Console::new(path);
        let now = Duration::ZERO;
        assert_eq!(console.expect("two", now).unwrap(), "one two");
        assert_eq!(console.expect("one", now).unwrap(), "three one");
        let error = console.expect("one", now).unwrap_err();
        assert!(format!("{error:#}").contains("\"one\" on the console"), "{error:#}");
        assert!(console.expect("four", now).is_err(), "the line has not ended");
        assert_eq!(console.count("one"), 2);
    }
}
