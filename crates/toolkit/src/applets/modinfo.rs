//! `modinfo`: what a kernel module says of itself.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    compress::Format,
};
use anyhow::{Context as _, bail};
use std::{
    fs::File,
    io::{BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
};
use xenoboot_sys::kmod::Modules;

const fn short(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "modinfo",
    summary: "Prints what modules of the kernel say of themselves.",
    usage: "[OPTION]... MODULE|FILE...",
    options: &[
        Opt { short: 'F', long: "field", value: "NAME", help: "only this field" },
        short('n', "filename", "only the file"),
        short('p', "parameters", "only the parameters"),
        short('d', "description", "only what it is"),
        short('a', "author", "only its author"),
        short('l', "license", "only its licence"),
        short('0', "null", "end with NUL, not newline"),
        Opt { short: 'k', long: "set-version", value: "VERSION", help: "of this kernel" },
        Opt { short: 'b', long: "basedir", value: "FOLDER", help: "below FOLDER/lib/modules" },
    ],
    notes: "",
    example: "modinfo -p virtio_blk",
    run,
};

/// No module is larger, unpacked.
const MOST: u64 = 256 << 20;

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    if words.is_empty() {
        return usage_error("missing module or filename.");
    }
    let mut status = 0;
    for word in words {
        if let Err(error) = one(args, word) {
            eprintln!("modinfo: {error:#}");
            status = 1;
        }
    }
    Ok(status)
}

fn one(args: &Args, word: &str) -> anyhow::Result<()> {
    let files = if word.contains('/') || word.contains(".ko") {
        vec![PathBuf::from(word)]
    } else {
        match find(args, word)? {
            Found::Files(files) => files,
            Found::Builtin => {
                let fields = [("name".to_owned(), word.replace('-', "_"))];
                return print(args, "(builtin)", &fields);
            }
        }
    };
    for file in files {
        let bytes = read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let fields = section(&bytes).and_then(parse);
        let Some(fields) = fields else { bail!("{} is no module", file.display()) };
        print(args, &file.to_string_lossy(), &fields)?;
    }
    Ok(())
}

/// What has a name.
enum Found {
    /// Modules, by the name of one or of a device.
    Files(Vec<PathBuf>),
    /// A part of the kernel itself. What it says of itself is not in the image.
    Builtin,
}

fn find(args: &Args, name: &str) -> anyhow::Result<Found> {
    let system = rustix::system::uname();
    let release = match args.text("set-version")? {
        Some(version) => version.to_owned(),
        None => system.release().to_string_lossy().into_owned(),
    };
    let base = args.value("basedir").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let folder = base.join("lib/modules").join(release);
    let modules = Modules::open(&folder).context("the modules of this kernel are not here")?;
    let names = modules.resolve(name)?;
    if names.is_empty() {
        if modules.is_builtin(name) {
            return Ok(Found::Builtin);
        }
        bail!("Module {name} not found.");
    }
    let files = names.iter().map(|name| Ok(modules.files(name)?.file));
    Ok(Found::Files(files.collect::<anyhow::Result<_>>()?))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut raw = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut raw)?;
    let Some(format) = Format::of(&raw) else { return Ok(raw) };
    let mut bytes = Vec::new();
    format.reader(BufReader::new(raw.as_slice()))?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    let number = field
        .iter()
        .rev()
        .try_fold(0_u64, |n, byte| n.checked_mul(256)?.checked_add((*byte).into()))?;
    usize::try_from(number).ok()
}

/// The section `.modinfo` of an ELF file of 64 bits, little-endian (elf(5)).
fn section(elf: &[u8]) -> Option<&[u8]> {
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = number(elf, 0x28, 8)?;
    let (size, count, names) =
        (number(elf, 0x3a, 2)?, number(elf, 0x3c, 2)?, number(elf, 0x3e, 2)?);
    let header = |n: usize| {
        let start = table.checked_add(n.checked_mul(size)?)?;
        elf.get(start..start.checked_add(0x40)?)
    };
    let content = |header: &[u8]| {
        let (at, length) = (number(header, 0x18, 8)?, number(header, 0x20, 8)?);
        elf.get(at..at.checked_add(length)?)
    };
    let strings = content(header(names)?)?;
    (0..count).filter_map(header).find_map(|header| {
        let name = strings.get(number(header, 0, 4)?..)?;
        name.starts_with(b".modinfo\0").then(|| content(header))?
    })
}

/// `key=value`, each ended by NUL.
fn parse(section: &[u8]) -> Option<Vec<(String, String)>> {
    let text = String::from_utf8_lossy(section).into_owned();
    let pairs = text.split('\0').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()))).collect()
}

fn print(args: &Args, file: &str, fields: &[(String, String)]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let end = if args.has("null") { '\0' } else { '\n' };
    let wanted = match args.text("field")? {
        Some(name) => Some(name),
        None => [
            ("filename", "filename"),
            ("parameters", "parm"),
            ("description", "description"),
            ("author", "author"),
            ("license", "license"),
        ]
        .iter()
        .find(|(option, _)| args.has(option))
        .map(|(_, field)| *field),
    };
    match wanted {
        Some("filename") => write!(out, "{file}{end}")?,
        Some(name) => {
            let types = |parameter: &str| kind(fields, parameter);
            for (key, value) in fields.iter().filter(|(key, _)| key == name) {
                match (key.as_str(), value.split_once(':')) {
                    ("parm", Some((parameter, text))) if args.has("parameters") => {
                        write!(out, "{parameter}:{text}{}{end}", types(parameter))?;
                    }
                    _ => write!(out, "{value}{end}")?,
                }
            }
        }
        None => {
            write!(out, "{:<16}{file}{end}", "filename:")?;
            for (key, value) in fields.iter().filter(|(key, _)| key != "parm" && key != "parmtype")
            {
                write!(out, "{:<16}{value}{end}", format!("{key}:"))?;
            }
            for (_, value) in fields.iter().filter(|(key, _)| key == "parm") {
                let name = value.split(':').next().unwrap_or("");
                write!(out, "{:<16}{value}{}{end}", "parm:", kind(fields, name))?;
            }
        }
    }
    Ok(())
}

/// ` (int)`: `parmtype=NAME:int`.
fn kind(fields: &[(String, String)], parameter: &str) -> String {
    let mut types = fields.iter().filter(|(key, _)| key == "parmtype");
    let found = types.find_map(|(_, value)| value.strip_prefix(parameter)?.strip_prefix(':'));
    found.map_or(String::new(), |kind| format!(" ({kind})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with two sections: the names, and what it says.
    fn module(info: &[u8]) -> Vec<u8> {
        let names = b"\0.modinfo\0";
        let mut elf = vec![0; 0x40];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let (names_at, info_at) = (0x40, 0x40 + names.len());
        let table = info_at + info.len();
        elf[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        elf[0x3a] = 0x40;
        elf[0x3c] = 2;
        elf.extend_from_slice(names);
        elf.extend_from_slice(info);
        for (name, at, length) in [(0_u32, names_at, names.len()), (1, info_at, info.len())] {
            let mut header = vec![0; 0x40];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&(at as u64).to_le_bytes());
            header[0x20..0x28].copy_from_slice(&(length as u64).to_le_bytes());
            elf.extend(header);
        }
        elf
    }

    #[test]
    fn fields_of_a_module() {
        let elf = module(b"license=GPL\0parm=size:how large\0parmtype=size:int\0");
        let fields = parse(section(&elf).unwrap()).unwrap();
        assert_eq!(fields[0], ("license".into(), "GPL".into()));
        assert_eq!(kind(&fields, "size"), " (int)");
        assert_eq!(section(b"\x7fELF\x02\x01"), None);
    }

    proptest::proptest! {
        #[test]
        fn damage_does_not_panic(at in 0_usize..220, byte: u8) {
            let mut elf = module(b"license=GPL\0");
            let length = elf.len();
            elf[at % length] = byte;
            let _ = section(&elf).and_then(parse);
        }
    }
}
