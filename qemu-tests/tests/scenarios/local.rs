//! Systems that are installed on disks: found without a byte being written, and started.

use crate::multiboot::initrd;
use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm, paths,
    wait::{BOOT, RETRY, SOON},
};
use serde_json::json;
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
};

const SCRIPT: &str = include_str!("scripts/local.sh");

/// As `grub-mkconfig` would write it.
const GRUB: &str = "if [ -s $prefix/grubenv ]; then
  load_env
fi
set default=\"${saved_entry}\"
menuentry 'Installed' --id simple {
  linux /boot/vmlinuz quiet
}
submenu 'Advanced options' --id advanced {
  menuentry 'Installed, the one that was saved' --id saved {
    set root='hd0,gpt1'
    search --no-floppy --fs-uuid --set=root 5f7f1b0a-7c3b-4a53-9c55-3f8a2f0e6f11
    linux /boot/vmlinuz loglevel=7 installed=from-disk
    initrd /boot/initrd.img
  }
}
";

/// Where the disk's partition begins, and how long it is, KiB.
const PART: (u64, u64) = (1024, 63 << 10);

#[test]
fn installed_systems_are_found_and_one_is_started() -> Result<()> {
    Scenario::run("local", |at| {
        let operator = Operator::start(at)?;
        let key = operator.new_key("cupboard")?;
        operator.approve_key(&key.fingerprint, "cupboard")?;
        let (installed, made, unfinished) =
            (at.path("installed"), at.path("made"), at.path("unfinished"));
        install(at, &installed)?;
        File::create(&made)?.set_len(420 << 20)?;
        // As `xb image write` leaves a disk when the power fails.
        let mark = format!(
            "\nXenoboot is writing this disk and has not finished. Image {}\n",
            "7".repeat(64)
        );
        let disk = File::create(&unfinished)?;
        disk.set_len(8 << 20)?;
        disk.write_all_at(&[b"\xcd\x18\xf4\xeb\xfd", mark.as_bytes()].concat(), 0)?;
        let before = fs::read(&installed)?;

        let vm = Vm::new(at, "vm")
            .cd(operator.image_of_with_toolbox("cupboard")?)
            .nic(Nic::User)
            .memory(768);
        let secret = at.path("luks");
        fs::write(&secret, "open sesame")?;
        let order = |name: &str, script: &str| {
            let bundle = Bundle::new(name, script).set("needs", "[\"toolbox\"]");
            let bundle = bundle.set("seal-for", &format!("[{:?}]", key.public));
            operator.order(&bundle.secret("luks", &secret))
        };
        order("list", SCRIPT)?;
        let mut vm = vm.disk(&installed).scratch(&made, None).disk(&unfinished).start()?;
        vm.expect("script: list:", BOOT)?;
        vm.expect("1  Installed", SOON)?;
        vm.expect("*  2  Advanced options > Installed, the one that was saved", SOON)?;
        vm.expect("linux /dev/vda1:/boot/vmlinuz", SOON)?;
        vm.expect("3  Wrapped four times", SOON)?;
        vm.expect("bls /dev/mapper/my--group-root:/boot/loader/entries/a.conf", SOON)?;
        vm.expect("/dev/vdc is not booted: image 7777", SOON)?;
        vm.expect("\"default\":2,\"entries\":[{", SOON)?;
        vm.expect("no entry \"nonesuch\"", SOON)?;
        vm.expect("script: everything is as it was", SOON)?;
        ensure!(fs::read(&installed)? == before, "the disk was written to");

        order("boot", "xb settle /dev/vda && xb boot-local")?;
        vm.expect("script: booting: Installed, the one that was saved", RETRY)?;
        vm.expect("the loaded kernel is started", SOON)?;
        vm.expect("installed=from-disk", BOOT)?;
        vm.expect("the installed system runs", BOOT)?;
        ensure!(fs::read(&installed)? == before, "the disk was written to");

        order("wrapped", "xb settle /dev/vdb && xb boot-local --secret luks 'Wrapped four times'")?;
        vm.qmp.execute("system_reset", json!({}))?;
        vm.expect("script: booting: Wrapped four times", BOOT)?;
        vm.expect("installed=wrapped root=/dev/my-group/root rootflags=subvol=@", BOOT)?;
        vm.expect("the installed system runs", BOOT)?;
        Ok(())
    })
}

/// A disk with a system on it: the kernel of the image, and a program that says that it runs. Its journal waits to be
/// replayed, which must not happen.
fn install(at: &Scenario, disk: &Path) -> Result<()> {
    let root = at.path("root");
    fs::create_dir_all(root.join("boot/grub"))?;
    let mut extract = Command::new("xorriso");
    extract.args(["-osirrox", "on", "-indev"]).arg(paths::iso()?);
    run(extract.args(["-extract", "/boot/kernel"]).arg(root.join("boot/vmlinuz")))?;
    fs::write(root.join("boot/initrd.img"), initrd(at, "the installed system runs")?)?;
    fs::write(root.join("boot/grub/grub.cfg"), GRUB)?;
    let saved = "# GRUB Environment Block\nsaved_entry=advanced>saved\n";
    fs::write(root.join("boot/grub/grubenv"), format!("{saved:#<1024}"))?;

    File::create(disk)?.set_len(64 << 20)?;
    let mut table = Command::new("sh");
    let script = format!("label: gpt\nstart={}KiB, size={}KiB\n", PART.0, PART.1 - PART.0);
    table.arg("-c").arg("printf '%s' \"$1\" | /usr/sbin/sfdisk -q \"$2\"").arg("sh");
    run(table.arg(script).arg(disk))?;
    let mut format = Command::new("/usr/sbin/mke2fs");
    format
        .args(["-q", "-t", "ext4", "-U", "5f7f1b0a-7c3b-4a53-9c55-3f8a2f0e6f11", "-d"])
        .arg(&root);
    format.arg("-E").arg(format!("offset={}", PART.0 << 10)).arg(disk);
    run(format.arg(format!("{}k", PART.1 - PART.0)))?;
    let mut journal = Command::new("/usr/sbin/debugfs");
    journal.args(["-w", "-R", "feature needs_recovery"]);
    run(journal.arg(format!("{}?offset={}", disk.display(), PART.0 << 10)))
}

fn run(command: &mut Command) -> Result<()> {
    let name = format!("{:?}", command.get_program());
    let out = command.output().with_context(|| format!("cannot run {name}"))?;
    ensure!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}
