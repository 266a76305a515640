//! A machine that hangs is switched off and on by its management controller, without anyone's help.

use anyhow::{Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    bmc::Bmc,
    wait::{BOOT, RETRY, SOON, wait_until},
};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt as _};

#[test]
fn a_machine_that_hangs_is_switched_off_and_on() -> Result<()> {
    Scenario::run("power", |at| {
        let (operator, bmc) = (Operator::start(at)?, Bmc::start(&at.path("bmc"))?);
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let mut vm = Vm::new(at, "vm").cd(operator.image_of("cupboard")?).nic(Nic::User).start()?;
        vm.expect("phase wait", BOOT)?;

        let by = format!(
            "by = {{ driver = \"ipmi\", host = \"127.0.0.1\", port = {}, user = \"operator\", password = \"secret\", \
             cipher_suite = 3 }}\nwait_s = 60\n",
            bmc.port
        );
        let settings = at.path("power.toml");
        fs::write(&settings, by)?;
        fs::set_permissions(&settings, fs::Permissions::from_mode(0o600))?;
        operator.run(&["power", "cupboard", "set", &settings.to_string_lossy()])?;
        wait_until("the controller", SOON, || {
            Ok((operator.text(&["power", "cupboard", "status"]).ok())
                .filter(|on| on.trim() == "on"))
        })?;

        let hangs = Bundle::new("hangs", "echo it promises to come back");
        operator.push(&hangs.set("on-success", "\"reboot\""))?;
        let once = ["assign", "hangs", "--machine", "cupboard", "--once", "--confirm-within", "5s"];
        operator.run(&once)?;
        vm.expect("script: it promises to come back", SOON)?;
        vm.expect_event("RESET", 1, SOON)?;
        // It hangs on its way, where no watchdog runs.
        vm.qmp.execute("stop", json!({}))?;
        bmc.expect_cycle(SOON)?;
        // The wire from the controller to the machine.
        vm.qmp.execute("system_reset", json!({}))?;
        vm.qmp.execute("cont", json!({}))?;
        vm.expect("phase wait", RETRY)?;
        let log = operator.text(&["audit", "list"])?;
        ensure!(log.contains("power.switch"), "{log}");
        wait_until("it to be known as back", SOON, || {
            let power = operator.run(&["power", "cupboard", "show"])?;
            Ok((power["cycles"] == 0).then_some(()))
        })
    })
}
