//! What stands between delimiters: expressions, replacements and the strings of `y`.

use super::{EMPTY_MODIFIED, Parser, Result};
use crate::sed::pattern::Pattern;

impl Parser<'_> {
    pub(super) fn pattern(&mut self, delimiter: u8) -> Result<Option<Pattern>> {
        let source = self.until(delimiter, true).ok_or("unterminated address regex")?;
        let mut flags = String::new();
        while let Some(flag @ (b'I' | b'M')) = self.peek().filter(|_| !self.posix) {
            self.at += 1;
            flags.push(char::from(flag.to_ascii_lowercase()));
        }
        if source.is_empty() {
            return if flags.is_empty() { Ok(None) } else { Err(EMPTY_MODIFIED.into()) };
        }
        self.compile(&source, &flags).map(Some)
    }

    pub(super) fn compile(&self, source: &[u8], flags: &str) -> Result<Pattern> {
        // Lines in the pattern space end as those of the files do: the newlines of `-z` are text.
        let flags = if self.nul { flags.replace('m', "") } else { flags.to_owned() };
        Pattern::new(source, self.extended, &flags, self.posix)
    }

    /// The text up to a delimiter that is not escaped. An escaped delimiter loses its backslash.
    pub(super) fn until(&mut self, delimiter: u8, brackets: bool) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let byte = self.next()?;
            if byte == delimiter {
                return Some(text);
            }
            match byte {
                b'\\' => {
                    let escaped = self.next()?;
                    if escaped == b'\n' {
                        text.push(escaped);
                    } else if escaped == delimiter {
                        // `s+a\+b++`: the operator that the delimiter would be stays escaped text.
                        if brackets && b"^$.*[]".contains(&escaped) {
                            text.push(b'\\');
                        }
                        text.push(escaped);
                    } else {
                        text.extend([b'\\', escaped]);
                    }
                }
                b'\n' => return None,
                b'[' if brackets => {
                    let start = self.at - 1;
                    self.bracket();
                    text.extend(self.source.get(start..self.at)?);
                }
                byte => text.push(byte),
            }
        }
    }

    /// Passes the rest of a bracket expression, in which a delimiter is text; to the very end if it has none.
    fn bracket(&mut self) {
        self.take(b'^');
        self.take(b']');
        while let Some(byte) = self.next() {
            match (byte, self.peek()) {
                (b']', _) => return,
                (b'[', Some(kind @ (b':' | b'=' | b'.'))) => {
                    let rest = self.source.get(self.at + 1..).unwrap_or_default();
                    let end = rest.windows(2).position(|pair| pair == [kind, b']']);
                    self.at = end.map_or(self.source.len(), |end| self.at + end + 3);
                }
                _ => {}
            }
        }
    }
}
