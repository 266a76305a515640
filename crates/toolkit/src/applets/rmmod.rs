//! `rmmod`: take modules out of the kernel.

use crate::applet::{Applet, Args, Opt, usage_error};
use anyhow::{Context as _, bail};
use rustix::io::Errno;
use std::{ffi::CString, path::Path};
use xenoboot_sys::kmod::Modules;

pub(crate) static APPLET: Applet = Applet {
    name: "rmmod",
    summary: "Takes modules out of the kernel.",
    usage: "[-f] NAME...",
    options: &[Opt { short: 'f', long: "force", value: "", help: "even when in use; may crash" }],
    notes: "",
    example: "rmmod e1000",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    if words.is_empty() {
        return usage_error("which module?");
    }
    words.iter().try_for_each(|name| remove(name, args.has("force")))?;
    Ok(0)
}

/// Takes out one module.
pub(crate) fn remove(name: &str, force: bool) -> anyhow::Result<()> {
    // O_NONBLOCK: do not wait until nobody uses it. O_TRUNC: take it out all the same.
    let wait_not = 0o4000;
    let flags = if force { wait_not | 0o1000 } else { wait_not };
    let normal = CString::new(name.replace('-', "_"))?;
    let removed = rustix::system::delete_module(&normal, flags);
    // A name that the kernel does not know as a module's may be that of a part of its own.
    if removed == Err(Errno::NOENT) && is_builtin(name) {
        bail!("Module {name} is builtin.");
    }
    removed.with_context(|| format!("cannot take out {name}"))
}

fn is_builtin(name: &str) -> bool {
    let system = rustix::system::uname();
    let folder = Path::new("/lib/modules").join(system.release().to_string_lossy().as_ref());
    Modules::open(&folder).is_ok_and(|modules| modules.is_builtin(name))
}
