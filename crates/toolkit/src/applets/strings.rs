//! `strings`: the text in binary files.

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Read, Write},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "strings",
    summary: "Prints runs of printable characters.",
    usage: "[OPTION]... [FILE]...",
    options: &[
        Opt { short: 'n', long: "bytes", value: "N", help: "runs of at least N (so 4)" },
        Opt { short: '#', long: "least", value: "N", help: "the same" },
        Opt { short: 't', long: "radix", value: "d|o|x", help: "print where each begins" },
        flag('o', "octal", "the same as -t o"),
        flag('f', "print-file-name", "print the file's name before each"),
        flag('a', "all", "understood: always the whole file"),
        flag('w', "include-all-whitespace", "ends of lines belong to a run too"),
    ],
    notes: "",
    example: "strings -n 8 /dev/sda1 | head",
    run,
};

struct Search {
    least: usize,
    radix: Option<char>,
    names: bool,
    whitespace: bool,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let radix = match args.text("radix")? {
        None if args.has("octal") => Some('o'),
        None => None,
        Some("d") => Some('d'),
        Some("o") => Some('o'),
        Some("x") => Some('x'),
        Some(_) => return usage_error("-t takes d, o or x"),
    };
    let search = Search {
        least: args.number("bytes")?.or(args.number("least")?).unwrap_or(4),
        radix,
        names: args.has("print-file-name"),
        whitespace: args.has("include-all-whitespace"),
    };
    if search.least == 0 {
        return usage_error("the least length is 1");
    }
    let stdin = [OsString::from("-")];
    let files = if args.operands.is_empty() { &stdin[..] } else { &args.operands };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut status = 0;
    for file in files {
        let done = open(file).and_then(|data| search.file(data, file, &mut out));
        if let Err(error) = done {
            out.flush()?;
            eprintln!("strings: {}: {}", file.display(), reason(&error));
            status = 1;
        }
    }
    out.flush()?;
    Ok(status)
}

fn open(file: &OsStr) -> io::Result<Box<dyn Read>> {
    if file == "-" {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(file)?))
}

impl Search {
    fn file(&self, data: Box<dyn Read>, name: &OsStr, out: &mut impl Write) -> io::Result<()> {
        let mut data = BufReader::with_capacity(1 << 16, data);
        let (mut run, mut at, mut start) = (Vec::new(), 0_u64, 0);
        // A run that is long enough is printed as it comes: a file may be all text.
        let mut printing = false;
        loop {
            let piece = data.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            let length = piece.len();
            for byte in piece {
                let text = matches!(byte, b' '..=b'~' | b'\t')
                    || (self.whitespace && matches!(byte, b'\n' | b'\r' | 11 | 12));
                if text && printing {
                    out.write_all(&[*byte])?;
                } else if text {
                    if run.is_empty() {
                        start = at;
                    }
                    run.push(*byte);
                    if run.len() == self.least {
                        self.begin(start, name, out)?;
                        out.write_all(&run)?;
                        run.clear();
                        printing = true;
                    }
                } else {
                    if printing {
                        out.write_all(b"\n")?;
                    }
                    printing = false;
                    run.clear();
                }
                at += 1;
            }
            data.consume(length);
        }
        if printing { out.write_all(b"\n") } else { Ok(()) }
    }

    fn begin(&self, at: u64, name: &OsStr, out: &mut impl Write) -> io::Result<()> {
        if self.names {
            let stdin = name == "-";
            let shown = if stdin { "{standard input}".into() } else { name.display().to_string() };
            write!(out, "{shown}: ")?;
        }
        match self.radix {
            Some('d') => write!(out, "{at:>7} "),
            Some('o') => write!(out, "{at:>7o} "),
            Some(_) => write!(out, "{at:>7x} "),
            None => Ok(()),
        }
    }
}
