//! `hexdump`, `hd`: bytes as numbers.

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const OPTIONS: &[Opt] = &[
    flag('C', "canonical", "bytes in hexadecimal, and as characters"),
    flag('x', "two-bytes-hex", "two bytes in hexadecimal"),
    flag('d', "two-bytes-decimal", "two bytes in decimal"),
    flag('o', "two-bytes-octal", "two bytes in octal"),
    flag('b', "one-byte-octal", "bytes in octal"),
    flag('c', "one-byte-char", "bytes as characters"),
    flag('v', "no-squeezing", "print lines that are like the one before too"),
    Opt { short: 'n', long: "length", value: "N", help: "N bytes only" },
    Opt { short: 's', long: "skip", value: "N", help: "leave out the first N bytes" },
];

pub(crate) static APPLET: Applet = Applet {
    name: "hexdump",
    summary: "Prints bytes as numbers, 16 a line, least byte first.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "Numbers may begin with 0x or end in k, M, G.",
    example: "hexdump -C -n 512 /dev/sda",
    run: |args| run(args, args.has("canonical")),
};

/// `hexdump -C`.
pub(crate) static HD: Applet = Applet { name: "hd", run: |args| run(args, true), ..APPLET };

#[derive(Clone, Copy)]
enum Form {
    Canonical,
    /// Two bytes each.
    Plain,
    Hex,
    Decimal,
    Octal,
    ByteOctal,
    ByteChar,
}

fn number(args: &Args, option: &str) -> anyhow::Result<Option<u64>> {
    let Some(text) = args.text(option)? else { return Ok(None) };
    let (digits, factor) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (text.get(..at).unwrap_or(""), 1 << 10),
        Some((at, 'm' | 'M')) => (text.get(..at).unwrap_or(""), 1 << 20),
        Some((at, 'g' | 'G')) => (text.get(..at).unwrap_or(""), 1 << 30),
        _ => (text, 1),
    };
    let parsed = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    match parsed.and_then(|number: u64| number.checked_mul(factor)) {
        Some(number) => Ok(Some(number)),
        None => usage_error(format!("{text:?} is no number")),
    }
}

fn run(args: &Args, canonical: bool) -> anyhow::Result<u8> {
    let forms = [
        ("two-bytes-hex", Form::Hex),
        ("two-bytes-decimal", Form::Decimal),
        ("two-bytes-octal", Form::Octal),
        ("one-byte-octal", Form::ByteOctal),
        ("one-byte-char", Form::ByteChar),
    ];
    let chosen = forms.into_iter().find(|(option, _)| args.has(option)).map(|(_, form)| form);
    let form = chosen.unwrap_or(if canonical { Form::Canonical } else { Form::Plain });
    let (skip, length) = (number(args, "skip")?.unwrap_or(0), number(args, "length")?);
    let mut status = 0;
    let mut input: Box<dyn Read> =
        if args.operands.is_empty() { Box::new(io::stdin()) } else { Box::new(io::empty()) };
    for name in &args.operands {
        match open(name) {
            Ok(file) => input = Box::new(input.chain(file)),
            Err(error) => {
                eprintln!("hexdump: {}: {}", name.display(), reason(&error));
                status = 1;
            }
        }
    }
    if status == 1 && args.operands.len() == 1 {
        return Ok(status);
    }
    let mut input = BufReader::with_capacity(1 << 16, input);
    // What is skipped may be more than there is.
    let skip = io::copy(&mut (&mut input).take(skip), &mut io::sink())?;
    let mut out = BufWriter::new(io::stdout().lock());
    dump(input.take(length.unwrap_or(u64::MAX)), skip, form, args.has("no-squeezing"), &mut out)?;
    out.flush()?;
    Ok(status)
}

fn open(name: &OsStr) -> io::Result<File> {
    let file = File::open(name)?;
    if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

fn dump(
    mut input: impl Read,
    skip: u64,
    form: Form,
    all: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let (mut at, mut last, mut starred) = (skip, Vec::new(), false);
    loop {
        let mut line = Vec::with_capacity(16);
        (&mut input).take(16).read_to_end(&mut line)?;
        if line.is_empty() {
            break;
        }
        if !all && line.len() == 16 && line == last {
            if !starred {
                out.write_all(b"*\n")?;
            }
            starred = true;
        } else {
            starred = false;
            write_line(at, &line, form, out)?;
        }
        at += u64::try_from(line.len()).unwrap_or(0);
        last = line;
    }
    match (at > 0, form) {
        (false, _) => Ok(()),
        (true, Form::Canonical) => writeln!(out, "{at:08x}"),
        (true, _) => writeln!(out, "{at:07x}"),
    }
}

fn write_line(at: u64, line: &[u8], form: Form, out: &mut impl Write) -> io::Result<()> {
    let mut text = String::new();
    let words = line.chunks(2).map(|pair| match pair {
        [low, high] => u16::from_le_bytes([*low, *high]),
        [low, ..] => u16::from(*low),
        [] => 0,
    });
    let width = match form {
        Form::Canonical => return canonical(at, line, out),
        Form::Plain => {
            words.for_each(|word| text.push_str(&format!(" {word:04x}")));
            39
        }
        Form::Hex => {
            words.for_each(|word| text.push_str(&format!("    {word:04x}")));
            64
        }
        Form::Decimal => {
            words.for_each(|word| text.push_str(&format!("   {word:05}")));
            64
        }
        Form::Octal => {
            words.for_each(|word| text.push_str(&format!("  {word:06o}")));
            64
        }
        Form::ByteOctal => {
            line.iter().for_each(|byte| text.push_str(&format!(" {byte:03o}")));
            64
        }
        Form::ByteChar => {
            line.iter().for_each(|byte| text.push_str(&format!(" {:>3}", character(*byte))));
            64
        }
    };
    let width = if matches!(form, Form::Plain) { width + 1 } else { width };
    writeln!(out, "{at:07x}{text:<width$}")
}

fn character(byte: u8) -> String {
    match byte {
        0 => "\\0".into(),
        7 => "\\a".into(),
        8 => "\\b".into(),
        b'\t' => "\\t".into(),
        b'\n' => "\\n".into(),
        11 => "\\v".into(),
        12 => "\\f".into(),
        b'\r' => "\\r".into(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("{byte:03o}"),
    }
}

fn canonical(at: u64, line: &[u8], out: &mut impl Write) -> io::Result<()> {
    let mut text = String::new();
    for (n, byte) in line.iter().enumerate() {
        text.push_str(if n == 8 { "  " } else { " " });
        text.push_str(&format!("{byte:02x}"));
    }
    let shown: String =
        line.iter().map(|b| if matches!(b, b' '..=b'~') { char::from(*b) } else { '.' }).collect();
    writeln!(out, "{at:08x} {text:<49}  |{shown}|")
}
