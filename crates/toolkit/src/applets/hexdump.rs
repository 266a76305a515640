//! `hexdump`, `hd`: bytes as numbers.

mod format;
mod print;

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use anyhow::Context as _;
use format::Format;
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::ffi::OsStrExt as _,
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
    Opt { short: 'e', long: "format", value: "FORMAT", help: "as FORMAT says; may be given again" },
    Opt {
        short: 'f',
        long: "format-file",
        value: "FILE",
        help: "the same, a line each, but for lines that # begins",
    },
    Opt { short: 'n', long: "length", value: "N", help: "N bytes only" },
    Opt { short: 's', long: "skip", value: "N", help: "leave out the first N bytes" },
];

pub(crate) static APPLET: Applet = Applet {
    name: "hexdump",
    summary: "Prints bytes as numbers, 16 a line, least byte first.",
    usage: "[OPTION]... [FILE]...",
    options: OPTIONS,
    notes: "Numbers may begin with 0x or end in k, M, G. A FORMAT is a row of [TURNS][/BYTES] \"TEXT\", where TEXT has the\n\
            conversions %d %i %o %u %x %X %e %f %g %c %s, and %_c %_p %_u for characters, %_ad %_ao %_ax for the\n\
            place, %_Ad %_Ao %_Ax for the place behind all.",
    example: "hexdump -C -n 512 /dev/sda",
    run: |args| run(args, args.has("canonical")),
};

/// `hexdump -C`.
pub(crate) static HD: Applet = Applet { name: "hd", run: |args| run(args, true), ..APPLET };

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
    let formats = formats(args, canonical)?;
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
    dump(
        input.take(length.unwrap_or(u64::MAX)),
        skip,
        &formats,
        args.has("no-squeezing"),
        &mut out,
    )?;
    out.flush()?;
    Ok(status)
}

fn open(name: &OsStr) -> io::Result<File> {
    let file = File::open(name)?;
    if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

/// The options as formats (hexdump(1) gives them).
const FORMS: [(&str, &[&str]); 6] = [
    (
        "canonical",
        &[
            "\"%08.8_Ax\\n\"",
            "\"%08.8_ax  \" 8/1 \"%02x \" \"  \" 8/1 \"%02x \"",
            "\"  |\" 16/1 \"%_p\" \"|\\n\"",
        ],
    ),
    ("two-bytes-hex", &[END, "\"%07.7_ax \" 8/2 \"   %04x \" \"\\n\""]),
    ("two-bytes-decimal", &[END, "\"%07.7_ax \" 8/2 \"  %05u \" \"\\n\""]),
    ("two-bytes-octal", &[END, "\"%07.7_ax \" 8/2 \" %06o \" \"\\n\""]),
    ("one-byte-octal", &[END, "\"%07.7_ax \" 16/1 \"%03o \" \"\\n\""]),
    ("one-byte-char", &[END, "\"%07.7_ax \" 16/1 \"%3_c \" \"\\n\""]),
];
const END: &str = "\"%07.7_Ax\\n\"";
const PLAIN: [&str; 2] = [END, "\"%07.7_ax \" 8/2 \"%04x \" \"\\n\""];

/// The formats that the options ask for, in their order, each filling the largest one's block.
fn formats(args: &Args, canonical: bool) -> anyhow::Result<Vec<Format>> {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    let named =
        |name: &str| FORMS.iter().find(|(option, _)| *option == name).map(|(_, list)| *list);
    let canonical = (canonical && !args.has("canonical")).then_some(("canonical", OsStr::new("")));
    for (option, value) in canonical.into_iter().chain(args.all()) {
        match option {
            "format" => texts.push(value.as_bytes().to_vec()),
            "format-file" => {
                let text = fs::read(value).with_context(|| value.display().to_string())?;
                let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
                texts.extend(
                    lines.filter(|l| !l.is_empty() && !l.starts_with(b"#")).map(<[u8]>::to_vec),
                );
            }
            option => {
                let list = named(option).unwrap_or_default();
                texts.extend(list.iter().map(|text| text.as_bytes().to_vec()));
            }
        }
    }
    if texts.is_empty() {
        texts = PLAIN.iter().map(|text| text.as_bytes().to_vec()).collect();
    }
    let mut formats =
        texts.iter().map(|text| Format::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let block = formats.iter().map(Format::bytes).max().unwrap_or(0);
    formats.iter_mut().for_each(|format| format.fill(block));
    Ok(formats)
}

fn dump(
    mut input: impl Read,
    skip: u64,
    formats: &[Format],
    all: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let length = formats.iter().map(Format::bytes).max().unwrap_or(0);
    let (mut at, mut last, mut starred) = (skip, Vec::new(), false);
    loop {
        let mut block = Vec::with_capacity(length);
        (&mut input).take(u64::try_from(length).unwrap_or(0)).read_to_end(&mut block)?;
        let filled = block.len();
        if filled == 0 {
            break;
        }
        // Behind the end of the data a number has zeros.
        block.resize(length, 0);
        if !all && filled == length && block == last {
            if !starred {
                out.write_all(b"*\n")?;
            }
            starred = true;
        } else {
            starred = false;
            print::block(formats, at, &block, filled, out)?;
        }
        at = at.saturating_add(u64::try_from(filled).unwrap_or(0));
        last = block;
    }
    if at > 0 { print::end(formats, at, out) } else { Ok(()) }
}
