//! The toolbox: programs that just run; a damaged medium; a stick that is pulled; no medium at all.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm, paths,
    wait::{BOOT, RETRY, SOON},
};
use std::{
    fs::{self, File},
    io::Seek,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Makes a file system, fills it and looks at it again.
const XFS: &str = "set -e
xb settle /dev/vda
mkfs.xfs -q /dev/vda
mkdir -p /mnt/disk
mount /dev/vda /mnt/disk
cp -r /toolbox/usr/share/misc /mnt/disk
sha=$(sha256sum < /mnt/disk/misc/pci.ids)
umount /mnt/disk
xfs_repair -n /dev/vda > /dev/null 2>&1
mount /dev/vda /mnt/disk
test \"$sha\" = \"$(sha256sum < /mnt/disk/misc/pci.ids)\"
umount /mnt/disk
echo ls is $(readlink -f $(command -v ls))
echo xfs works";

/// Waits until init has found the boot medium.
const FOUND: &str =
    "until [ -e /run/xenoboot/medium ]; do sleep 0.2; done; echo the medium is there";

/// Reads everything that is in the toolbox.
const READ_ALL: &str =
    "find /toolbox -type f -exec cat {} + > /dev/null && echo all of it was read";

/// The same below its file system, which has nothing to unpack then: every block is still checked.
const READ_BLOCKS: &str =
    "cat $(findmnt -no SOURCE /toolbox) > /dev/null && echo all of it was read";

fn needing(name: &str, script: &str) -> Bundle {
    Bundle::new(name, script).set("needs", "[\"toolbox\"]")
}

#[test]
fn programs_of_the_toolbox_just_run() -> Result<()> {
    Scenario::run("toolbox-run", |at| {
        let operator = Operator::start(at)?;
        let vm = Vm::new(at, "vm").cd(operator.image_with_toolbox()?).nic(Nic::User);
        let mut vm = vm.disk(disk(&at.path("disk"))?).start()?;
        operator.approve("cupboard")?;
        // Who does not ask for it does not get it, and does not wait for it.
        operator.order(&Bundle::new("plain", "command -v mkfs.xfs || echo no mkfs.xfs"))?;
        vm.expect("script: no mkfs.xfs", BOOT)?;
        operator.order(&needing("xfs", XFS))?;
        vm.expect("the toolbox is there, from the boot medium", RETRY)?;
        let ls = vm.expect("script: ls is", RETRY)?;
        ensure!(ls.ends_with("/usr/lib/xenoboot/toolkit"), "another ls comes first: {ls}");
        vm.expect("script: xfs works", RETRY)?;
        operator.order(&needing("read", READ_ALL))?;
        vm.expect("script: all of it was read", RETRY)?;
        // The machine lets go of it in an orderly manner.
        operator.order(&needing("off", "echo off").set("on-success", "\"power-off\""))?;
        vm.expect_power_off(RETRY)?;
        ensure!(!vm.console.has("is in use: made read-only"), "something was not unmounted");
        Ok(())
    })
}

#[test]
fn a_damaged_toolbox_is_said_and_replaced_from_the_server() -> Result<()> {
    Scenario::run("toolbox-damaged", |at| {
        let operator = Operator::start(at)?;
        let image = operator.image_with_toolbox()?;
        flip_a_byte(&image)?;
        let mut vm = Vm::new(at, "vm").cd(image).nic(Nic::User).start()?;
        operator.approve("cupboard")?;
        operator.order(&needing("read", READ_BLOCKS))?;
        let line = vm.expect("XB-BOX-03", BOOT)?;
        ensure!(
            line.contains("the toolbox on the boot medium") && line.contains("is corrupted"),
            "{line}"
        );
        vm.expect("phase wait", SOON)?;
        ensure!(!vm.console.has("all of it was read"), "a damaged byte was read");

        operator.text(&["image", "push-toolbox", &paths::toolbox_iso()?.to_string_lossy()])?;
        operator.order(&needing("again", READ_BLOCKS))?;
        vm.expect("the toolbox is there, from the server", RETRY)?;
        vm.expect("script: all of it was read", RETRY)?;
        Ok(())
    })
}

#[test]
fn the_stick_is_pulled_after_boot() -> Result<()> {
    Scenario::run("toolbox-toram", |at| {
        let operator = Operator::start(at)?;
        let image = operator.image_with_toolbox()?;
        on_the_command_line(&image, "xenoboot.toram")?;
        let vm = Vm::new(at, "vm").usb(&image).nic(Nic::User).disk(disk(&at.path("disk"))?);
        let mut vm = vm.start()?;
        operator.approve("cupboard")?;
        vm.expect("the boot medium can be removed", BOOT)?;
        vm.pull_stick()?;
        operator.order(&needing("xfs", XFS))?;
        vm.expect("the toolbox is there, from memory", RETRY)?;
        vm.expect("script: xfs works", RETRY)?;
        Ok(())
    })
}

#[test]
fn without_a_medium_the_server_has_it_or_the_script_is_not_started() -> Result<()> {
    Scenario::run("toolbox-missing", |at| {
        let operator = Operator::start(at)?;
        let image = operator.image_with_toolbox()?;
        let vm = Vm::new(at, "vm").usb(&image).nic(Nic::User).disk(disk(&at.path("disk"))?);
        let mut vm = vm.start()?;
        operator.approve("cupboard")?;
        operator.order(&Bundle::new("found", FOUND))?;
        vm.expect("script: the medium is there", BOOT)?;
        vm.pull_stick()?;
        operator.order(&needing("early", "echo it was started"))?;
        let line = vm.expect("XB-BOX-02", RETRY)?;
        ensure!(line.contains("the medium: ") && line.contains("the server: XB-BLB-03"), "{line}");
        vm.expect("phase wait", SOON)?;
        ensure!(!vm.console.has("it was started"), "the script was started without the toolbox");

        operator.text(&["image", "push-toolbox", &paths::toolbox_iso()?.to_string_lossy()])?;
        operator.order(&needing("xfs", XFS))?;
        vm.expect("the toolbox is there, from the server", RETRY)?;
        vm.expect("script: xfs works", RETRY)?;
        Ok(())
    })
}

#[test]
fn an_image_without_toolbox_says_so() -> Result<()> {
    Scenario::run("toolbox-none", |at| {
        let operator = Operator::start(at)?;
        operator.order(&needing("early", "echo it was started"))?;
        let mut vm = Vm::new(at, "vm").cd(operator.image()?).nic(Nic::User).start()?;
        operator.approve("cupboard")?;
        vm.expect("XB-BOX-01", BOOT)?;
        vm.expect("phase wait", SOON)?;
        ensure!(!vm.console.has("it was started"), "the script was started without the toolbox");
        Ok(())
    })
}

fn disk(path: &Path) -> Result<PathBuf> {
    File::create(path)?.set_len(512 << 20)?;
    Ok(path.to_path_buf())
}

/// Changes one byte in the middle of the toolbox's data.
fn flip_a_byte(image: &Path) -> Result<()> {
    let (facts, mut toolbox) = xenoboot_image::stamp::toolbox(image)?;
    let begin = toolbox.stream_position()?;
    let at = begin + facts.data_blocks / 2 * 4096 + 77;
    let file = File::options().read(true).write(true).open(image)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ 0x10], at)?;
    Ok(())
}

/// Puts a word on the kernel's command line, in the place of those that make it quiet.
fn on_the_command_line(image: &Path, word: &str) -> Result<()> {
    const QUIET: &[u8] = b"quiet loglevel=3";
    let mut bytes = fs::read(image)?;
    let found: Vec<_> = bytes
        .windows(QUIET.len())
        .enumerate()
        .filter(|(_, w)| *w == QUIET)
        .map(|(at, _)| at)
        .collect();
    ensure!(!found.is_empty(), "the image has no command line");
    let mut line = word.as_bytes().to_vec();
    line.resize(QUIET.len(), b' ');
    for at in found {
        bytes.get_mut(at..at + line.len()).context("command line")?.copy_from_slice(&line);
    }
    Ok(fs::write(image, bytes)?)
}
