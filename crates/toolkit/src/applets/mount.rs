//! `mount`: attach a file system, or print what is attached.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    devices, loops, mounts, probe,
};
use anyhow::{Context as _, anyhow, bail};
use rustix::{
    io::Errno,
    mount::{MountFlags, MountPropagationFlags},
};
use std::{
    ffi::CString,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};
use xenoboot_sys::loopdev;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "mount",
    summary: "Attaches a file system; without arguments prints what is attached.",
    usage: "[-t TYPE]\n[OPTION]... SOURCE FOLDER\n-o remount[,...] FOLDER",
    options: &[
        Opt {
            short: 't',
            long: "types",
            value: "TYPE",
            help: "the file system's type, else found out",
        },
        Opt { short: 'o', long: "options", value: "LIST", help: "options, separated by commas" },
        flag('r', "read-only", "as -o ro"),
        flag('w', "rw", "as -o rw"),
        flag('B', "bind", "make a folder appear at another place too"),
        flag('R', "rbind", "the same with what is mounted below it"),
        flag('M', "move", "move a mount to another folder"),
        flag('\0', "make-private", "changes no longer spread to and from FOLDER"),
        flag('v', "verbose", "say what was done"),
    ],
    notes: "SOURCE is a device, UUID=..., LABEL=..., PARTUUID=..., PARTLABEL=..., an image file (attached\n\
            to a loop device) or, for a file system without a device, any word. Options that mount does not know go to the\n\
            file system. Understood: ro rw suid nosuid dev nodev exec noexec sync async dirsync atime\n\
            noatime diratime nodiratime relatime norelatime strictatime lazytime nosymfollow silent\n\
            bind rbind move remount loop offset=BYTES defaults private slave shared unbindable.",
    example: "mount -o ro /dev/sda1 /mnt      attaches the first partition, for reading only",
    run,
};

/// What the options ask for.
struct Request {
    flags: MountFlags,
    data: Vec<String>,
    read_only: bool,
    bind: bool,
    recursive: bool,
    remount: bool,
    move_: bool,
    loop_: bool,
    offset: u64,
    propagation: Option<MountPropagationFlags>,
    verbose: bool,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let request = Request::from_args(args)?;
    let kind = args.text("types")?.filter(|kind| *kind != "auto");
    match (args.operands.as_slice(), &request) {
        ([], _) => print(kind)?,
        ([target], request) if request.remount => request.remount(Path::new(target))?,
        ([_, target], request) if request.remount => request.remount(Path::new(target))?,
        ([target], Request { propagation: Some(how), .. }) => change(Path::new(target), *how)?,
        ([target], _) => {
            return usage_error(format!("a source and a folder are needed, not only {target:?}"));
        }
        ([source, target], request) => {
            request.mount(Path::new(source), kind, Path::new(target))?;
        }
        _ => return usage_error("more than a source and a folder"),
    }
    Ok(0)
}

fn print(kind: Option<&str>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for mount in mounts::all()? {
        if kind.is_none_or(|kind| kind.split(',').any(|k| k == mount.kind)) {
            let (source, target) = (mount.source.display(), mount.target.display());
            writeln!(out, "{source} on {target} type {} ({})", mount.kind, mount.options)?;
        }
    }
    Ok(())
}

fn change(target: &Path, how: MountPropagationFlags) -> anyhow::Result<()> {
    rustix::mount::mount_change(target, how).with_context(|| failed("change", target, target))
}

fn failed(what: &str, source: &Path, target: &Path) -> String {
    if source == target {
        format!("cannot {what} {}", target.display())
    } else {
        format!("cannot {what} {} on {}", source.display(), target.display())
    }
}

impl Request {
    fn from_args(args: &Args) -> anyhow::Result<Self> {
        let mut request = Self {
            flags: MountFlags::empty(),
            data: Vec::new(),
            read_only: false,
            bind: false,
            recursive: false,
            remount: false,
            move_: false,
            loop_: false,
            offset: 0,
            propagation: None,
            verbose: args.has("verbose"),
        };
        for list in args.values("options") {
            let Some(list) = list.to_str() else { return usage_error("an option is not UTF-8") };
            for option in list.split(',').filter(|o| !o.is_empty()) {
                request.option(option)?;
            }
        }
        for (given, option) in [
            ("read-only", "ro"),
            ("rw", "rw"),
            ("bind", "bind"),
            ("rbind", "rbind"),
            ("move", "move"),
            ("make-private", "private"),
        ] {
            if args.has(given) {
                request.option(option)?;
            }
        }
        Ok(request)
    }

    fn option(&mut self, option: &str) -> anyhow::Result<()> {
        use MountFlags as F;
        let (on, off) = (true, false);
        let (set, bit) = match option {
            "suid" => (off, F::NOSUID),
            "nosuid" => (on, F::NOSUID),
            "dev" => (off, F::NODEV),
            "nodev" => (on, F::NODEV),
            "exec" => (off, F::NOEXEC),
            "noexec" => (on, F::NOEXEC),
            "async" => (off, F::SYNCHRONOUS),
            "sync" => (on, F::SYNCHRONOUS),
            "dirsync" => (on, F::DIRSYNC),
            "atime" => (off, F::NOATIME),
            "noatime" => (on, F::NOATIME),
            "diratime" => (off, F::NODIRATIME),
            "nodiratime" => (on, F::NODIRATIME),
            "norelatime" => (off, F::RELATIME),
            "relatime" => (on, F::RELATIME),
            "strictatime" => (on, F::STRICTATIME),
            "lazytime" => (on, F::LAZYTIME),
            "nosymfollow" => (on, F::NOSYMFOLLOW),
            "silent" => (on, F::SILENT),
            _ => return self.other_option(option),
        };
        self.flags.set(bit, set);
        Ok(())
    }

    /// Options that are not a flag of the mount.
    fn other_option(&mut self, option: &str) -> anyhow::Result<()> {
        use MountPropagationFlags as P;
        match option {
            "defaults" | "auto" | "noauto" | "nofail" | "_netdev" => {}
            "ro" | "rw" => self.read_only = option == "ro",
            "bind" => self.bind = true,
            "rbind" => (self.bind, self.recursive) = (true, true),
            "move" => self.move_ = true,
            "remount" => self.remount = true,
            "loop" => self.loop_ = true,
            "private" => self.propagation = Some(P::PRIVATE),
            "slave" => self.propagation = Some(P::DOWNSTREAM),
            "shared" => self.propagation = Some(P::SHARED),
            "unbindable" => self.propagation = Some(P::UNBINDABLE),
            _ => match option.strip_prefix("offset=") {
                Some(bytes) => match bytes.parse() {
                    Ok(bytes) => (self.offset, self.loop_) = (bytes, true),
                    Err(_) => return usage_error(format!("{option:?}: not a number of bytes")),
                },
                None => self.data.push(option.to_owned()),
            },
        }
        Ok(())
    }

    fn flags(&self) -> MountFlags {
        let mut flags = self.flags;
        flags.set(MountFlags::RDONLY, self.read_only);
        flags
    }

    fn data(&self) -> anyhow::Result<CString> {
        Ok(CString::new(self.data.join(","))?)
    }

    fn remount(&self, target: &Path) -> anyhow::Result<()> {
        let mut flags = self.flags();
        // Only this mount, not the file system behind it.
        flags.set(MountFlags::BIND, self.bind);
        rustix::mount::mount_remount(target, flags, self.data()?.as_c_str())
            .with_context(|| failed("remount", target, target))
    }

    fn mount(&self, source: &Path, kind: Option<&str>, target: &Path) -> anyhow::Result<()> {
        if self.move_ {
            rustix::mount::mount_move(source, target)
                .with_context(|| failed("move", source, target))?;
        } else if self.bind {
            self.bind(source, target)?;
        } else {
            self.file_system(source, kind, target)?;
        }
        match self.propagation {
            Some(how) => change(target, how),
            None => Ok(()),
        }
    }

    fn bind(&self, source: &Path, target: &Path) -> anyhow::Result<()> {
        let bind = if self.recursive {
            rustix::mount::mount_bind_recursive(source, target)
        } else {
            rustix::mount::mount_bind(source, target)
        };
        bind.with_context(|| failed("bind", source, target))?;
        // The kernel ignores every other flag of the first call.
        let flags = self.flags();
        if flags.is_empty() {
            return Ok(());
        }
        rustix::mount::mount_remount(target, flags | MountFlags::BIND, "")
            .with_context(|| failed("set the options of", target, target))
    }

    fn file_system(&self, source: &Path, kind: Option<&str>, target: &Path) -> anyhow::Result<()> {
        let device_less = kind.is_some_and(is_device_less);
        let source = if device_less { source.to_owned() } else { devices::resolve(source)? };
        let is_file = !device_less && fs::metadata(&source).is_ok_and(|m| m.is_file());
        // Held open until the file system holds it: with nobody it would detach again.
        let attached = if self.loop_ || is_file { Some(self.attach(&source)?) } else { None };
        let device = attached.as_ref().map_or(source.as_path(), |(_, path)| path);
        let kinds = match kind {
            Some(kinds) => kinds.split(',').map(str::to_owned).collect(),
            None => kinds_of(device)?,
        };
        let mut last = Errno::NODEV;
        for kind in &kinds {
            match self.try_mount(device, kind, target) {
                Ok(()) => {
                    if self.verbose {
                        println!("{} mounted on {} as {kind}", device.display(), target.display());
                    }
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(explain(last, device, &kinds)).with_context(|| failed("mount", &source, target))
    }

    fn attach(&self, file: &Path) -> anyhow::Result<(File, PathBuf)> {
        let mut options = File::options();
        let opened =
            if self.read_only { options.read(true) } else { options.read(true).write(true) };
        let opened =
            opened.open(file).with_context(|| format!("cannot open {}", file.display()))?;
        let how = loopdev::Attach {
            read_only: self.read_only,
            auto_clear: true,
            partitions: false,
            offset: self.offset,
            direct: false,
        };
        loops::attach(&opened, how)
            .with_context(|| format!("cannot attach {} to a loop device", file.display()))
    }

    /// Mounts; when the device or its medium is read-only, for reading only, and says so.
    fn try_mount(&self, device: &Path, kind: &str, target: &Path) -> Result<(), Errno> {
        let data = self.data().map_err(|_| Errno::INVAL)?;
        let mount = |flags| rustix::mount::mount(device, target, kind, flags, data.as_c_str());
        match mount(self.flags()) {
            Err(Errno::ROFS | Errno::ACCESS) if !self.read_only => {
                mount(self.flags() | MountFlags::RDONLY)?;
                eprintln!("mount: {} is write-protected: mounted read-only", device.display());
                Ok(())
            }
            done => done,
        }
    }
}

/// Whether the kernel knows `kind` as a file system without a device (or as one over a network).
fn is_device_less(kind: &str) -> bool {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let listed = known.lines().any(|line| line.strip_prefix("nodev\t") == Some(kind));
    listed || matches!(kind, "overlay" | "nfs" | "nfs4" | "cifs" | "9p" | "virtiofs" | "fuse")
}

/// The types to try: what the superblock says, else all that the kernel has loaded.
fn kinds_of(device: &Path) -> anyhow::Result<Vec<String>> {
    let metadata =
        fs::metadata(device).with_context(|| format!("cannot find {}", device.display()))?;
    if !metadata.file_type().is_block_device() {
        bail!("{} is not a block device", device.display());
    }
    let found =
        probe::probe(device).with_context(|| format!("cannot read {}", device.display()))?;
    match found {
        Some(found) if probe::is_container(found.kind) => {
            bail!("{} holds no file system but {}", device.display(), found.kind)
        }
        // The kernel's driver has another name than the format.
        Some(found) if found.kind == "ntfs" => Ok(vec!["ntfs3".to_owned()]),
        Some(found) => Ok(vec![found.kind.to_owned()]),
        None => {
            let known = fs::read_to_string("/proc/filesystems")?;
            Ok(known
                .lines()
                .filter_map(|line| line.strip_prefix('\t'))
                .map(str::to_owned)
                .collect())
        }
    }
}

/// The kernel's answer, with what it means here.
fn explain(error: Errno, device: &Path, kinds: &[String]) -> anyhow::Error {
    let kinds = kinds.join(", ");
    match error {
        Errno::NODEV => anyhow!("the kernel has no file system {kinds}"),
        Errno::INVAL => anyhow!("wrong type, option or superblock (tried {kinds})"),
        Errno::BUSY => anyhow!("{} is mounted or in use", device.display()),
        Errno::NOTBLK => anyhow!("{} is not a block device", device.display()),
        Errno::UCLEAN => anyhow!("the file system is damaged (tried {kinds})"),
        error => anyhow!("{} (tried {kinds})", std::io::Error::from(error)),
    }
}
