//! `lsmod`: the modules in the kernel.

use crate::applet::{Applet, Args};
use anyhow::Context as _;
use std::{fs, io::Write as _};

pub(crate) static APPLET: Applet = Applet {
    name: "lsmod",
    summary: "Prints the modules in the kernel: name, size, users.",
    usage: "",
    options: &[],
    notes: "",
    example: "lsmod | grep virtio",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    let path = "/proc/modules";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<20} {:>8}  Used by", "Module", "Size")?;
    for line in text.lines() {
        let mut fields = line.split(' ');
        let mut next = || fields.next().unwrap_or("");
        let (name, size, users, by) = (next(), next(), next(), next());
        let by = by.trim_matches(['-', ',']);
        writeln!(out, "{name:<20} {size:>8}  {users} {by}")?;
    }
    Ok(0)
}
