//! The text of a patch, line by line.

use super::Fatal;

/// A place in the text, and how its lines are to be read.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) text: &'a [u8],
    /// Where the next line begins.
    pub(crate) at: usize,
    /// How many lines are before it.
    pub(crate) line: usize,
    /// So many columns of blanks are before every line, as in a letter.
    pub(crate) indent: usize,
    /// The lines end in CR LF where LF is meant.
    pub(crate) strip_cr: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 0, indent: 0, strip_cr: false }
    }

    /// The next line as it is, with its end; nothing at the end.
    pub(crate) fn raw(&mut self) -> Option<&'a [u8]> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        self.at += end;
        self.line += 1;
        rest.get(..end)
    }

    /// The next line without what was put around it. Lines that begin with `#` are remarks.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let mut line = unindented(self.raw()?, self.indent).to_vec();
            if line.starts_with(b"#") {
                continue;
            }
            if self.strip_cr && line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                line.push(b'\n');
            }
            return Some(line);
        }
    }

    /// The next line, left where it is.
    pub(crate) fn peek(&self) -> Option<Vec<u8>> {
        self.clone().next()
    }

    /// Takes `\ No newline at end of file`, and with it the end of the line before it.
    pub(crate) fn cut_end(&mut self, text: &mut Vec<u8>) {
        if self.peek().is_some_and(|line| line.starts_with(b"\\")) {
            self.next();
            text.pop_if(|byte| *byte == b'\n');
        }
    }

    /// The line read last makes no sense.
    pub(crate) fn malformed(&self, line: &[u8]) -> Fatal {
        let line = String::from_utf8_lossy(line);
        Fatal(format!("malformed patch at line {}: {line}", self.line))
    }

    /// A number at the beginning of `text`, and what is behind it. `line` is what it is in.
    pub(crate) fn number<'t>(
        &self,
        text: &'t [u8],
        line: &[u8],
    ) -> Result<(usize, &'t [u8]), Fatal> {
        let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        let shown = String::from_utf8_lossy(line);
        if digits.is_empty() {
            return Err(Fatal(format!("missing line number at line {}: {shown}", self.line)));
        }
        let digits = String::from_utf8_lossy(digits);
        // Sums of some of them must not overflow either.
        match digits.parse::<u32>() {
            Ok(number) => Ok((usize::try_from(number).unwrap_or(usize::MAX), rest)),
            Err(_) => {
                let at = self.line;
                Err(Fatal(format!("line number {digits} is too large at line {at}: {shown}")))
            }
        }
    }
}

/// A line without its first columns, as far as they are blanks (or the X that some mail programs put).
fn unindented(line: &[u8], columns: usize) -> &[u8] {
    let (mut column, mut rest) = (0, line);
    while column < columns {
        match rest {
            [b' ' | b'X', after @ ..] => (column, rest) = (column + 1, after),
            [b'\t', after @ ..] => (column, rest) = ((column + 8) & !7, after),
            _ => break,
        }
    }
    rest
}
