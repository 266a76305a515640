//! `xxd`: bytes as numbers, and back.

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "xxd",
    summary: "Prints bytes in hexadecimal and as characters, or makes bytes of that.",
    usage: "[OPTION]... [IN [OUT]]",
    options: &[
        flag('r', "revert", "the reverse"),
        flag('p', "plain", "nothing but hexadecimal digits"),
        flag('u', "uppercase", "large letters"),
        flag('b', "bits", "bits instead"),
        flag('i', "include", "as an array in C"),
        Opt { short: 'c', long: "cols", value: "N", help: "so many bytes a line (16; 30 with -p)" },
        Opt {
            short: 'g',
            long: "groupsize",
            value: "N",
            help: "so many bytes without a blank (2)",
        },
        Opt { short: 'l', long: "len", value: "N", help: "N bytes only" },
        Opt { short: 'o', long: "offset", value: "N", help: "add N to the places that are shown" },
        Opt { short: 's', long: "seek", value: "N", help: "leave out the first N bytes" },
    ],
    notes: "",
    example: "xxd -p key.bin; echo 0a0b | xxd -r -p > bytes",
    run,
};

fn number(args: &Args, option: &str) -> anyhow::Result<Option<u64>> {
    let Some(text) = args.text(option)? else { return Ok(None) };
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    match parsed {
        Ok(number) => Ok(Some(number)),
        Err(_) => usage_error(format!("{text:?} is no number")),
    }
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let (input, output) = match args.operands.as_slice() {
        [] => (None, None),
        [input] => (Some(input), None),
        [input, output] => (Some(input), Some(output)),
        _ => return usage_error("two files at most"),
    };
    let data: Box<dyn Read> = match input.filter(|name| *name != "-") {
        None => Box::new(io::stdin()),
        Some(name) => match File::open(name) {
            Ok(file) => Box::new(file),
            Err(error) => {
                eprintln!("xxd: {}: {}", name.display(), reason(&error));
                return Ok(2);
            }
        },
    };
    let mut data = BufReader::with_capacity(1 << 16, data);
    let to: Box<dyn Write> = match output {
        Some(name) => Box::new(File::create(name)?),
        None => Box::new(io::stdout().lock()),
    };
    let mut out = BufWriter::new(to);
    if args.has("revert") && args.has("plain") {
        revert_plain(data, &mut out)?;
    } else if args.has("revert") {
        revert(data, Dump::new(args, 0)?.columns, &mut out)?;
    } else {
        let seek = number(args, "seek")?.unwrap_or(0);
        io::copy(&mut (&mut data).take(seek), &mut io::sink())?;
        let data = data.take(number(args, "len")?.unwrap_or(u64::MAX));
        let name =
            input.filter(|name| *name != "-").map(|name| name.to_string_lossy().into_owned());
        let shift = number(args, "offset")?.unwrap_or(0);
        Dump::new(args, seek.wrapping_add(shift))?.all(data, name.as_deref(), &mut out)?;
    }
    out.flush()?;
    Ok(0)
}

struct Dump {
    columns: usize,
    group: usize,
    upper: bool,
    bits: bool,
    plain: bool,
    include: bool,
    at: u64,
}

impl Dump {
    fn new(args: &Args, at: u64) -> anyhow::Result<Self> {
        let (plain, bits, include) = (args.has("plain"), args.has("bits"), args.has("include"));
        let usual = if plain {
            30
        } else if bits {
            6
        } else if include {
            12
        } else {
            16
        };
        let columns = args.number("cols")?.filter(|n| *n > 0).unwrap_or(usual);
        let group = args.number("groupsize")?.unwrap_or(if bits { 1 } else { 2 });
        let group = if group == 0 { columns } else { group };
        if columns > 256 {
            return usage_error("256 columns at most");
        }
        Ok(Self { columns, group, upper: args.has("uppercase"), bits, plain, include, at })
    }

    fn byte(&self, byte: u8) -> String {
        match (self.bits, self.upper) {
            (true, _) => format!("{byte:08b}"),
            (_, true) => format!("{byte:02X}"),
            _ => format!("{byte:02x}"),
        }
    }

    fn all(
        mut self,
        mut data: impl Read,
        name: Option<&str>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        if self.include {
            return self.array(data, name, out);
        }
        loop {
            let mut line = Vec::new();
            let most = u64::try_from(self.columns).unwrap_or(16);
            (&mut data).take(most).read_to_end(&mut line)?;
            if line.is_empty() {
                return Ok(());
            }
            if self.plain {
                let text: String = line.iter().map(|byte| self.byte(*byte)).collect();
                writeln!(out, "{text}")?;
                continue;
            }
            let mut text = String::new();
            for (n, byte) in line.iter().enumerate() {
                if n > 0 && n % self.group == 0 {
                    text.push(' ');
                }
                text.push_str(&self.byte(*byte));
            }
            let digits = if self.bits { 8 } else { 2 };
            let width = self.columns * digits + (self.columns - 1) / self.group;
            let shown: String = line
                .iter()
                .map(|b| if matches!(b, b' '..=b'~') { char::from(*b) } else { '.' })
                .collect();
            writeln!(out, "{:08x}: {text:<width$}  {shown}", self.at)?;
            self.at = self.at.wrapping_add(u64::try_from(line.len()).unwrap_or(0));
        }
    }

    fn array(
        &self,
        mut data: impl Read,
        name: Option<&str>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut all = Vec::new();
        data.read_to_end(&mut all)?;
        let lines: Vec<String> = all
            .chunks(self.columns)
            .map(|line| {
                let bytes: Vec<String> =
                    line.iter().map(|byte| format!("0x{}", self.byte(*byte))).collect();
                format!("  {}", bytes.join(", "))
            })
            .collect();
        let body =
            if lines.is_empty() { String::new() } else { format!("{}\n", lines.join(",\n")) };
        match name {
            None => write!(out, "{body}"),
            Some(name) => {
                let mut word: String =
                    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
                if word.starts_with(|c: char| c.is_ascii_digit()) {
                    word.insert_str(0, "__");
                }
                writeln!(out, "unsigned char {word}[] = {{\n{body}}};")?;
                writeln!(out, "unsigned int {word}_len = {};", all.len())
            }
        }
    }
}

fn digit(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The bytes of pairs of hexadecimal digits with nothing but blanks in them. Two other characters after a byte or after one
/// another end the line, and what comes before the first digit is passed over, as in the original.
fn revert_plain(data: impl io::BufRead, out: &mut impl Write) -> io::Result<()> {
    let (mut last, mut before, mut begun, mut to_end) = (None, None, false, false);
    for byte in data.bytes() {
        let byte = byte?;
        if to_end {
            (to_end, begun) = (byte != b'\n', byte != b'\n');
            continue;
        }
        if matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
            continue;
        }
        let (earlier, high) = (before, last);
        (before, last) = (high, digit(&byte));
        if last.is_none() && !begun {
            continue;
        }
        begun = true;
        match (earlier, high, last) {
            (_, Some(high), Some(low)) => {
                out.write_all(&[high << 4 | low])?;
                last = None;
            }
            (None, None, None) => to_end = true,
            _ => {}
        }
    }
    Ok(())
}

/// The bytes of a dump: hexadecimal digits between `:` and two blanks; what the place says is filled up with zeros.
fn revert(data: impl io::BufRead, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let mut written = 0_u64;
    for line in data.split(b'\n') {
        let line = line?;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let place = line.get(..colon).and_then(|place| std::str::from_utf8(place).ok());
        let place =
            place.and_then(|place| u64::from_str_radix(place.trim(), 16).ok()).unwrap_or(written);
        if place > written {
            io::copy(&mut io::repeat(0).take(place - written), out)?;
            written = place;
        }
        let body = line.get(colon + 1..).unwrap_or_default();
        let body = body.strip_prefix(b" ").unwrap_or(body);
        let end = body.windows(2).position(|pair| pair == b"  ").unwrap_or(body.len());
        let digits: Vec<u8> =
            body.get(..end).unwrap_or_default().iter().filter_map(digit).collect();
        // What is behind the columns is text.
        for pair in digits.chunks_exact(2).take(columns) {
            if let [high, low] = pair {
                out.write_all(&[high << 4 | low])?;
                written += 1;
            }
        }
    }
    Ok(())
}
