//! `md5sum`, `sha256sum` and their like: prints and checks sums of files, whatever bytes their names have.

mod check;
mod line;

use crate::applet::{Applet, Args, Opt, reason};
use anyhow::bail;
use line::Line;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write as _},
    os::unix::ffi::OsStrExt as _,
};
use uucore::sum::{Blake2b, Digest, Md5, Sha1, Sha224, Sha256, Sha384, Sha512};

/// One kind of sum.
struct Kind {
    /// The command's name.
    name: &'static str,
    /// What its lines are called and those of `--tag` begin with.
    tag: &'static str,
    bits: usize,
    /// The digest of so many bits.
    new: fn(usize) -> Box<dyn Digest>,
}

static MD5: Kind =
    Kind { name: "md5sum", tag: "MD5", bits: 128, new: |_| Box::new(Md5::default()) };
static SHA1: Kind =
    Kind { name: "sha1sum", tag: "SHA1", bits: 160, new: |_| Box::new(Sha1::default()) };
static SHA224: Kind =
    Kind { name: "sha224sum", tag: "SHA224", bits: 224, new: |_| Box::new(Sha224::default()) };
static SHA256: Kind =
    Kind { name: "sha256sum", tag: "SHA256", bits: 256, new: |_| Box::new(Sha256::default()) };
static SHA384: Kind =
    Kind { name: "sha384sum", tag: "SHA384", bits: 384, new: |_| Box::new(Sha384::default()) };
static SHA512: Kind =
    Kind { name: "sha512sum", tag: "SHA512", bits: 512, new: |_| Box::new(Sha512::default()) };
static BLAKE2: Kind = Kind {
    name: "b2sum",
    tag: "BLAKE2b",
    bits: 512,
    new: |bits| Box::new(Blake2b::with_output_bytes(bits / 8)),
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const OPTIONS: &[Opt] = &[
    flag('b', "binary", "put a * before names; no other difference"),
    flag('t', "text", "do not (so it is)"),
    flag('c', "check", "the files have sums: check them"),
    flag('\0', "tag", "print lines with the kind of sum"),
    flag('z', "zero", "end lines with a zero byte, and leave names as they are"),
    flag('\0', "ignore-missing", "with -c, say nothing of files that are not there"),
    flag('q', "quiet", "with -c, say nothing of files that are as they should be"),
    flag('\0', "status", "with -c, say nothing: the status tells"),
    flag('\0', "strict", "with -c, a line that is no sum is a failure"),
    flag('w', "warn", "with -c, tell which lines are no sums"),
    Opt {
        short: 'l',
        long: "length",
        value: "BITS",
        help: "sums of so many bits, a multiple of 8",
    },
];
/// All but the length, which only BLAKE2b lets be chosen.
const FIXED: &[Opt] = OPTIONS.split_at(OPTIONS.len() - 1).0;

const fn sums(name: &'static str, run: fn(&Args) -> anyhow::Result<u8>) -> Applet {
    Applet {
        name,
        summary: "Prints sums of files, or checks them; status 1 if one is wrong or cannot be read.",
        usage: "[OPTION]... [FILE]...",
        options: FIXED,
        notes: "\
With -c, lines are as the command prints them, with --tag or without, or as OpenSSL does. A line that
begins with \\ has \\n for a line's end in the name and \\\\ for a backslash. Without FILE, or for -,
standard input is read.",
        example: "sha256sum -c SHA256SUMS --ignore-missing",
        run,
    }
}

pub(crate) static B2SUM: Applet =
    Applet { options: OPTIONS, ..sums("b2sum", |args| run(&BLAKE2, args)) };
pub(crate) static MD5SUM: Applet = sums("md5sum", |args| run(&MD5, args));
pub(crate) static SHA1SUM: Applet = sums("sha1sum", |args| run(&SHA1, args));
pub(crate) static SHA224SUM: Applet = sums("sha224sum", |args| run(&SHA224, args));
pub(crate) static SHA256SUM: Applet = sums("sha256sum", |args| run(&SHA256, args));
pub(crate) static SHA384SUM: Applet = sums("sha384sum", |args| run(&SHA384, args));
pub(crate) static SHA512SUM: Applet = sums("sha512sum", |args| run(&SHA512, args));

fn run(kind: &Kind, args: &Args) -> anyhow::Result<u8> {
    let bits = match args.number::<usize>("length")? {
        None | Some(0) => kind.bits,
        Some(bits) if bits % 8 != 0 => bail!("invalid length: it is no multiple of 8"),
        Some(bits) if bits > kind.bits => bail!("invalid length: it is more than {}", kind.bits),
        Some(bits) => bits,
    };
    let files = match args.operands.as_slice() {
        [] => &[OsString::from("-")],
        files => files,
    };
    if args.has("check") {
        if args.has("tag") {
            bail!("the --tag option is meaningless when verifying checksums");
        }
        if args.has("binary") || args.has("text") {
            bail!("the --binary and --text options are meaningless when verifying checksums");
        }
        return check::run(kind, args, files);
    }
    for only in ["ignore-missing", "status", "warn", "quiet", "strict"] {
        if args.has(only) {
            bail!("the --{only} option is meaningful only when verifying checksums");
        }
    }
    let last = args.all().filter(|(name, _)| matches!(*name, "binary" | "text")).last();
    if args.has("tag") && last.is_some_and(|(name, _)| name == "text") {
        bail!("--tag does not support --text mode");
    }
    let line = Line {
        tag: args.has("tag").then(|| tag(kind, bits)),
        binary: last.is_some_and(|(name, _)| name == "binary"),
        zero: args.has("zero"),
    };
    let mut status = 0;
    for file in files {
        match sum(kind, bits, file) {
            Ok(sum) => io::stdout().write_all(&line.made(&sum, file.as_bytes()))?,
            Err(error) => {
                complain(kind, file, &error);
                status = 1;
            }
        }
    }
    Ok(status)
}

/// What lines of `--tag` begin with.
fn tag(kind: &Kind, bits: usize) -> String {
    if bits == kind.bits { kind.tag.into() } else { format!("{}-{bits}", kind.tag) }
}

/// The sum of a file, in hexadecimal digits.
fn sum(kind: &Kind, bits: usize, file: &OsStr) -> io::Result<String> {
    let mut input: Box<dyn Read> =
        if file == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(file)?) };
    let mut digest = (kind.new)(bits);
    let mut buffer = vec![0; 128 << 10];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => digest.hash_update(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut bytes = vec![0; bits / 8];
    digest.hash_finalize(&mut bytes);
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Says on standard error what is wrong with a file.
fn complain(kind: &Kind, file: &OsStr, error: &io::Error) {
    let (sign, name) = line::told(file.as_bytes());
    let reason = reason(error);
    let text = [kind.name.as_bytes(), b": ", sign, &name, b": ", reason.as_bytes(), b"\n"];
    let _ = io::stderr().write_all(&text.concat());
}
