//! `insmod`: put one module file into the kernel.

use crate::applet::{Applet, Args, usage_error};
use anyhow::Context as _;
use std::path::Path;
use xenoboot_sys::{Kernel, kmod::Insert as _};

pub(crate) static APPLET: Applet = Applet {
    name: "insmod",
    summary: "Puts one module file into the kernel, without what it needs.",
    usage: "FILE [PARAMETER=VALUE]...",
    options: &[],
    notes: "The kernel decompresses .ko.xz and the like itself.",
    example: "insmod ./driver.ko debug=1",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let Some((file, parameters)) = words.split_first() else { return usage_error("which FILE?") };
    Kernel
        .insert(Path::new(file), &parameters.join(" "))
        .with_context(|| format!("cannot insert {file}"))?;
    Ok(0)
}
