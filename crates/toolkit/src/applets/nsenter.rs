//! `nsenter`: a program in the namespaces of another process.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    exec,
    partitions::plain,
};
use anyhow::{Context as _, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    ffi::OsString,
    fs::File,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};
use xenoboot_sys::task::Namespace;

const fn file(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "[FILE]", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "nsenter",
    summary: "Runs COMMAND, or a shell, in the namespaces of another process.",
    usage: "[OPTION]... [COMMAND [ARGUMENT]...]",
    options: &[
        Opt { short: 't', long: "target", value: "PID", help: "the process" },
        Opt { short: 'a', long: "all", value: "", help: "all that are not ours already" },
        file('m', "mount", "mounts"),
        file('u', "uts", "host name"),
        file('i', "ipc", "System V IPC"),
        file('n', "net", "network"),
        file('p', "pid", "process numbers"),
        file('U', "user", "users"),
        file('C', "cgroup", "control groups"),
        file('T', "time", "clocks"),
        Opt { short: 'S', long: "setuid", value: "USER", help: "be this user number in there" },
        Opt { short: 'G', long: "setgid", value: "GROUP", help: "and this group" },
        Opt { short: 'r', long: "root", value: "[FOLDER]", help: "its root, or FOLDER, is /" },
        Opt { short: 'w', long: "wd", value: "[FOLDER]", help: "start in its folder, or FOLDER" },
        Opt { short: '\0', long: "preserve-credentials", value: "", help: "keep user and group" },
        Opt { short: 'F', long: "no-fork", value: "", help: "become COMMAND" },
    ],
    notes: "",
    example: "nsenter -t 1 -m -n ip addr",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let target = args.number::<u32>("target")?;
    let mut chosen = Vec::new();
    for namespace in Namespace::ALL {
        let given = args.value(option(namespace));
        if let Some(path) = path(namespace, given, target, args.has("all"))? {
            let opened = File::open(&path)
                .map_err(|e| anyhow::anyhow!("cannot open {}: {}", path.display(), plain(&e)))?;
            chosen.push((namespace, opened));
        }
    }
    let folder = |name: &str, link: &str| match (args.value(name), target) {
        (None, _) => Ok(None),
        (Some(given), Some(pid)) if given.is_empty() => {
            let path = PathBuf::from(format!("/proc/{pid}/{link}"));
            File::open(&path).map(Some).with_context(|| format!("cannot open {}", path.display()))
        }
        (Some(given), _) if !given.is_empty() => {
            File::open(given).map(Some).with_context(|| format!("cannot open {}", given.display()))
        }
        _ => usage_error("no target PID specified"),
    };
    let (root, work) = (folder("root", "root")?, folder("wd", "cwd")?);
    for (namespace, opened) in &chosen {
        enter(*namespace, opened)?;
    }
    if let Some(root) = root {
        rustix::process::fchdir(&root)
            .and_then(|()| rustix::process::chroot("."))
            .context("cannot change the root")?;
    }
    if let Some(work) = work {
        rustix::process::fchdir(&work).context("cannot change the folder")?;
    }
    let entered = |wanted| chosen.iter().any(|(namespace, _)| *namespace == wanted);
    let command = as_user(args, entered(Namespace::User))?;
    Ok(if entered(Namespace::Pid) && !args.has("no-fork") {
        exec::wait("nsenter", command)
    } else {
        exec::replace("nsenter", command)
    })
}

fn option(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Mount => "mount",
        other => other.file(),
    }
}

/// The file of a namespace that shall be entered.
fn path(
    namespace: Namespace,
    given: Option<&std::ffi::OsStr>,
    target: Option<u32>,
    all: bool,
) -> anyhow::Result<Option<PathBuf>> {
    let of = |pid: &str| Path::new("/proc").join(pid).join("ns").join(namespace.file());
    match (given, target) {
        (Some(file), _) if !file.is_empty() => Ok(Some(file.into())),
        (Some(_), None) => usage_error("no target PID specified"),
        (Some(_), Some(pid)) => Ok(Some(of(&pid.to_string()))),
        (None, Some(pid)) if all => {
            let theirs = of(&pid.to_string());
            let (own, other) = (of("self").read_link().ok(), theirs.read_link().ok());
            // setns(2) refuses a process's own user namespace.
            let refused = own == other && namespace == Namespace::User;
            Ok((other.is_some() && !refused).then_some(theirs))
        }
        (None, None) if all => usage_error("no target PID specified"),
        (None, _) => Ok(None),
    }
}

fn enter(namespace: Namespace, opened: &File) -> anyhow::Result<()> {
    let kind = match namespace {
        Namespace::Mount => LinkNameSpaceType::Mount,
        Namespace::Uts => LinkNameSpaceType::HostNameAndNISDomainName,
        Namespace::Ipc => LinkNameSpaceType::InterProcessCommunication,
        Namespace::Net => LinkNameSpaceType::Network,
        Namespace::Pid => LinkNameSpaceType::ProcessID,
        Namespace::User => LinkNameSpaceType::User,
        Namespace::Cgroup => LinkNameSpaceType::ControlGroup,
        Namespace::Time => LinkNameSpaceType::Time,
    };
    match move_into_link_name_space(opened.as_fd(), Some(kind)) {
        Ok(()) => Ok(()),
        Err(error) => {
            bail!(
                "reassociate to namespace 'ns/{}' failed: {}",
                namespace.file(),
                plain(&error.into())
            )
        }
    }
}

/// The command, as the user that it shall be: root, in a user namespace.
fn as_user(args: &Args, new_users: bool) -> anyhow::Result<std::process::Command> {
    use std::os::unix::process::CommandExt as _;
    let words: &[OsString] = &args.operands;
    let mut command = exec::command(words);
    let (uid, gid) = (args.number::<u32>("setuid")?, args.number::<u32>("setgid")?);
    let default = (new_users && !args.has("preserve-credentials")).then_some(0);
    if let Some(gid) = gid.or(default) {
        command.gid(gid);
    }
    if let Some(uid) = uid.or(default) {
        command.uid(uid);
    }
    Ok(command)
}
