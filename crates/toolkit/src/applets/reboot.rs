//! `reboot`: ask init for an orderly restart.

use crate::applet::{Applet, Args, Opt};
use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use xenoboot_sys::{
    Kernel,
    power::{End, Power as _},
};

pub(crate) static APPLET: Applet = Applet {
    name: "reboot",
    summary: "Restarts the machine: init ends the services, unmounts and resets.",
    usage: "[-f]",
    options: &[Opt { short: 'f', long: "force", value: "", help: "at once, without init" }],
    notes: "",
    example: "reboot",
    run: |args| request(args, Signal::TERM, End::Reboot),
};

/// Asks init by `signal`, or with `--force` the kernel.
pub(crate) fn request(args: &Args, signal: Signal, end: End) -> anyhow::Result<u8> {
    args.no_operands()?;
    if args.has("force") {
        Kernel.sync();
        Kernel.end(end).context("the kernel refused")?;
    } else {
        kill_process(Pid::INIT, signal).context("cannot signal init")?;
    }
    Ok(0)
}
