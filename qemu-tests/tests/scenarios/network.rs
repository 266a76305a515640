//! Networks that do not work: each fault is shown with its code, and goes away by itself with its cause.

use anyhow::{Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    lab::{self, Lab},
    wait::{BOOT, RETRY},
};
use std::{net::Ipv4Addr, sync::atomic::Ordering::Relaxed};

const HELLO: &str = "echo hello";

/// Where no one is.
fn nobody(network: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, network, 254)
}

#[test]
fn dhcp_silent_then_the_name_does_not_resolve() -> Result<()> {
    Scenario::run("dhcp-dns", |at| {
        let operator = Operator::start(at)?;
        operator.order(&Bundle::new("hello", HELLO))?;
        let lab = Lab::start(at.folder(), 1, operator.server.address)?;
        lab.change(|lab| lab.dhcp = false);
        let image = operator.stamp("image", &operator.site(&["https://boot.example.org"]))?;
        let mut vm = Vm::new(at, "vm").cd(image).nic(&lab).start()?;
        shows(&mut vm, "XB-NET-04")?;
        ensure!(lab.counters().dhcp.load(Relaxed) >= 2, "DHCP was not asked again");

        lab.change(|lab| lab.dhcp = true);
        shows(&mut vm, "XB-NET-06")?;
        ensure!(lab.counters().dns.load(Relaxed) > 0, "the name was not asked for");

        lab.change(|lab| lab.name("boot.example.org", *lab::SERVER.ip()));
        operator.approve("cupboard")?;
        vm.expect("script: hello", RETRY)?;
        Ok(())
    })
}

#[test]
fn no_link_then_two_cards_of_which_one_is_wrong() -> Result<()> {
    Scenario::run("link-gateway", |at| {
        let operator = Operator::start(at)?;
        operator.order(&Bundle::new("hello", HELLO))?;
        let server = operator.server.address;
        let (wrong, right) =
            (Lab::start(at.folder(), 1, server)?, Lab::start(at.folder(), 2, server)?);
        wrong.change(|lab| (lab.gateway, lab.dns) = (nobody(1), nobody(1)));
        right.change(|lab| lab.name("boot.example.org", *lab::SERVER.ip()));
        let image = operator.stamp("image", &operator.site(&["https://boot.example.org"]))?;
        let mut vm = Vm::new(at, "vm").cd(image).nic(Nic::from(&wrong).unplugged());
        vm = vm.nic(Nic::from(&right).unplugged());
        let mut vm = vm.start()?;
        shows(&mut vm, "XB-NET-03")?;
        vm.expect_screen(&["XB-NET-03", "no link"])?;

        vm.set_link(0, true)?;
        shows(&mut vm, "XB-NET-0")?;
        vm.set_link(1, true)?;
        operator.approve("cupboard")?;
        vm.expect("script: hello", RETRY)?;
        ensure!(wrong.counters().connections.load(Relaxed) == 0, "the wrong gateway was used");
        Ok(())
    })
}

/// The failure is on the console, with what happens next.
fn shows(vm: &mut Vm, code: &str) -> Result<()> {
    let line = vm.expect(code, BOOT)?;
    let next = ["trying again", "still trying"].iter().any(|words| line.contains(words));
    ensure!(next, "it does not say what happens next: {line}");
    Ok(())
}
