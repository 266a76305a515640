//! `cmp`: whether two files are the same, byte for byte.

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Read, Write},
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
    notes: "Numbers may end in k (1024), M and G.",
    example: "cmp -n 1M image.bin /dev/sda",
    run,
};

/// One side.
struct Side {
    name: String,
    data: BufReader<Box<dyn Read>>,
    /// Of a regular file, how many bytes are compared at most; else the largest number.
    size: u64,
}

impl Side {
    fn open(name: &OsStr, skip: u64) -> Result<Self, String> {
        let shown = name.display().to_string();
        let fail = |error: io::Error| format!("{shown}: {}", reason(&error));
        let stdin = name == "-";
        let file = File::open(if stdin { OsStr::new("/dev/stdin") } else { name });
        let meta = file.as_ref().ok().and_then(|file| file.metadata().ok());
        let size = meta
            .filter(|meta| meta.is_file())
            .map_or(u64::MAX, |meta| meta.len() - skip.min(meta.len()));
        let data: Box<dyn Read> =
            if stdin { Box::new(io::stdin()) } else { Box::new(file.map_err(fail)?) };
        let mut data = BufReader::with_capacity(1 << 16, data);
        io::copy(&mut (&mut data).take(skip), &mut io::sink()).map_err(fail)?;
        Ok(Self { name: shown.clone(), data, size })
    }
}

fn bytes(text: &str) -> anyhow::Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.strip_prefix(digits) {
        Some("") => 1,
        Some("k" | "K" | "KiB") => 1 << 10,
        Some("kB") => 1000,
        Some("M" | "MiB") => 1 << 20,
        Some("MB") => 1_000_000,
        Some("G" | "GiB") => 1 << 30,
        Some("GB") => 1_000_000_000,
        _ => return usage_error(format!("{text:?} is no number of bytes")),
    };
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)) {
        Some(number) => Ok(number),
        None => usage_error(format!("{text:?} is no number of bytes")),
    }
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let (first, rest) = match words.as_slice() {
        [first, rest @ ..] if rest.len() <= 3 => (*first, rest),
        _ => return usage_error("one or two files are needed"),
    };
    let mut skips = [0, 0];
    if let Some(text) = args.text("ignore-initial")? {
        let (one, two) = text.split_once(':').unwrap_or((text, text));
        skips = [bytes(one)?, bytes(two)?];
    }
    for (skip, text) in skips.iter_mut().zip(rest.iter().skip(1)) {
        *skip = bytes(text)?;
    }
    let most = args.text("bytes")?.map_or(Ok(u64::MAX), bytes)?;
    let second = rest.first().copied().unwrap_or("-");
    let done = Side::open(first.as_ref(), skips[0])
        .and_then(|a| Ok((a, Side::open(second.as_ref(), skips[1])?)))
        .and_then(|(a, b)| compare(args, a, b, most).map_err(|error| reason(&error)));
    done.or_else(|text| {
        if !args.has("quiet") && !args.has("silent") {
            eprintln!("cmp: {text}");
        }
        Ok(2)
    })
}

fn compare(args: &Args, mut a: Side, mut b: Side, most: u64) -> io::Result<u8> {
    let quiet = args.has("quiet") || args.has("silent");
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut at, mut line, mut differ) = (0_u64, 1_u64, false);
    let width = [a.size, b.size, most].into_iter().min().unwrap_or(most).to_string().len();
    let mut start_of_line = true;
    while at < most {
        let (x, y) = (a.data.fill_buf()?, b.data.fill_buf()?);
        if x.is_empty() || y.is_empty() {
            if x.is_empty() && y.is_empty() {
                break;
            }
            let name = if x.is_empty() { &a.name } else { &b.name };
            out.flush()?;
            if !quiet {
                ended(name, at, line, start_of_line, args.has("verbose"));
            }
            return Ok(1);
        }
        let left = usize::try_from(most - at).unwrap_or(usize::MAX);
        let count = x.len().min(y.len()).min(left);
        let (x, y) = (x.get(..count).unwrap_or_default(), y.get(..count).unwrap_or_default());
        if x != y {
            if quiet {
                return Ok(1);
            }
            for (n, (p, q)) in x.iter().zip(y).enumerate() {
                let place = at + u64::try_from(n).unwrap_or(0) + 1;
                if p != q && !args.has("verbose") {
                    let before = x.get(..n).unwrap_or_default();
                    let line = line + newlines(before);
                    let word =
                        if args.has("print-bytes") || translated() { "byte" } else { "char" };
                    write!(out, "{} {} differ: {word} {place}, line {line}", a.name, b.name)?;
                    if args.has("print-bytes") {
                        write!(out, " is {p:>3o} {} {q:>3o} {}", visible(*p), visible(*q))?;
                    }
                    writeln!(out)?;
                    out.flush()?;
                    return Ok(1);
                }
                if p != q && args.has("print-bytes") {
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
    Ok(u8::from(differ))
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
