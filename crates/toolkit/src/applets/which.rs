//! `which`: where a command is found.

use crate::applet::{Applet, Args, Opt, usage_error};
use rustix::fs::{Access, access};
use std::{
    env,
    ffi::OsStr,
    io::{self, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

pub(crate) static APPLET: Applet = Applet {
    name: "which",
    summary: "Prints which programs would run; status 1 if one is not found.",
    usage: "[-a] NAME...",
    options: &[Opt {
        short: 'a',
        long: "all",
        value: "",
        help: "every one on PATH, not only the first",
    }],
    notes: "",
    example: "which mkfs.ext4 || fail 'no mkfs.ext4'",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    if args.operands.is_empty() {
        return usage_error("which NAME?");
    }
    let mut status = 0;
    for name in &args.operands {
        let mut found = candidates(name).into_iter().filter(|path| runs(path)).peekable();
        if found.peek().is_none() {
            status = 1;
        }
        for path in found.take(if args.has("all") { usize::MAX } else { 1 }) {
            io::stdout().write_all(&[path.as_os_str().as_bytes(), b"\n"].concat())?;
        }
    }
    Ok(status)
}

fn candidates(name: &OsStr) -> Vec<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return vec![name.into()];
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    env::split_paths(&path)
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                Path::new(".").join(name)
            } else {
                folder.join(name)
            }
        })
        .collect()
}

fn runs(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}
