//! Scripts that go wrong, and an agent that is killed or stopped: the machine reports it and goes on.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, NewKey, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY, SOON},
};
use std::process::Command;

/// Leaves children behind that hold its output open, and hangs.
const HANG: &str = "sleep 1001 & (sleep 1002; echo never) & echo hanging; sleep 1003";

/// Takes memory until it is refused.
const GLUTTON: &str = "echo eating; x=0123456789abcdef; while :; do x=$x$x; done";

/// Leaves a disk mounted below its own folder, in use, and a file where all may write.
const LITTER: &str = "xb settle /dev/vda; mkdir disk; mount /dev/vda disk; echo kept > disk/precious\n\
    (cd disk; sleep 1004) & touch /tmp/litter; echo littered";

/// Looks at what became of that.
const LOOK: &str =
    "mkdir disk; mount /dev/vda disk; cat disk/precious; ls /tmp | wc -l; umount disk";

#[test]
fn what_a_script_leaves_is_removed_and_its_disks_are_not() -> Result<()> {
    Scenario::run("litter", |at| {
        let operator = Operator::start(at)?;
        let disk = at.folder().join("disk");
        let made = Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&disk).arg("16M").status();
        ensure!(made.context("mke2fs")?.success(), "mke2fs failed");
        operator.order(&Bundle::new("litter", LITTER))?;
        let vm = Vm::new(at, "vm").cd(operator.image()?).nic(Nic::User).disk(&disk);
        let mut vm = vm.start()?;
        operator.approve("cupboard")?;
        vm.expect("script: littered", BOOT)?;
        vm.expect("phase wait", SOON)?;
        operator.order(&Bundle::new("look", LOOK))?;
        vm.expect("script: kept", RETRY)?;
        vm.expect("script: 0", RETRY)?;
        Ok(())
    })
}

#[test]
fn scripts_that_go_wrong() -> Result<()> {
    Scenario::run("runs", |at| {
        let operator = Operator::start(at)?;
        let mut vm = Vm::new(at, "vm").cd(operator.image()?).nic(Nic::User).start()?;
        operator.approve("cupboard")?;
        vm.expect("phase wait", BOOT)?;

        operator.order(&Bundle::new("three", "echo three; exit 3"))?;
        let line = vm.expect("XB-RUN-01", RETRY)?;
        ensure!(line.contains('3'), "it does not say how the script ended: {line}");
        vm.expect("phase wait", SOON)?;

        operator.order(&Bundle::new("hang", HANG).set("time-limit", "\"5s\""))?;
        vm.expect("XB-RUN-02", RETRY)?;
        vm.expect("phase wait", SOON)?;
        let survivors = "if pgrep sleep; then echo SURVIVORS; else echo all gone; fi";
        operator.order(&Bundle::new("survivors", survivors))?;
        vm.expect("script: all gone", RETRY)?;
        vm.expect("phase wait", SOON)?;

        operator.order(&Bundle::new("glutton", GLUTTON).set("memory-limit", "\"64M\""))?;
        vm.expect("XB-RUN-04", RETRY)?;
        vm.expect("phase wait", SOON)?;
        ensure!(!vm.console.has("XB-INI-01"), "the agent died with the script");

        operator.order(&Bundle::new("off", "echo bye").set("on-success", "\"power-off\""))?;
        vm.expect("script: bye", RETRY)?;
        vm.expect_power_off(SOON)
    })
}

/// Uses a secret, and is careless with it.
const CARELESS: &str = "set -x; key=$(xb secret luks); [ \"$key\" = 'open sesame' ] && echo right\n\
    xb report key=\"<$key>\"; xb log \"it is $key\"; xb secret root || echo none";

#[test]
fn a_secret_is_for_its_machine_and_not_for_the_log() -> Result<()> {
    Scenario::run("secret", |at| {
        let operator = Operator::start(at)?;
        let (cupboard, attic) = (operator.new_key("cupboard")?, operator.new_key("attic")?);
        operator.approve_key(&cupboard.fingerprint, "cupboard")?;
        let file = at.folder().join("luks.key");
        std::fs::write(&file, "open sesame\n")?;
        let sealed = |name: &str, reader: &NewKey| {
            let bundle =
                Bundle::new(name, CARELESS).set("seal-for", &format!("[{:?}]", reader.public));
            bundle.set("secrets.luks", &format!("{:?}", file.display().to_string()))
        };
        operator.order(&sealed("cupboards", &cupboard))?;
        let image = operator.image_of("cupboard")?;
        let mut vm = Vm::new(at, "vm").cd(image).nic(Nic::User).start()?;
        vm.expect("script: right", BOOT)?;
        vm.expect("report: key=<[secret]>", SOON)?;
        vm.expect("it is [secret]", SOON)?;
        vm.expect("this bundle has no secret \"root\"; it has luks", SOON)?;
        vm.expect("phase wait", SOON)?;
        let run = operator.text(&["run", "log", "--machine", "cupboard"])?;
        ensure!(run.contains("[secret]") && !run.contains("open sesame"), "{run}");
        ensure!(!vm.console.has("open sesame"), "the secret is on the console");

        operator.order(&sealed("attics", &attic))?;
        vm.expect("it was not sealed for this machine", RETRY)?;
        Ok(())
    })
}

#[test]
fn the_agent_is_killed_then_stopped() -> Result<()> {
    Scenario::run("agent", |at| {
        let operator = Operator::start(at)?;
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let image = operator.image_of("cupboard")?;
        let mut vm = Vm::new(at, "vm").cd(image).nic(Nic::User).watchdog().start()?;
        vm.expect("phase wait", BOOT)?;

        operator
            .order(&Bundle::new("kill", "echo killing; kill -KILL $(pidof agent); sleep 30"))?;
        vm.expect("script: killing", RETRY)?;
        vm.expect("XB-INI-01", SOON)?;
        // It comes back by itself, and does not run for ever what killed it.
        operator.order(&Bundle::new("after", "echo after"))?;
        vm.expect("script: after", RETRY)?;
        vm.expect("phase wait", SOON)?;
        ensure!(vm.qmp.events("WATCHDOG") == 0, "the watchdog was not fed");

        operator
            .order(&Bundle::new("stop", "echo stopping; kill -STOP $(pidof agent); sleep 300"))?;
        vm.expect("script: stopping", RETRY)?;
        operator.order(&Bundle::new("again", "echo again"))?;
        vm.expect_event("WATCHDOG", 1, RETRY)?;
        vm.expect_event("RESET", 1, SOON)?;
        vm.expect("script: again", BOOT)?;
        vm.expect("phase wait", SOON)?;

        // Ctrl-Alt-Del restarts it in an orderly manner.
        vm.ctrl_alt_del()?;
        vm.expect_event("RESET", 2, SOON)?;
        vm.expect("phase network", BOOT)?;
        Ok(())
    })
}
