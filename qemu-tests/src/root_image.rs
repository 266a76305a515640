//! A small Debian system for scenarios that install one: an archive of its root file system, made of Debian's
//! packages with systemd and Debian's kernel. It is made once, and kept in the cache under a name for what it is made of.

use crate::paths;
use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};
use xenoboot_image::{
    apt::{Apt, Package},
    cpio::Archive,
    recipe::Lock,
    sha256,
};

/// A change to how it is made gives it another name, by these words or by what it is made of.
const EDITION: &str = "debian 1";

const PACKAGES: &[&str] = &[
    "base-files",
    "base-passwd",
    "bash",
    "busybox-static",
    "coreutils",
    "curl",
    "dash",
    "grep",
    "kmod",
    "mount",
    "sed",
    "systemd-sysv",
    "udev",
    "util-linux",
];

/// What only serves to install and configure other packages.
const WITHOUT: &[&str] = &["adduser", "debconf", "dpkg", "passwd", "perl-base"];

/// Of no use here.
const UNWANTED: &[&str] = &[
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/bash-completion",
    "usr/share/zsh",
    "usr/share/i18n",
    "usr/share/polkit-1",
    "usr/lib/udev/hwdb.d",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/systemd/user-generators",
];

/// The rules of udev that there are: each is looked at for every device.
const RULES: &[&str] = &[
    "50-udev-default.rules",
    "60-block.rules",
    "60-persistent-storage.rules",
    "80-drivers.rules",
    "80-net-setup-link.rules",
    "99-systemd.rules",
];

/// The kernel's modules that there are: for the disk, its file systems, the card and watchdogs.
const MODULES: &[&str] = &[
    "virtio_pci",
    "virtio_blk",
    "ext4",
    "virtio_net",
    "virtio_rng",
    "vfat",
    "nls_ascii",
    "nls_cp437",
    "lpc_ich",
    "iTCO_wdt",
    "i6300esb",
    "autofs4",
    "efivarfs",
];

/// Those without which the root file system cannot be mounted.
const EARLY: &[&str] = &["virtio_pci", "virtio_blk", "ext4"];

/// The initial RAM disk's program.
const INIT: &str = r#"#!/bin/sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
for module in $(/bin/busybox cat /modules); do /bin/busybox insmod $module; done
for word in $(/bin/busybox cat /proc/cmdline); do
    case $word in root=*) root=${word#root=} ;; esac
done
until device=$(/bin/busybox findfs "$root"); do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 "$device" /root || exec /bin/sh
/bin/busybox umount /proc /sys
exec /bin/busybox switch_root /root /sbin/init
"#;

/// Tells on the console that the system is up.
const UP: &str = "[Unit]\nDescription=Say that the system is up\n\n[Service]\nType=oneshot\nStandardOutput=tty\n\
    ExecStart=/bin/sh -c 'echo \"the installed system $(cat /etc/hostname) is up\" > /dev/console'\n";

/// What takes long and is of no use here.
const MASKED: &[&str] = &[
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty.target",
    "ldconfig.service",
    "modprobe@configfs.service",
    "modprobe@drm.service",
    "modprobe@fuse.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-journal-flush.service",
    "systemd-logind.service",
    "systemd-sysusers.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
];

/// The archive's path, and its SHA-256.
pub fn debian() -> Result<(PathBuf, String)> {
    let cache = xenoboot_image::cache_folder()?;
    let folder = cache.join("debian");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let lock = File::create(folder.join("busy"))?;
    lock.lock()?;
    let apt = Apt::new(&cache.join("apt"))?;
    let packages = packages(&apt, "root-image", PACKAGES, WITHOUT)?;
    let digests: Vec<&str> = packages.iter().map(|p| p.sha256.as_str()).collect();
    let made_of = [&[EDITION, INIT, UP], UNWANTED, RULES, MODULES, EARLY, MASKED, &digests[..]];
    let key = sha256(made_of.concat().join("\n").as_bytes());
    let (kept, digest) =
        (folder.join(format!("{key}.tar.zst")), folder.join(format!("{key}.sha256")));
    if let Ok(digest) = fs::read_to_string(&digest) {
        return Ok((kept, digest));
    }
    let tree = tempfile::tempdir_in(&folder)?;
    stage(&apt, &packages, tree.path())?;
    let partial = kept.with_extension("partial");
    let mut tar = Command::new("sh");
    tar.arg("-c").arg("tar --numeric-owner --owner=0 --group=0 --sort=name -C \"$0\" -c . | zstd -q -f -3 -o \"$1\"");
    run(tar.arg(tree.path()).arg(&partial))?;
    fs::rename(&partial, &kept)?;
    let found = sha256(&fs::read(&kept)?);
    fs::write(&digest, &found)?;
    Ok((kept, found))
}

/// What `names` depend on but for `without`, with the kernel that the image under test has: those that the lock has, as
/// long as they are in the cache.
pub(crate) fn packages(
    apt: &Apt,
    lock: &str,
    names: &[&str],
    without: &[&str],
) -> Result<Vec<Package>> {
    let lock = paths::target().join(format!("{lock}.lock"));
    if let Ok(Lock { packages, .. }) = Lock::load(&lock)
        && apt.has(&packages)
        && names.iter().all(|name| packages.iter().any(|package| package.name == *name))
    {
        return Ok(packages);
    }
    apt.update()?;
    let kernel = apt.kernel_package()?;
    let mut packages = apt.closure(names, without)?;
    packages.extend(apt.newest(&[&kernel])?);
    apt.fetch_all(&packages)?;
    Lock { packages: packages.clone(), toolbox: Vec::new() }.save(&lock)?;
    Ok(packages)
}

fn stage(apt: &Apt, packages: &[Package], tree: &Path) -> Result<()> {
    for package in packages {
        unpack(apt, package, tree)?;
    }
    for path in UNWANTED {
        let _ = fs::remove_dir_all(tree.join(path));
    }
    for rule in fs::read_dir(tree.join("usr/lib/udev/rules.d"))? {
        let rule = rule?;
        if !RULES.iter().any(|name| rule.file_name() == *name) {
            fs::remove_file(rule.path())?;
        }
    }
    kernel(tree)?;
    configure(tree)
}

/// A package's files, to be replaced but not written to.
pub(crate) fn unpack(apt: &Apt, package: &Package, tree: &Path) -> Result<()> {
    let from = apt.unpack(package)?;
    // Links cost nothing; what is changed is removed first.
    run(Command::new("cp").arg("-al").arg(from.join(".")).arg(tree))
        .with_context(|| package.name.clone())?;
    Ok(())
}

/// What [`kernel`] and [`units`] put in.
pub(crate) fn made_of() -> Vec<&'static str> {
    [&[INIT, UP], MODULES, EARLY, MASKED].concat()
}

/// Makes the kernel that is in the tree small, with an initial RAM disk.
pub(crate) fn kernel(tree: &Path) -> Result<()> {
    let release = only_entry(&tree.join("usr/lib/modules"))?;
    modules(tree, &release)?;
    let initrd = initrd(tree, &release)?;
    fs::write(tree.join("boot").join(format!("initrd.img-{release}")), initrd)?;
    Ok(())
}

fn only_entry(folder: &Path) -> Result<String> {
    let entry = fs::read_dir(folder)?.next().context("the kernel has no modules")??;
    entry.file_name().into_string().ok().context("the kernel's release")
}

/// Paths of modules and of what they need, in the order of loading.
fn needed(tree: &Path, release: &str, names: &[&str]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for name in names {
        let mut ask = Command::new("modprobe");
        ask.arg("-d").arg(tree.join("usr")).args(["-S", release, "--show-depends", name]);
        let said = run(&mut ask)?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let lines = said.lines().filter_map(|line| line.strip_prefix("insmod "));
        for path in lines.map(|line| PathBuf::from(line.trim())) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

/// Removes all modules but [`MODULES`].
fn modules(tree: &Path, release: &str) -> Result<()> {
    let depmod = || run(Command::new("depmod").arg("-b").arg(tree.join("usr")).arg(release));
    depmod()?;
    let wanted: BTreeSet<_> = needed(tree, release, MODULES)?.into_iter().collect();
    ensure!(!wanted.is_empty(), "no module was found");
    let folder = tree.join("usr/lib/modules").join(release).join("kernel");
    let all = run(Command::new("find").arg(&folder).args(["-name", "*.ko*"]))?;
    for path in String::from_utf8_lossy(&all.stdout).lines().map(PathBuf::from) {
        if !wanted.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    depmod().map(drop)
}

fn initrd(tree: &Path, release: &str) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    for folder in ["bin", "dev", "proc", "sys", "root", "lib"] {
        archive.folder(folder, 0o755);
    }
    archive.file("bin/busybox", 0o755, &fs::read(tree.join("usr/bin/busybox"))?);
    archive.symlink("bin/sh", "busybox");
    archive.file("init", 0o755, INIT.as_bytes());
    let mut list = String::new();
    for path in needed(tree, release, EARLY)? {
        // What loads them here does not unpack them.
        let name = path.file_name().and_then(|name| name.to_str()).context("a module's name")?;
        let name = format!("lib/{}", name.trim_end_matches(".xz"));
        let packed = path.extension().is_some_and(|end| end == "xz");
        let content = if packed {
            run(Command::new("xz").arg("-dc").arg(&path))?.stdout
        } else {
            fs::read(&path)?
        };
        archive.file(&name, 0o644, &content);
        list += &format!("/{name}\n");
    }
    archive.file("modules", 0o644, list.as_bytes());
    Ok(archive.finish())
}

/// What the packages' installation would have made.
fn configure(tree: &Path) -> Result<()> {
    let master = |name: &str| {
        let path = tree.join("usr/share/base-passwd").join(format!("{name}.master"));
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let user = "systemd-network:x:998:998::/:/usr/sbin/nologin\n";
    write(tree, "etc/passwd", &(master("passwd")? + user))?;
    write(
        tree,
        "etc/group",
        &(master("group")? + "systemd-network:x:998:\nsystemd-journal:x:999:\n"),
    )?;
    write(tree, "etc/shadow", "root:*:19000:0:99999:7:::\n")?;
    write(
        tree,
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    )?;
    for path in ["etc/machine-id", "etc/.updated", "var/.updated"] {
        write(tree, path, "")?;
    }
    for folder in ["proc", "sys", "dev", "run", "tmp", "root", "var/tmp", "mnt"] {
        fs::create_dir_all(tree.join(folder))?;
    }
    fs::set_permissions(tree.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    units(tree)
}

/// Units that say when the system is up, and that are left out.
pub(crate) fn units(tree: &Path) -> Result<()> {
    let units = Path::new("etc/systemd/system");
    write(tree, "etc/systemd/system/up.service", UP)?;
    link(tree, &units.join("default.target"), "/usr/lib/systemd/system/multi-user.target")?;
    link(tree, &units.join("multi-user.target.wants/up.service"), "../up.service")?;
    for unit in MASKED {
        link(tree, &units.join(unit), "/dev/null")?;
    }
    Ok(())
}

/// A file in the place of a link to the package's.
fn write(tree: &Path, path: &str, content: &str) -> Result<()> {
    let path = tree.join(path);
    fs::create_dir_all(path.parent().context("a path")?)?;
    let _ = fs::remove_file(&path);
    fs::write(&path, content).with_context(|| path.display().to_string())
}

fn link(tree: &Path, path: &Path, target: &str) -> Result<()> {
    let path = tree.join(path);
    fs::create_dir_all(path.parent().context("a path")?)?;
    let _ = fs::remove_file(&path);
    symlink(target, &path).with_context(|| path.display().to_string())
}

pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output)
}
