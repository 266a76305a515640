//! `-printf` and `-fprintf`.

use super::{
    criteria::{Tables, Time},
    entry::Entry,
    list::kind_letter,
    messages, stamps,
};
use crate::{archive, conversion::Spec};
use rustix::{fs::FileType, io::Errno};
use std::cell::OnceCell;

/// A format that was read.
pub(crate) struct Format {
    pieces: Vec<Piece>,
    /// `\c`
    flushes: bool,
}

enum Piece {
    Text(Vec<u8>),
    Field(Spec, Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// One of the letters that stand by themselves.
    Letter(u8),
    /// A time and how it is written; `None` as in C.
    Time(Time, Option<u8>),
}

impl Format {
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut format = Self { pieces: Vec::new(), flushes: false };
        let mut plain = Vec::new();
        let mut rest = text;
        while let [byte, after @ ..] = rest {
            rest = after;
            match byte {
                b'\\' => match escape(rest) {
                    Escape::Byte(byte, after) => {
                        plain.push(byte);
                        rest = after;
                    }
                    Escape::Stop => {
                        format.flushes = true;
                        break;
                    }
                    Escape::None => {
                        unknown("escape", "\\", rest);
                        plain.push(b'\\');
                    }
                },
                b'%' => {
                    if let [b'%', after @ ..] = rest {
                        plain.push(b'%');
                        rest = after;
                        continue;
                    }
                    let (spec, field, after) = field(rest)?;
                    let Some(field) = field else {
                        // What is unknown stays as it is.
                        unknown("format directive", "%", rest);
                        let length = rest.len() - after.len();
                        plain.push(b'%');
                        plain.extend_from_slice(rest.get(..length).unwrap_or_default());
                        rest = after;
                        continue;
                    };
                    if !plain.is_empty() {
                        format.pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    format.pieces.push(Piece::Field(spec, field));
                    rest = after;
                }
                byte => plain.push(*byte),
            }
        }
        format.pieces.push(Piece::Text(plain));
        Ok(format)
    }

    pub(crate) fn flushes(&self) -> bool {
        self.flushes
    }

    /// # Errors
    /// Why the file could not be looked at.
    pub(crate) fn text(
        &self,
        entry: &Entry<'_>,
        tables: &Tables,
        terminal: bool,
    ) -> Result<Vec<u8>, Errno> {
        let mut out = Vec::new();
        let path = OnceCell::new();
        let path = || path.get_or_init(|| entry.path()).as_slice();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Field(spec, Field::Time(time, letter)) => {
                    let moment = time.of(&entry.stat()?, || entry.born());
                    let text = match (moment, letter) {
                        (None, _) => Vec::new(),
                        (Some(moment), None) => stamps::plain(moment),
                        (Some(moment), Some(letter)) => stamps::by_letter(*letter, moment),
                    };
                    out.extend(spec.text(&text));
                }
                Piece::Field(spec, Field::Letter(letter)) => {
                    out.extend(letter_text(spec, *letter, entry, tables, path, terminal)?);
                }
            }
        }
        Ok(out)
    }
}

fn unknown(what: &str, sign: &str, rest: &[u8]) {
    let letter = rest.first().map(|byte| char::from(*byte).to_string()).unwrap_or_default();
    messages::say(&format!("warning: unrecognized {what} '{sign}{letter}'"));
}

fn letter_text<'p>(
    spec: &Spec,
    letter: u8,
    entry: &Entry<'_>,
    tables: &Tables,
    path: impl Fn() -> &'p [u8],
    terminal: bool,
) -> Result<Vec<u8>, Errno> {
    let name = |bytes: &[u8]| spec.text(&messages::for_terminal(bytes, terminal));
    let number = |number: u64| spec.text(number.to_string().as_bytes());
    let blocks = |stat: &rustix::fs::Stat| u64::try_from(stat.st_blocks).unwrap_or(0);
    Ok(match letter {
        b'p' => name(path()),
        b'P' => {
            let below = path().strip_prefix(entry.root).unwrap_or_default();
            name(below.strip_prefix(b"/").unwrap_or(below))
        }
        b'H' => name(entry.root),
        b'f' => name(last(path())),
        b'h' => name(folder(path())),
        b'l' => match entry.kind()? {
            FileType::Symlink => name(&entry.link().unwrap_or_default()),
            _ => name(b""),
        },
        b'd' => spec.decimal(false, entry.depth.to_string()),
        b'm' => spec.unsigned(b'o', u64::from(entry.stat()?.st_mode & 0o7777)),
        b'M' => {
            let stat = entry.stat()?;
            let kind = match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => '-',
                kind => kind_letter(kind),
            };
            spec.text(archive::mode_text(kind, stat.st_mode).as_bytes())
        }
        b'y' => spec.text(kind_letter(entry.kind()?).to_string().as_bytes()),
        b'Y' => {
            let letter = match entry.target_kind() {
                Ok(kind) => kind_letter(kind),
                Err(Errno::NOENT | Errno::NOTDIR) => 'N',
                Err(Errno::LOOP) => 'L',
                Err(_) => '?',
            };
            spec.text(letter.to_string().as_bytes())
        }
        b's' => number(u64::try_from(entry.stat()?.st_size).unwrap_or(0)),
        b'b' => number(blocks(&entry.stat()?)),
        b'k' => number(blocks(&entry.stat()?).div_ceil(2)),
        b'S' => {
            let stat = entry.stat()?;
            #[expect(clippy::cast_precision_loss, reason = "a share is shown with six digits")]
            let share = match (stat.st_size, blocks(&stat)) {
                (0, 0) => 1.0,
                (0, _) => f64::INFINITY,
                (size, blocks) => blocks as f64 * 512.0 / size as f64,
            };
            spec.real(b'g', share)
        }
        b'i' => number(entry.stat()?.st_ino),
        b'n' => spec.text(entry.stat()?.st_nlink.to_string().as_bytes()),
        b'D' => number(entry.stat()?.st_dev),
        b'U' => number(entry.stat()?.st_uid.into()),
        b'G' => number(entry.stat()?.st_gid.into()),
        b'u' => {
            let id = entry.stat()?.st_uid;
            let name = tables.names().user(id).map_or_else(|| id.to_string(), str::to_owned);
            spec.text(name.as_bytes())
        }
        b'g' => {
            let id = entry.stat()?.st_gid;
            let name = tables.names().group(id).map_or_else(|| id.to_string(), str::to_owned);
            spec.text(name.as_bytes())
        }
        b'F' => spec.text(tables.file_system(entry.stat()?.st_dev).as_bytes()),
        // There are no security contexts where no policy is loaded.
        _ => spec.text(b""),
    })
}

/// `%f`: what is behind the last slash that is followed by something, and one slash that is at the end.
fn last(path: &[u8]) -> &[u8] {
    let Some(end) = path.iter().rposition(|b| *b != b'/') else {
        return path.get(..1).unwrap_or_default();
    };
    let start =
        path.get(..end).and_then(|p| p.iter().rposition(|b| *b == b'/')).map_or(0, |at| at + 1);
    path.get(start..path.len().min(end + 2)).unwrap_or_default()
}

/// `%h`: what is before the last slash that is followed by something; of `.//` and `//` what is before the very last.
fn folder(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|b| *b != b'/').map_or(0, |at| at + 1);
    let named = path.get(..end).filter(|named| !matches!(*named, b"" | b".")).unwrap_or(path);
    match named.iter().rposition(|b| *b == b'/') {
        Some(at) => path.get(..at).unwrap_or_default(),
        None => b".",
    }
}

enum Escape<'a> {
    Byte(u8, &'a [u8]),
    Stop,
    None,
}

/// What follows a backslash.
fn escape(rest: &[u8]) -> Escape<'_> {
    let [letter, after @ ..] = rest else { return Escape::None };
    let byte = match letter {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' => b'\\',
        b'c' => return Escape::Stop,
        b'0'..=b'7' => {
            let digits = rest.iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            let (digits, after) = rest.split_at(digits);
            let value = digits.iter().fold(0_u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
            return Escape::Byte(u8::try_from(value & 0xff).unwrap_or(0), after);
        }
        _ => return Escape::None,
    };
    Escape::Byte(byte, after)
}

/// What follows a percent sign; no field for a letter that means nothing.
fn field(rest: &[u8]) -> Result<(Spec, Option<Field>, &[u8]), String> {
    let (spec, letter, after) = Spec::parse(rest, || 0);
    let Some(letter) = letter else {
        return Err("missing format character after % in -printf".to_owned());
    };
    let shown = char::from(letter);
    let time = match letter {
        b'a' | b'A' => Some(Time::Access),
        b'B' => Some(Time::Birth),
        b'c' | b'C' => Some(Time::Change),
        b't' | b'T' => Some(Time::Modification),
        _ => None,
    };
    if let Some(time) = time {
        if letter.is_ascii_lowercase() {
            return Ok((spec, Some(Field::Time(time, None)), after));
        }
        let [kind, after @ ..] = after else {
            return Err(format!(
                "the format ends after %{shown}: a letter says how times are shown"
            ));
        };
        return Ok((spec, Some(Field::Time(time, Some(*kind))), after));
    }
    match letter {
        b'{' | b'[' | b'(' => Err(format!("format directive %{shown} is reserved for future use")),
        _ if b"bdDfFgGhHiklmMnpPsSuUyYZ".contains(&letter) => {
            Ok((spec, Some(Field::Letter(letter)), after))
        }
        _ => Ok((spec, None, after)),
    }
}
