//! `sysctl`: settings of the kernel.

use crate::applet::{Applet, Args, Opt, usage_error};
use anyhow::Context as _;
use std::{fs, path::PathBuf};

pub(crate) static APPLET: Applet = Applet {
    name: "sysctl",
    summary: "Prints or sets settings of the kernel (/proc/sys).",
    usage: "[-n] [-w] NAME[=VALUE]...",
    options: &[
        Opt { short: 'n', long: "values", value: "", help: "print values without names" },
        Opt { short: 'w', long: "write", value: "", help: "set (an = is enough)" },
    ],
    notes: "",
    example: "sysctl -w kernel.panic=10",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    if words.is_empty() {
        return usage_error("which setting?");
    }
    for word in words {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (word, None),
        };
        let Some(path) = path(name) else {
            return usage_error(format!("{name:?} is not the name of a setting"));
        };
        if let Some(value) = value {
            fs::write(&path, value).with_context(|| format!("cannot set {name}"))?;
        }
        let now = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        let now = now.trim_end();
        if args.has("values") { println!("{now}") } else { println!("{name} = {now}") }
    }
    Ok(0)
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
