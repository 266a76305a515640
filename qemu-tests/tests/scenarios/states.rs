//! A machine is let in by a token typed at its keyboard; what it is to do once is over when that is confirmed.

use anyhow::{Context as _, Result};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY, SOON, wait_until},
};

#[test]
fn a_token_lets_it_in_and_a_confirmation_ends_what_is_done_once() -> Result<()> {
    Scenario::run("states", |at| {
        let operator = Operator::start(at)?;
        let invited = operator.run(&["machine", "invite", "--name", "cupboard"])?;
        let token = invited["token"].as_str().context("a token")?.to_owned();
        let mut vm = Vm::new(at, "vm").cd(operator.image()?).nic(Nic::User).start()?;
        vm.expect("XB-SRV-06", BOOT)?;
        vm.type_line(&token)?;
        vm.expect("a token was typed", SOON)?;
        vm.expect("phase wait", SOON)?;

        operator.push(&Bundle::new("lasting", "echo it lasts"))?;
        operator.run(&["assign", "lasting", "--machine", "cupboard"])?;
        vm.expect("script: it lasts", SOON)?;
        // The system that would be started is played by the script: it has no more than the command.
        operator.push(&Bundle::new("once", "xb confirm-url --curl > say || exit\nsh ./say"))?;
        let once = ["assign", "once", "--machine", "cupboard", "--once", "--confirm-within", "10m"];
        operator.run(&once)?;
        vm.expect("script: confirmed", SOON)?;
        // Confirmed and done, the machine does again what it did before.
        vm.expect("script: it lasts", RETRY)?;
        wait_until("the machine to be as it was", SOON, || {
            let shown = operator.text(&["machine", "explain", "cupboard"])?;
            let over = shown.contains("the system that it started confirmed that");
            Ok((over && shown.contains("=> boot lasting serial")).then_some(()))
        })
    })
}
