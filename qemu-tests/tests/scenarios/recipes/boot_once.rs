//! boot-once: a system that says that it is up is left alone; one that hangs is followed by the one before.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY, SOON, wait_until},
};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

/// The first program of the system that is started: it comes up, or hangs when the command line says so.
const INIT: &str = "#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec > /dev/console 2>&1
echo the other system was started
while grep -q hang=1 /proc/cmdline; do sleep 1000; done
modprobe -a virtio_pci virtio_net
until ip link set eth0 up; do sleep 0.2; done
ip addr add 10.0.2.15/24 dev eth0
/etc/rc2.d/S99xenoboot-confirm start
until dmesg | grep -q 'the server knows'; do sleep 0.2; done
[ -e /etc/xenoboot/confirm ] || echo its token is gone
while :; do sleep 1000; done
";

#[test]
fn what_boot_once_starts_confirms_or_is_over() -> Result<()> {
    Scenario::run("recipe-boot-once", |at| {
        let operator = Operator::start(at)?;
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let root = root(at.folder().join("root"))?;
        // The image's kernel and programs, with another first program.
        let settings = |words: &str, watchdog: u32| {
            let medium = "/run/xenoboot/medium.d/boot";
            format!(
                "SYSTEM=\nKERNEL={medium}/kernel\nINITRD={medium}/base.img\nROOT=root.tar\nFETCH_OPTIONS=-q\n\
                 APPEND='loglevel=5 {words}'\nCONFIRM_SECONDS=120\nWATCHDOG={watchdog}\n"
            )
        };
        let once = |words: &str, watchdog| {
            let recipe = Bundle::recipe("boot-once", &settings(words, watchdog));
            operator.push(&recipe.file("root.tar", &root))?;
            let how = ["--once", "--confirm-within", "10m"];
            operator.run(&[&["assign", "boot-once", "--machine", "cupboard"], &how[..]].concat())
        };
        operator.order(&Bundle::new("lasting", "echo it lasts"))?;
        // It knows nothing of this machine's watchdog, whose driver would stop it.
        once("hang=1 initcall_blacklist=esb_driver_init", 30)?;
        let vm = Vm::new(at, "vm").cd(operator.image_of("cupboard")?).nic(Nic::User).memory(768);
        let mut vm = vm.watchdog().start()?;
        vm.expect("the loaded kernel is started", BOOT)?;
        // Whether it gets as far as its first program depends on the host.
        vm.expect_event("RESET", 1, RETRY).context("the watchdog did not reset the machine")?;
        vm.expect("script: it lasts", BOOT)?;
        let shown = operator.text(&["machine", "explain", "cupboard"])?;
        ensure!(shown.contains("did not confirm in time"), "{shown}");

        let resets = vm.qmp.events("RESET");
        once("", 300)?;
        vm.expect("the loaded kernel is started", RETRY)?;
        vm.expect("the server knows that this system is up", BOOT)?;
        vm.expect("its token is gone", SOON)?;
        ensure!(vm.qmp.events("RESET") == resets, "the machine went through its firmware");
        wait_until("the server to know it", SOON, || {
            let shown = operator.text(&["machine", "explain", "cupboard"])?;
            let over = shown.contains("the system that it started confirmed that");
            Ok(over.then_some(()))
        })
    })
}

/// An archive of the first program alone.
fn root(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir(&folder)?;
    let init = folder.join("init");
    fs::write(&init, INIT)?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    let archive = folder.with_extension("tar");
    let status =
        Command::new("tar").arg("-C").arg(&folder).arg("-cf").arg(&archive).arg(".").status();
    ensure!(status.context("tar")?.success(), "tar failed");
    Ok(archive)
}
