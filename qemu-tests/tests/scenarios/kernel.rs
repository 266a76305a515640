//! Commands that talk to the kernel, on a machine's own devices.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY},
};
use std::{fs::File, process::Command};

const SCRIPT: &str = include_str!("scripts/kernel.sh");

#[test]
fn every_command_does_its_work_on_a_real_kernel() -> Result<()> {
    Scenario::run("kernel", |at| {
        let (blank, there) = (at.path("blank"), at.path("there"));
        File::create(&blank)?.set_len(200 << 20)?;
        File::create(&there)?.set_len(64 << 20)?;
        let mut mkfs = Command::new("/usr/sbin/mke2fs");
        let status = mkfs.args(["-q", "-t", "ext4", "-L", "there"]).arg(&there).status();
        ensure!(status.context("cannot run mke2fs")?.success(), "mke2fs failed");

        let operator = Operator::start(at)?;
        let vm = Vm::new(at, "vm").usb(operator.image()?).uefi().nic(Nic::User).memory(512);
        let mut vm = vm.disk(blank).disk(there).start()?;
        operator.approve("cupboard")?;
        vm.expect("phase wait", BOOT)?;
        operator.order(&Bundle::new("kernel", SCRIPT).set("on-success", "\"power-off\""))?;
        let line = vm.expect("script: of the commands", RETRY)?;
        ensure!(line.contains(" 0 did not"), "{line}\n{}", wrong(&vm));
        vm.expect_power_off(RETRY)
    })
}

/// What the script said of commands that did something else.
fn wrong(vm: &Vm) -> String {
    let screen = vm.console.text();
    screen.lines().filter(|line| line.contains("wrong: ")).collect::<Vec<_>>().join("\n")
}
