//! `cargo xtask demo`: builds what the demonstration needs and runs it.

use crate::{
    guest, image,
    run::{build_program, check, target},
    setup,
};
use anyhow::Result;
use std::{path::Path, time::Instant};

pub(crate) fn run(root: &Path) -> Result<()> {
    let step = |name: &str, start: Instant| {
        eprintln!("  {name:<44} {:>6.1} s", start.elapsed().as_secs_f64());
    };
    eprintln!("Building (the first time takes some minutes)");
    let start = Instant::now();
    setup::run()?;
    guest::build(root)?;
    step("the machine's programs", start);
    let start = Instant::now();
    let iso = image::base(root)?;
    step("the boot image", start);
    let start = Instant::now();
    let fsck = image::package(root, "e2fsck-static")?;
    step("e2fsck, which the demo's bundle carries", start);
    let start = Instant::now();
    check(&mut build_program(root, "demo"))?;
    step("the demo itself", start);
    let mut demo = std::process::Command::new(target(root).join("debug/demo"));
    demo.arg(fsck).current_dir(root);
    demo.env("XENOBOOT_ISO", iso).env("XENOBOOT_CLI", target(root).join("debug/xenoboot"));
    check(&mut demo)
}
