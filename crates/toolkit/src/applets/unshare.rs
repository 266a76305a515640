//! `unshare`: a program in namespaces of its own.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    exec,
    partitions::plain,
};
use anyhow::{Context as _, bail};
use rustix::mount::{MountPropagationFlags, mount_change};
use std::{ffi::OsString, fs, path::Path};
use xenoboot_sys::task::{self, Namespace};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "unshare",
    summary: "Runs COMMAND, or a shell, in new namespaces.",
    usage: "[OPTION]... [COMMAND [ARGUMENT]...]",
    options: &[
        flag('m', "mount", "mounts"),
        flag('u', "uts", "host name"),
        flag('i', "ipc", "System V IPC"),
        flag('n', "net", "network"),
        flag('p', "pid", "process numbers; of children, so with -f"),
        flag('U', "user", "users"),
        flag('C', "cgroup", "control groups"),
        flag('T', "time", "clocks"),
        flag('f', "fork", "in a new process"),
        flag('r', "map-root-user", "be root in there (with -U)"),
        flag('c', "map-current-user", "keep user and group in there (with -U)"),
        Opt {
            short: '\0',
            long: "mount-proc",
            value: "[FOLDER]",
            help: "mount /proc anew (with -m)",
        },
        Opt {
            short: '\0',
            long: "propagation",
            value: "HOW",
            help: "private, shared, slave, unchanged",
        },
        Opt { short: 'R', long: "root", value: "FOLDER", help: "FOLDER is / in there" },
        Opt { short: 'w', long: "wd", value: "FOLDER", help: "start in FOLDER" },
    ],
    notes: "",
    example: "unshare -m sh -c 'mount /dev/sda1 /mnt; ls /mnt'",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let proc = args.has("mount-proc");
    let maps = args.has("map-root-user") || args.has("map-current-user");
    let wanted = |namespace: &Namespace| match namespace {
        Namespace::Mount => args.has("mount") || proc,
        Namespace::Uts => args.has("uts"),
        Namespace::Ipc => args.has("ipc"),
        Namespace::Net => args.has("net"),
        Namespace::Pid => args.has("pid"),
        Namespace::User => args.has("user") || maps,
        Namespace::Cgroup => args.has("cgroup"),
        Namespace::Time => args.has("time"),
    };
    let namespaces: Vec<Namespace> = Namespace::ALL.into_iter().filter(wanted).collect();
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    if let Err(error) = task::unshare(&namespaces) {
        bail!("unshare failed: {}", plain(&error));
    }
    if maps {
        let root = args.has("map-root-user");
        let (to_uid, to_gid) = if root { (0, 0) } else { (uid.as_raw(), gid.as_raw()) };
        map(&format!("{to_uid} {} 1", uid.as_raw()), &format!("{to_gid} {} 1", gid.as_raw()))?;
    }
    if namespaces.contains(&Namespace::Mount) {
        propagate(args.text("propagation")?.unwrap_or("private"))?;
    }
    if let Some(root) = args.value("root") {
        rustix::process::chroot(root)
            .and_then(|()| rustix::process::chdir("/"))
            .with_context(|| format!("cannot change root directory to {}", root.display()))?;
    }
    if let Some(folder) = args.value("wd") {
        rustix::process::chdir(folder)
            .with_context(|| format!("cannot chdir to {}", folder.display()))?;
    }
    let mut words: Vec<OsString> = args.operands.clone();
    if proc {
        words = with_proc(args, words)?;
    }
    let command = exec::command(&words);
    Ok(if args.has("fork") {
        exec::wait("unshare", command)
    } else {
        exec::replace("unshare", command)
    })
}

/// Writes the maps of users and groups; groups may only be mapped once they cannot be dropped.
fn map(users: &str, groups: &str) -> anyhow::Result<()> {
    for (file, text) in [("setgroups", "deny"), ("uid_map", users), ("gid_map", groups)] {
        let path = Path::new("/proc/self").join(file);
        fs::write(&path, text).with_context(|| format!("write failed {}", path.display()))?;
    }
    Ok(())
}

fn propagate(how: &str) -> anyhow::Result<()> {
    let flags = match how {
        "private" => MountPropagationFlags::PRIVATE,
        "shared" => MountPropagationFlags::SHARED,
        "slave" => MountPropagationFlags::DOWNSTREAM,
        "unchanged" => return Ok(()),
        other => return usage_error(format!("unsupported propagation mode: {other}")),
    };
    mount_change("/", flags | MountPropagationFlags::REC)
        .context("cannot change root filesystem propagation")
}

/// /proc belongs to the namespace of who mounts it: the new process does, before it is the program.
fn with_proc(args: &Args, words: Vec<OsString>) -> anyhow::Result<Vec<OsString>> {
    let folder = match args.value("mount-proc") {
        Some(folder) if !folder.is_empty() => folder.to_owned(),
        _ => "/proc".into(),
    };
    let program = std::env::current_exe().context("where is this program?")?;
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let words = if words.is_empty() { vec![shell] } else { words };
    let line = "\"$0\" mount -t proc proc \"$1\" && shift && exec \"$@\"";
    let start: [OsString; 4] = [program.clone().into(), "sh".into(), "-c".into(), line.into()];
    Ok(start.into_iter().chain([program.into(), folder]).chain(words).collect())
}
