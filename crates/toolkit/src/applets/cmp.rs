//! `cmp`: whether two files are the same, byte for byte.

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, Write},
    os::unix::fs::MetadataExt as _,
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "cmp",
    summary: "Compares two files; status 0 if they are the same, 1 if not, 2 for an error.",
    usage: "[OPTION]... FILE1 [FILE2 [SKIP1 [SKIP2]]]",
    options: &[
        flag('b', "print-bytes", "print the bytes that differ"),
        flag('c', "print-chars", "the same"),
        flag('l', "verbose", "print where, for all that differ"),
        flag('s', "quiet", "print nothing"),
        flag('\0', "silent", "the same"),
        Opt { short: 'n', long: "bytes", value: "N", help: "compare N bytes at most" },
        Opt {
            short: 'i',
            long: "ignore-initial",
            value: "N[:M]",
            help: "leave out the first bytes",
        },
    ],
    notes: "\
Numbers may be octal (017) or hexadecimal (0x1f), and end in k or K (1024), kB (1000), M, MB, G and so
on to E. SKIP1 and SKIP2 are as with -i; of both the larger ones hold.",
    example: "cmp -n 1M image.bin /dev/sda",
    run,
};

/// One side.
struct Side {
    name: String,
    data: BufReader<File>,
    /// Of a regular file, how many bytes are compared at most; else the largest number.
    size: u64,
    /// Which file it is, and where in it the comparison begins.
    place: (u64, u64, u64),
}

impl Side {
    fn open(name: &OsStr, skip: u64) -> Result<Self, String> {
        let shown = name.display().to_string();
        let fail = |error: io::Error| format!("{shown}: {}", reason(&error));
        let mut file = if name == "-" {
            rustix::io::dup(rustix::stdio::stdin()).map(File::from).map_err(io::Error::from)
        } else {
            File::open(name)
        }
        .map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        let mut start = file.stream_position().unwrap_or(0);
        let mut size = u64::MAX;
        if meta.is_file() {
            start = start.saturating_add(skip).min(i64::MAX.unsigned_abs());
            // Farther than any file reaches is its end.
            let end = |_| (&file).seek(io::SeekFrom::End(0));
            (&file).seek(io::SeekFrom::Start(start)).or_else(end).map_err(fail)?;
            size = meta.len().saturating_sub(start);
        } else {
            let skipped = io::copy(&mut (&mut file).take(skip), &mut io::sink());
            // A folder may stand beside itself.
            skipped
                .map(drop)
                .or_else(|error| if meta.is_dir() { Ok(()) } else { Err(fail(error)) })?;
        }
        let data = BufReader::with_capacity(1 << 16, file);
        Ok(Self { name: shown.clone(), data, size, place: (meta.dev(), meta.ino(), start) })
    }
}

/// What is there to be compared; nothing at the end.
fn filled<'a>(data: &'a mut BufReader<File>, name: &str) -> Result<&'a [u8], String> {
    data.fill_buf().map_err(|error| format!("{name}: {}", reason(&error)))
}

/// A number of bytes as C writes it, with a factor behind it.
fn bytes(text: &OsStr, option: &str) -> anyhow::Result<u64> {
    match text.to_str().and_then(number) {
        Some(number) => Ok(number),
        None => usage_error(format!("invalid --{option} value '{}'", text.display())),
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let hex = hex.filter(|rest| rest.starts_with(|c: char| c.is_ascii_hexdigit()));
    let (rest, base) = match hex {
        Some(rest) => (rest, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let end = rest.find(|c: char| !c.is_digit(base)).unwrap_or(rest.len());
    let (digits, factor) = rest.split_at_checked(end)?;
    let letter = factor.chars().next();
    let unit = letter.map_or("", |letter| factor.strip_prefix(letter).unwrap_or(factor));
    let thousand: u64 = match unit {
        "" | "iB" => 1024,
        "B" => 1000,
        _ => return None,
    };
    let power = match letter {
        None => 0,
        Some('k' | 'K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        Some('P') => 5,
        Some('E') => 6,
        Some(_) => return None,
    };
    let number = match digits {
        // A factor alone is once that.
        "" if power > 0 && text == rest => 1,
        digits => u64::from_str_radix(digits, base).ok()?,
    };
    number.checked_mul(thousand.checked_pow(power)?)
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let quiet = args.has("quiet") || args.has("silent");
    if quiet && args.has("verbose") {
        return usage_error("options -l and -s are incompatible");
    }
    let (first, rest) = match args.operands.as_slice() {
        [] => return usage_error("missing operand after 'cmp'"),
        [_, _, _, _, extra, ..] => {
            return usage_error(format!("extra operand '{}'", extra.display()));
        }
        [first, rest @ ..] => (first, rest),
    };
    let skips = skips(args, rest.get(1..).unwrap_or_default())?;
    let most = args.value("bytes").map_or(Ok(u64::MAX), |text| bytes(text, "bytes"))?;
    let second = rest.first().map_or(OsStr::new("-"), OsString::as_os_str);
    let sides = Side::open(first, skips[0]).and_then(|a| Ok((a, Side::open(second, skips[1])?)));
    let done = match sides {
        Ok((a, b)) if a.place == b.place => return Ok(0),
        // Their sizes say enough.
        Ok((a, b))
            if quiet && a.size.max(b.size) < u64::MAX && a.size.min(most) != b.size.min(most) =>
        {
            return Ok(1);
        }
        Ok((a, b)) => compare(args, a, b, most)?,
        Err(text) => Err(text),
    };
    done.or_else(|text| {
        if !quiet {
            eprintln!("cmp: {text}");
        }
        Ok(2)
    })
}

/// How many bytes of each file are left out.
fn skips(args: &Args, operands: &[OsString]) -> anyhow::Result<[u64; 2]> {
    let option = "ignore-initial";
    let mut skips = [0, 0];
    for value in args.values(option) {
        let Some(text) = value.to_str() else { return bytes(value, option).map(|n| [n, n]) };
        let (one, two) = text.split_once(':').unwrap_or((text, text));
        let given = [bytes(one.as_ref(), option)?, bytes(two.as_ref(), option)?];
        for (skip, given) in skips.iter_mut().zip(given) {
            *skip = given.max(*skip);
        }
    }
    for (skip, text) in skips.iter_mut().zip(operands) {
        *skip = bytes(text, option)?.max(*skip);
    }
    Ok(skips)
}

/// Compares; the status, or what was wrong with a file.
fn compare(args: &Args, mut a: Side, mut b: Side, most: u64) -> io::Result<Result<u8, String>> {
    let quiet = args.has("quiet") || args.has("silent");
    let show = args.has("print-bytes") || args.has("print-chars");
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut at, mut line, mut differ) = (0_u64, 1_u64, false);
    let width = [a.size, b.size, most].into_iter().min().unwrap_or(most).to_string().len();
    let mut start_of_line = true;
    while at < most {
        let (x, y) = match (filled(&mut a.data, &a.name), filled(&mut b.data, &b.name)) {
            (Ok(x), Ok(y)) => (x, y),
            (Err(text), _) | (_, Err(text)) => {
                out.flush()?;
                return Ok(Err(text));
            }
        };
        if x.is_empty() || y.is_empty() {
            if x.is_empty() && y.is_empty() {
                break;
            }
            let name = if x.is_empty() { &a.name } else { &b.name };
            out.flush()?;
            if !quiet {
                ended(name, at, line, start_of_line, args.has("verbose"));
            }
            return Ok(Ok(1));
        }
        let left = usize::try_from(most - at).unwrap_or(usize::MAX);
        let count = x.len().min(y.len()).min(left);
        let (x, y) = (x.get(..count).unwrap_or_default(), y.get(..count).unwrap_or_default());
        if x != y {
            if quiet {
                return Ok(Ok(1));
            }
            for (n, (p, q)) in x.iter().zip(y).enumerate() {
                let place = at + u64::try_from(n).unwrap_or(0) + 1;
                if p != q && !args.has("verbose") {
                    let before = x.get(..n).unwrap_or_default();
                    let line = line + newlines(before);
                    let word = if show || translated() { "byte" } else { "char" };
                    write!(out, "{} {} differ: {word} {place}, line {line}", a.name, b.name)?;
                    if show {
                        write!(out, " is {p:>3o} {} {q:>3o} {}", visible(*p), visible(*q))?;
                    }
                    writeln!(out)?;
                    out.flush()?;
                    return Ok(Ok(1));
                }
                if p != q && show {
                    writeln!(
                        out,
                        "{place:>width$} {p:>3o} {:<4} {q:>3o} {}",
                        visible(*p),
                        visible(*q)
                    )?;
                } else if p != q {
                    writeln!(out, "{place:>width$} {p:>3o} {q:>3o}")?;
                }
            }
            differ = true;
        }
        line += newlines(x);
        start_of_line = x.last() == Some(&b'\n');
        at += u64::try_from(count).unwrap_or(0);
        a.data.consume(count);
        b.data.consume(count);
    }
    out.flush()?;
    Ok(Ok(u8::from(differ)))
}

/// Whether GNU's would not use the POSIX words.
fn translated() -> bool {
    let set = |name: &&str| std::env::var_os(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
    locale.is_some_and(|locale| locale != "C" && locale != "POSIX")
}

fn newlines(data: &[u8]) -> u64 {
    u64::try_from(data.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(0)
}

fn ended(name: &str, at: u64, line: u64, start_of_line: bool, verbose: bool) {
    if at == 0 {
        eprintln!("cmp: EOF on {name} which is empty");
    } else if verbose {
        eprintln!("cmp: EOF on {name} after byte {at}");
    } else if start_of_line {
        eprintln!("cmp: EOF on {name} after byte {at}, line {}", line - 1);
    } else {
        eprintln!("cmp: EOF on {name} after byte {at}, in line {line}");
    }
}

/// A byte as `cat -v` shows it.
fn visible(byte: u8) -> String {
    let (meta, low) = if byte >= 128 { ("M-", byte - 128) } else { ("", byte) };
    match low {
        127 => format!("{meta}^?"),
        0..=31 => format!("{meta}^{}", char::from(low + 64)),
        _ => format!("{meta}{}", char::from(low)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_in_c_with_a_factor() {
        for (text, value) in [
            ("5", Some(5)),
            ("+5", Some(5)),
            ("010", Some(8)),
            ("0x1F", Some(31)),
            ("0", Some(0)),
            ("k", Some(1024)),
            ("2kB", Some(2000)),
            ("2KiB", Some(2048)),
            ("1E", Some(1 << 60)),
            ("16E", None),
            ("1Y", None),
            ("", None),
            ("-1", None),
            ("08", None),
            ("1m", None),
            ("1 ", None),
            ("0x", None),
            ("1é", None),
        ] {
            assert_eq!(number(text), value, "{text}");
        }
    }
}
