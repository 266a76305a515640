//! What the command line names: files, by themselves or in lists, and where they are.

use super::lines;
use crate::applet::{Args, usage_error};
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::PathBuf,
};

/// A file that is to be archived or extracted.
pub(super) struct Named {
    pub(super) name: OsString,
    /// Where it is: what the -C before it say, each relative to the one before.
    pub(super) base: PathBuf,
    /// With what is in it, if it is a folder.
    pub(super) recurse: bool,
}

/// Everything that is named, in the order of the command line.
pub(super) fn named(args: &Args) -> anyhow::Result<Vec<Named>> {
    let mut naming = Naming {
        names: Vec::new(),
        base: PathBuf::new(),
        recurse: true,
        end: b'\n',
        verbatim: false,
        open: Vec::new(),
    };
    let mut placed = args.placed().peekable();
    for at in 0..=args.operands.len() {
        while let Some((option, value, _)) = placed.next_if(|(_, _, place)| *place <= at) {
            naming.option(option, value)?;
        }
        if let Some(name) = args.operands.get(at) {
            naming.add(name.clone());
        }
    }
    Ok(naming.names)
}

/// Where all that is named is, if nothing is named.
pub(super) fn last_folder(args: &Args) -> PathBuf {
    args.values("directory").collect()
}

struct Naming {
    names: Vec<Named>,
    base: PathBuf,
    recurse: bool,
    /// What ends the names of lists.
    end: u8,
    /// Nothing in lists is an option.
    verbatim: bool,
    /// Lists that are being read.
    open: Vec<OsString>,
}

impl Naming {
    fn add(&mut self, name: OsString) {
        self.names.push(Named { name, base: self.base.clone(), recurse: self.recurse });
    }

    fn option(&mut self, option: &str, value: &OsStr) -> anyhow::Result<()> {
        match option {
            "directory" => self.base.push(value),
            "add-file" => self.add(value.to_owned()),
            "recursion" => self.recurse = true,
            "no-recursion" => self.recurse = false,
            "null" => (self.end, self.verbatim) = (0, true),
            "no-null" => (self.end, self.verbatim) = (b'\n', false),
            "verbatim-files-from" => self.verbatim = true,
            "no-verbatim-files-from" => self.verbatim = false,
            "files-from" => self.list(value)?,
            _ => {}
        }
        Ok(())
    }

    fn list(&mut self, file: &OsStr) -> anyhow::Result<()> {
        if let Some(from) = self.open.last()
            && self.open.iter().any(|open| open == file)
        {
            let (file, from) = (file.display(), from.display());
            anyhow::bail!("{file}: file list requested from {from} already read");
        }
        self.open.push(file.to_owned());
        for line in lines(file, self.end)? {
            match line.as_bytes() {
                [b'-', ..] if !self.verbatim => self.line(line.as_bytes())?,
                _ if self.end == 0 => self.add(line),
                name => self.add(OsString::from_vec(unquoted(name))),
            }
        }
        self.open.pop();
        Ok(())
    }

    /// Options on a line of a list.
    fn line(&mut self, line: &[u8]) -> anyhow::Result<()> {
        const SHORT: [(&[u8], &str); 2] = [(b"-C", "directory"), (b"-T", "files-from")];
        const LONG: [&str; 3] = ["directory", "files-from", "add-file"];
        let mut words = words(line).into_iter();
        while let Some(word) = words.next() {
            let bytes = word.as_slice();
            let long = bytes.strip_prefix(b"--").unwrap_or_default();
            let (name, value) = match long.iter().position(|b| *b == b'=') {
                Some(at) => (long.get(..at).unwrap_or_default(), long.get(at + 1..)),
                None => (long, None),
            };
            let short = SHORT.iter().find(|(letter, _)| bytes.starts_with(letter));
            let (option, value) = match (short, LONG.iter().find(|o| o.as_bytes() == name)) {
                (Some((_, option)), _) => (*option, bytes.get(2..).filter(|v| !v.is_empty())),
                (None, Some(option)) => (*option, value),
                (None, None) if matches!(name, b"recursion" | b"no-recursion") => {
                    self.recurse = name == b"recursion";
                    continue;
                }
                (None, None) => {
                    let shown = String::from_utf8_lossy(bytes).into_owned();
                    return usage_error(format!("unknown option {shown} in a list of files"));
                }
            };
            let value = value.map(<[u8]>::to_vec).or_else(|| words.next());
            let Some(value) = value else { return usage_error(format!("{option} needs a value")) };
            self.option(option, OsStr::from_bytes(&value))?;
        }
        Ok(())
    }
}

/// Words as a shell makes them of a line, without anything that it would replace.
pub(super) fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<Vec<u8>>, None);
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\'' | b'"', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (_, Some(open)) if byte == open => quote = None,
            (b'\\', None | Some(b'"')) => word.get_or_insert_default().extend(bytes.next()),
            (b' ' | b'\t' | b'\n', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

/// A name of a list, in which a line's end, for one, is `\n`.
fn unquoted(name: &[u8]) -> Vec<u8> {
    let mut new = Vec::new();
    let mut rest = name;
    while let [first, after @ ..] = rest {
        rest = after;
        let ([b'\\'], [letter, behind @ ..]) = (&[*first], after) else {
            new.push(*first);
            continue;
        };
        let known = [
            (b'a', 7),
            (b'b', 8),
            (b'f', 12),
            (b'n', b'\n'),
            (b'r', b'\r'),
            (b't', b'\t'),
            (b'v', 11),
            (b'?', 127),
            (b'\\', b'\\'),
        ];
        if let Some((_, byte)) = known.iter().find(|(known, _)| known == letter) {
            new.push(*byte);
            rest = behind;
        } else if (b'0'..=b'7').contains(letter) {
            let digits = after.iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            let (octal, behind) = after.split_at(digits);
            let value =
                octal.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            new.push((value & 0xff) as u8);
            rest = behind;
        } else {
            new.push(b'\\');
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_words_and_escapes() {
        let words = words(br#"-C "a b" --x='c d' e\ f ''"#);
        let expected: [&[u8]; 5] = [b"-C", b"a b", b"--x=c d", b"e f", b""];
        assert_eq!(words, expected);
        assert_eq!(unquoted(br"a\nb\101\\c\d\"), b"a\nbA\\c\\d\\");
    }
}
