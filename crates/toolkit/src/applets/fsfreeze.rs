//! `fsfreeze`: stops writes to a file system.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    partitions::plain,
};
use anyhow::bail;
use std::fs::File;
use xenoboot_sys::blockdev;

pub(crate) static APPLET: Applet = Applet {
    name: "fsfreeze",
    summary: "Stops writes to the file system mounted on FOLDER, or lets them go on.",
    usage: "-f|-u FOLDER",
    options: &[
        Opt { short: 'f', long: "freeze", value: "", help: "stop: all is on disk, writers wait" },
        Opt { short: 'u', long: "unfreeze", value: "", help: "let go" },
    ],
    notes: "",
    example: "fsfreeze -f /mnt; dd if=/dev/sda1 of=copy; fsfreeze -u /mnt",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let [folder] = words.as_slice() else { return usage_error("which folder?") };
    if args.has("freeze") == args.has("unfreeze") {
        return usage_error("neither --freeze or --unfreeze specified");
    }
    let on = args.has("freeze");
    let done = File::open(folder).and_then(|file| {
        if !file.metadata()?.is_dir() {
            return Err(std::io::ErrorKind::NotADirectory.into());
        }
        blockdev::freeze(&file, on)
    });
    if let Err(error) = done {
        let what = if on { "freeze" } else { "unfreeze" };
        bail!("{folder}: {what} failed: {}", plain(&error));
    }
    Ok(0)
}
