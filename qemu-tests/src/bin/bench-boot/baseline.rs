//! What an administrator would build instead: an initramfs of busybox, udhcpc, curl with a pinned key
//! and minisign, from Debian's packages, with just the one network driver that the machine needs.

use anyhow::{Context, Result, ensure};
use qemu_tests::programs;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The packages; their dependencies are resolved by apt.
pub(crate) const PACKAGES: &[&str] = &["busybox-static", "curl", "minisign"];

/// What the baseline's init is told.
pub(crate) struct Settings<'a> {
    /// Where the script lies: `https://ADDRESS:PORT/script`, its signature at the same with `.minisig`.
    pub(crate) url: &'a str,
    /// curl's `--pinnedpubkey`.
    pub(crate) pin: &'a str,
    /// minisign's public key, one line of base 64.
    pub(crate) signer: &'a str,
}

/// Makes the initramfs (cpio, uncompressed as a boot loader would hand it over unpacked) in `work` from
/// unpacked packages in `tree` and the kernel's modules in `modules` (the folder of its version).
pub(crate) fn build(
    tree: &Path,
    modules: &Path,
    work: &Path,
    settings: &Settings,
) -> Result<PathBuf> {
    let root = work.join("baseline");
    let _ = fs::remove_dir_all(&root);
    for folder in ["bin", "etc", "proc", "sys", "dev", "run", "tmp", "modules"] {
        fs::create_dir_all(root.join(folder))?;
    }
    programs::copy(&tree.join("usr/bin/busybox"), &root.join("bin/busybox"))?;
    programs::install(tree, &["curl", "minisign"], &root)?;
    for module in ["net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net"] {
        // busybox's insmod cannot unpack: the administrator does it beforehand.
        let packed = modules.join("kernel").join(module).with_extension("ko.xz");
        let plain = Command::new("xz").arg("-dc").arg(&packed).output().context("xz")?;
        ensure!(plain.status.success(), "xz -dc {}", packed.display());
        let name = Path::new(module).with_extension("ko");
        let name = name.file_name().context("module without a name")?;
        fs::write(root.join("modules").join(name), plain.stdout)?;
    }
    script(&root.join("init"), &init(settings))?;
    script(&root.join("etc/udhcpc.sh"), UDHCPC)?;
    pack(&root, &work.join("baseline.cpio"))
}

fn init(settings: &Settings) -> String {
    let Settings { url, pin, signer } = settings;
    format!(
        "#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
for module in failover net_failover virtio_net; do insmod /modules/$module.ko; done
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -q -n -s /etc/udhcpc.sh >/dev/null 2>&1
curl -sS -k --tlsv1.3 --pinnedpubkey '{pin}' -o /tmp/script {url} -o /tmp/script.minisig {url}.minisig
minisign -V -q -P '{signer}' -m /tmp/script && sh /tmp/script
poweroff -f
"
    )
}

const UDHCPC: &str = "#!/bin/sh
[ \"$1\" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
ip route add default via $router
echo \"nameserver $dns\" > /etc/resolv.conf
";

fn script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

fn pack(root: &Path, archive: &Path) -> Result<PathBuf> {
    let command = format!("find . | cpio --quiet -o -H newc > '{}'", archive.display());
    let status = Command::new("sh").args(["-c", &command]).current_dir(root).status()?;
    ensure!(status.success(), "cpio of {}", root.display());
    Ok(archive.to_path_buf())
}
