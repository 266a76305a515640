//! `file`: what files are, by their content.

use crate::{
    applet::{Applet, Args, Opt, reason, usage_error},
    magic::{self, Kind, printable},
};
use rustix::fs::{major, minor};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _},
    },
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "file",
    summary: "Says what each FILE is, by what is in it.",
    usage: "[OPTION]... FILE...",
    options: &[
        flag('b', "brief", "no names"),
        flag('i', "mime", "media type and character set"),
        flag('\0', "mime-type", "media type"),
        flag('\0', "mime-encoding", "character set"),
        flag('L', "dereference", "what symbolic links lead to"),
        flag('h', "no-dereference", "the links themselves (so it is anyway)"),
        flag('s', "special-files", "what devices hold"),
        flag('E', "error", "status 1 when a file cannot be looked at"),
        Opt { short: 'f', long: "files-from", value: "FILE", help: "names are there, one a line" },
        Opt {
            short: 'F',
            long: "separator",
            value: "TEXT",
            help: "after the name; ':' if not given",
        },
        flag('N', "no-pad", "no blanks that align"),
        flag('0', "print0", "a zero byte after the name"),
        flag('r', "raw", "nothing to translate: always safe for a terminal"),
    ],
    notes: "FILE - is standard input. The words are those of Debian's file for what is met on disks.",
    example: "file -s /dev/sda1 /boot/vmlinuz",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut names: Vec<OsString> = Vec::new();
    for list in args.values("files-from") {
        names.extend(listed(list)?);
    }
    names.extend(args.operands.iter().cloned());
    if names.is_empty() && !args.has("files-from") {
        return usage_error("which file?");
    }
    let shown =
        |name: &OsStr| if name == "-" { "/dev/stdin".into() } else { printable(name.as_bytes()) };
    let width = names.iter().map(|name| shown(name).chars().count()).max().unwrap_or(0);
    let mut status = 0;
    let mut out = io::stdout().lock();
    for name in &names {
        let result = identify(args, name);
        let text = match &result {
            Ok(kind) => say(args, kind),
            // Debian's file says it in other words when it counts.
            Err(text) if args.has("error") => text.replacen("cannot open", "ERROR: cannot stat", 1),
            Err(text) => text.clone(),
        };
        if result.is_err() && args.has("error") {
            status = 1;
        }
        if args.has("brief") {
            writeln!(out, "{text}")?;
            continue;
        }
        let (name, separator) = (shown(name), args.text("separator")?.unwrap_or(":"));
        let zero = if args.has("print0") { "\0" } else { "" };
        let blanks = if args.has("no-pad") { 0 } else { width - name.chars().count() };
        writeln!(out, "{name}{zero}{separator}{:blanks$} {text}", "")?;
    }
    Ok(status)
}

fn listed(list: &OsStr) -> anyhow::Result<Vec<OsString>> {
    let mut text = Vec::new();
    if list == "-" {
        io::stdin().read_to_end(&mut text)?;
    } else {
        text = fs::read(list).map_err(|e| anyhow::anyhow!("{}: {}", list.display(), reason(&e)))?;
    }
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(|line| OsString::from_vec(line.to_vec())).collect())
}

fn say(args: &Args, kind: &Kind) -> String {
    if args.has("mime-type") {
        kind.mime.into()
    } else if args.has("mime-encoding") {
        kind.charset.into()
    } else if args.has("mime") {
        format!("{}; charset={}", kind.mime, kind.charset)
    } else {
        kind.text.clone()
    }
}

fn identify(args: &Args, name: &OsStr) -> Result<Kind, String> {
    let said = |error: io::Error| {
        format!("cannot open `{}' ({})", printable(name.as_bytes()), reason(&error))
    };
    if name == "-" {
        let mut head = Vec::new();
        io::stdin().take(magic::FROM_PIPE).read_to_end(&mut head).map_err(said)?;
        return magic::identify_bytes(&head).map_err(said);
    }
    let data = fs::symlink_metadata(name).map_err(said)?;
    let data = match data.is_symlink() {
        true if args.has("dereference") && !args.has("no-dereference") => {
            fs::metadata(name).map_err(said)?
        }
        true => return link(name).map_err(said),
        false => data,
    };
    let prefix = prefix(data.mode());
    let of = |text: String, mime| Ok(Kind { text, mime, charset: "binary" });
    let (kind, device) = (data.file_type(), data.rdev());
    let numbers = format!("({}/{})", major(device), minor(device));
    if kind.is_dir() {
        let comma = if prefix.is_empty() { "" } else { ", " };
        return of(format!("{prefix}{comma}directory"), "inode/directory");
    } else if kind.is_fifo() {
        return of("fifo (named pipe)".into(), "inode/fifo");
    } else if kind.is_socket() {
        return of("socket".into(), "inode/socket");
    } else if kind.is_char_device() {
        return of(format!("character special {numbers}"), "inode/chardevice");
    } else if kind.is_block_device() && !args.has("special-files") {
        return of(format!("block special {numbers}"), "inode/blockdevice");
    }
    let mut kind = match File::open(name) {
        Ok(file) => magic::identify(&file).map_err(said)?,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return of("regular file, no read permission".into(), "application/octet-stream");
        }
        Err(error) => return Err(said(error)),
    };
    if !prefix.is_empty() {
        kind.text = format!("{prefix} {}", kind.text);
    }
    Ok(kind)
}

/// What the permissions say about who a program runs as.
fn prefix(mode: u32) -> String {
    let bits = [(0o4000, "setuid"), (0o2000, "setgid"), (0o1000, "sticky")];
    let set: Vec<&str> =
        bits.iter().filter(|(bit, _)| mode & bit != 0).map(|(_, name)| *name).collect();
    set.join(", ")
}

fn link(name: &OsStr) -> io::Result<Kind> {
    let target = printable(fs::read_link(name)?.as_os_str().as_bytes());
    let broken = if fs::metadata(name).is_err() { "broken " } else { "" };
    Ok(Kind {
        text: format!("{broken}symbolic link to {target}"),
        mime: "inode/symlink",
        charset: "binary",
    })
}
