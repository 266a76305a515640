//! The four ways to boot, from power-on to a script's end; clocks that are wrong; disks that are garbage.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm, VmBuilder,
    wait::{BOOT, SOON},
};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Says that it ran, what day the machine believes it is, and what the boot medium's driver let it see.
const HELLO: &str = "echo hello from $(uname -s); echo the year is $(date -u +%Y); echo finished";

#[test]
fn cd_by_bios_with_the_clock_in_1980() -> Result<()> {
    Scenario::run("cd-bios", |at| {
        let operator = Operator::start(at)?;
        let fingerprint = operator.new_machine("cupboard")?;
        let image = operator.image_of("cupboard")?;
        let vm = Vm::new(at, "cd").cd(image).nic(Nic::User).clock("1980-01-01T00:00:00");
        let [a, b] = ["a", "b"].map(|name| garbage_disk(&at.path(name), 8));
        let mut vm = vm.disk(a?).disk(b?).start()?;
        ensure!(operator.approve("cupboard")? == fingerprint, "another machine asks");
        vm.expect("XB-SRV-06", BOOT)?;
        vm.expect("phase wait", BOOT)?;
        vm.expect_screen(&["Xenoboot", "cupboard", &fingerprint, "link", "10.0.2.15/24", "wait"])?;
        let assigned = Instant::now();
        operator.order(&Bundle::new("hello", HELLO))?;
        vm.expect("phase verify", SOON)?;
        let took = assigned.elapsed();
        ensure!(took < Duration::from_secs(4), "push and assignment reached it after {took:?}");
        hello(&mut vm)?;
        vm.picture(&at.path("screen.png"))
    })
}

#[test]
fn cd_by_uefi() -> Result<()> {
    Scenario::run("cd-uefi", |at| {
        let operator = Operator::start(at)?;
        operator.order(&Bundle::new("hello", HELLO))?;
        boots(&operator, Vm::new(at, "uefi").cd(operator.image()?).uefi())?;
        Ok(())
    })
}

#[test]
fn usb_by_bios_with_the_clock_in_2080() -> Result<()> {
    Scenario::run("usb-bios", |at| {
        let operator = Operator::start(at)?;
        operator.order(&Bundle::new("hello", HELLO))?;
        let image = operator.image()?;
        let before = fs::read(&image)?;
        let vm = boots(&operator, Vm::new(at, "usb").usb(&image).clock("2080-06-01T00:00:00"))?;
        drop(vm);
        ensure!(fs::read(&image)? == before, "the boot medium was written to");
        Ok(())
    })
}

#[test]
fn usb_by_uefi() -> Result<()> {
    Scenario::run("usb-uefi", |at| {
        let operator = Operator::start(at)?;
        operator.order(&Bundle::new("hello", HELLO))?;
        let image = operator.image()?;
        let before = fs::read(&image)?;
        let vm = boots(&operator, Vm::new(at, "usb").usb(&image).uefi())?;
        drop(vm);
        ensure!(fs::read(&image)? == before, "the boot medium was written to");
        Ok(())
    })
}

/// The image says what it needs; a machine with a little less says so, and nothing else is tried. Where there is so little that
/// the kernel comes to its end, the boot loader has said it.
#[test]
fn too_little_memory_is_said() -> Result<()> {
    Scenario::run("little-memory", |at| {
        let operator = Operator::start(at)?;
        let image = operator.image()?;
        let about = operator.run(&["image", "inspect", &image.display().to_string()])?;
        let line = about.get("command_line").and_then(Value::as_str).context("command_line")?;
        let needed = line.split(' ').find_map(|word| word.strip_prefix("xenoboot.memory="));
        let needed: u32 = needed.context("no xenoboot.memory=")?.parse()?;
        let found = needed - 4;
        let said = format!("the machine has {found} MB, {needed} MB are needed");
        let less = Vm::new(at, "less").cd(&image).memory(needed / 2).start();
        less?.expect_screen(&[&format!("Xenoboot needs {needed} MB of memory")])?;
        let mut vm = Vm::new(at, "little").cd(image).nic(Nic::User).memory(found).start()?;
        vm.expect(&said, BOOT)?;
        vm.expect_screen(&["too little memory", &said, "restarts in 60 s"])?;
        ensure!(!vm.console.has("phase "), "it went on all the same");
        Ok(())
    })
}

/// Boots, approves, and sees the assigned bundle run.
fn boots(operator: &Operator, vm: VmBuilder) -> Result<Vm> {
    let mut vm = vm.nic(Nic::User).start()?;
    operator.approve("cupboard")?;
    hello(&mut vm)?;
    vm.expect("phase wait", SOON)?;
    Ok(vm)
}

fn hello(vm: &mut Vm) -> Result<()> {
    vm.expect("script: hello from Linux", BOOT)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    // Good until a scenario runs across New Year.
    let year = 1970 + now.as_secs() / 31_556_952;
    vm.expect(&format!("script: the year is {year}"), SOON)?;
    vm.expect("script: finished", SOON)?;
    Ok(())
}

/// A disk of random bytes.
fn garbage_disk(path: &Path, mb: u64) -> Result<PathBuf> {
    let mut bytes = Vec::new();
    File::open("/dev/urandom")?.take(mb << 20).read_to_end(&mut bytes)?;
    File::create(path)?.write_all(&bytes)?;
    Ok(path.to_path_buf())
}
