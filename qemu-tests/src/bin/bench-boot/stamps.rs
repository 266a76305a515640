//! Two moments on the kernel's own clock.

use anyhow::{Context, Result};
use qemu_tests::{Vm, wait};

/// The kernel's command line. `quiet` keeps the kernel's messages in its buffer, from which the script
/// reads them: writing them to a serial port would take longer than what is measured.
pub(crate) const COMMAND_LINE: &str =
    "console=ttyS0,115200n8 panic=10 quiet loglevel=3 printk.devkmsg=on";

/// What the script does: it puts a mark into the kernel's buffer, then shows it with the kernel's own.
pub(crate) const SCRIPT: &str = "echo first line > /dev/kmsg\n\
    dmesg | grep -e 'Run /init as init' -e 'first line'\necho end of marks";

/// Milliseconds from the kernel's start of PID 1 to the script's first line.
pub(crate) fn wait(vm: &mut Vm) -> Result<f64> {
    vm.expect("end of marks", wait::BOOT)?;
    let text = vm.console.text();
    Ok(1000.0 * (stamp(&text, "first line")? - stamp(&text, "Run /init as init")?))
}

/// The seconds in `[    1.234567] TEXT`.
fn stamp(console: &str, text: &str) -> Result<f64> {
    let read = |line: &str| {
        let (before, _) = line.split_once(text)?;
        let (_, stamp) = before.rsplit_once('[')?;
        stamp.split_once(']')?.0.trim().parse().ok()
    };
    console.lines().find_map(read).with_context(|| format!("no time of {text:?} on the console"))
}
