//! `sysctl`: settings of the kernel.

use crate::applet::{Applet, Args, Opt, usage_error};
use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) static APPLET: Applet = Applet {
    name: "sysctl",
    summary: "Prints or sets settings of the kernel (/proc/sys).",
    usage: "[-n|-N] [-q] [-e] [-w] NAME[=VALUE]...\n[-n|-N] -a\n-p [FILE]...",
    options: &[
        Opt { short: 'n', long: "values", value: "", help: "print values without names" },
        Opt { short: 'N', long: "names", value: "", help: "print names without values" },
        Opt { short: 'a', long: "all", value: "", help: "every setting" },
        Opt { short: 'A', long: "All", value: "", help: "the same" },
        Opt {
            short: 'p',
            long: "load",
            value: "",
            help: "do what FILEs say; /etc/sysctl.conf if none",
        },
        Opt { short: 'q', long: "quiet", value: "", help: "do not print what is set" },
        Opt { short: 'e', long: "ignore", value: "", help: "no error for what is not there" },
        Opt { short: 'w', long: "write", value: "", help: "set (an = is enough)" },
    ],
    notes: "",
    example: "sysctl -w kernel.panic=10",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    if args.has("all") || args.has("All") {
        args.no_operands()?;
        let mut all = Vec::new();
        walk(Path::new("/proc/sys"), "", 0, &mut all);
        all.sort();
        // What cannot be read, or only by writing, is left out.
        all.iter().for_each(|name| drop(one(args, name)));
        return Ok(0);
    }
    if args.has("load") {
        let files = if words.is_empty() { vec!["/etc/sysctl.conf"] } else { words };
        let mut status = 0;
        for file in files {
            let text =
                fs::read_to_string(file).with_context(|| format!("cannot open \"{file}\""))?;
            for line in text.lines().map(str::trim) {
                if line.is_empty() || line.starts_with(['#', ';']) {
                    continue;
                }
                // A line that begins with a dash may fail.
                let (line, may_fail) = line.strip_prefix('-').map_or((line, false), |l| (l, true));
                if let Err(error) = one(args, line)
                    && !may_fail
                {
                    eprintln!("sysctl: {error:#}");
                    status = 1;
                }
            }
        }
        return Ok(status);
    }
    if words.is_empty() {
        return usage_error("which setting?");
    }
    for word in words {
        one(args, word)?;
    }
    Ok(0)
}

/// Prints or sets one.
fn one(args: &Args, word: &str) -> anyhow::Result<()> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (word, None),
    };
    let Some(path) = path(name) else {
        return usage_error(format!("{name:?} is not the name of a setting"));
    };
    if args.has("ignore") && !path.exists() {
        return Ok(());
    }
    if let Some(value) = value {
        fs::write(&path, value).with_context(|| format!("cannot set {name}"))?;
    }
    let now = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
    let name = shown(name);
    for now in now.trim_end().split('\n') {
        match () {
            () if value.is_some() && args.has("quiet") => {}
            () if args.has("names") => {
                println!("{name}");
                break;
            }
            () if args.has("values") => println!("{now}"),
            () => println!("{name} = {now}"),
        }
    }
    Ok(())
}

/// A name with dots; a dot in a part of it is then a slash.
fn shown(name: &str) -> String {
    let swap = |c| match c {
        '/' => '.',
        '.' => '/',
        c => c,
    };
    if name.contains('/') && !name.split('/').next().unwrap_or("").contains('.') {
        name.chars().map(swap).collect()
    } else {
        name.to_owned()
    }
}

/// The names of all settings below a folder, with slashes.
fn walk(folder: &Path, prefix: &str, depth: usize, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < 16 => {
                walk(&entry.path(), &format!("{prefix}{name}/"), depth + 1, all);
            }
            _ => all.push(format!("{prefix}{name}")),
        }
    }
}

/// `net.ipv4.ip_forward`, or with slashes when a part has a dot in it.
fn path(name: &str) -> Option<PathBuf> {
    let slashes = name.contains('/');
    let parts: Vec<&str> = name.split(if slashes { '/' } else { '.' }).collect();
    let good = parts.iter().all(|part| !matches!(*part, "" | "." | ".."));
    good.then(|| std::iter::once("/proc/sys").chain(parts).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_folder() {
        assert_eq!(path("kernel.panic"), Some("/proc/sys/kernel/panic".into()));
        assert_eq!(
            path("net/ipv4/conf/eth0.1/mtu"),
            Some("/proc/sys/net/ipv4/conf/eth0.1/mtu".into())
        );
        assert_eq!(path("../../etc/passwd"), None);
        assert_eq!(path("kernel..panic"), None);
    }
}
