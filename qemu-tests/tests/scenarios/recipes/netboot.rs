//! netboot: a kernel and a root file system in memory; what is not what it should be is not started.

use super::disk;
use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm, Web, paths,
    wait::{BOOT, SOON},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

/// The first program of the system that is started.
const INIT: &str = "#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
exec > /dev/console 2>&1
echo this system is in $(findmnt -no FSTYPE /) and $(cat /etc/word)
grep -q /dev/vda /proc/mounts || echo no disk is mounted
poweroff -f
";

#[test]
fn netboot_starts_a_root_image_in_memory() -> Result<()> {
    Scenario::run("recipe-netboot", |at| {
        let operator = Operator::start(at)?;
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let www = at.path("www");
        fs::create_dir(&www)?;
        make_root(&at.path("root"), &www.join("root.squashfs"))?;
        let digest = super::digest(&www.join("root.squashfs"))?;
        let web = Web::start(&www)?;
        let url = web.url("root.squashfs");
        let settings = |digest: &str| {
            format!(
                "KERNEL=/run/xenoboot/medium.d/boot/kernel\nINITRD=\nROOT=\"{url} {digest}\"\n\
                 APPEND=quiet\nFETCH_OPTIONS='-q --retry 1'\nWATCHDOG=60\n"
            )
        };
        let vm = Vm::new(at, "vm").cd(operator.image_of("cupboard")?).nic(Nic::User);
        let mut vm = vm.disk(disk(&at.path("disk"), 8)?).memory(768).start()?;
        operator.order(&Bundle::recipe("netboot", &settings(&"0".repeat(64))))?;
        vm.expect("failed: http://10.0.2.2", BOOT)?;
        vm.expect("phase wait", SOON)?;
        operator.order(&Bundle::recipe("netboot", &settings(&digest)))?;
        vm.expect("the loaded kernel is started", BOOT)?;
        vm.expect("this system is in rootfs and was packed", BOOT)?;
        vm.expect("no disk is mounted", SOON)?;
        vm.expect_power_off(SOON)?;
        ensure!(vm.qmp.events("RESET") == 0, "the machine went through its firmware");
        Ok(())
    })
}

/// The toolkit, as a system of its own.
fn make_root(root: &Path, to: &Path) -> Result<()> {
    let toolkit = paths::target().join("x86_64-unknown-linux-gnu/guest/toolkit");
    for folder in ["bin", "sbin", "etc", "proc", "dev"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy(&toolkit, root.join("bin/toolkit")).with_context(|| toolkit.display().to_string())?;
    for name in ["sh", "mount", "findmnt", "cat", "grep", "poweroff", "echo"] {
        symlink("toolkit", root.join("bin").join(name))?;
    }
    fs::write(root.join("etc/word"), "was packed\n")?;
    let init = root.join("sbin/init");
    fs::write(&init, INIT)?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    let mut pack = Command::new("mksquashfs");
    pack.arg(root).arg(to).args(["-all-root", "-no-progress", "-quiet", "-comp", "gzip"]);
    let status = pack.status().context("mksquashfs")?;
    ensure!(status.success(), "mksquashfs failed");
    Ok(())
}
