//! The network against real kernels' links and a real DHCP, RA and DNS server, in namespaces of its own.
//! Needs root, iproute2 and dnsmasq; says so when it cannot run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod lab;

use lab::{Lab, hindrance};
use std::time::Duration;

/// For anything that is not itself measured; the machine that tests may be busy.
const LIMIT: Duration = Duration::from_secs(20);

const POOL: &str = "--dhcp-range=192.0.2.50,192.0.2.99,2m";

/// A lab, or the reason why there is none.
fn lab() -> Option<Lab> {
    match hindrance() {
        Some(reason) => {
            println!("skipped: {reason}");
            None
        }
        None => Some(Lab::new()),
    }
}

#[test]
fn a_lease_within_two_seconds() {
    let Some(mut lab) = lab() else { return };
    lab.card("eth0");
    lab.shell("eth0", "ip addr add 192.0.2.1/24 dev port");
    lab.dnsmasq("eth0", &[POOL, "--address=/boot.example/192.0.2.1"]);
    let mut server = lab.machine("eth0", "serve 192.0.2.1:7443");
    server.wait(&["serving"], LIMIT);
    let mut machine = lab.machine("machine", "link eth0\nrace boot.example:7443");
    machine.wait(&["missing=[]"], LIMIT);
    let leased = ["usable=true", "192.0.2.", "/24", "gateways=[192.0.2.1]", "dns=[192.0.2.1]"];
    let took = machine.wait(&leased, LIMIT);
    println!("leased in {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    machine.wait(&["resolv.conf \"nameserver 192.0.2.1\\n\""], LIMIT);
    machine.wait(&["won over eth0"], LIMIT);
}

#[test]
fn name_servers_and_addresses_by_router_advertisement() {
    let Some(mut lab) = lab() else { return };
    lab.card("eth0");
    lab.shell("eth0", "ip addr add 2001:db8::1/64 dev port");
    lab.dnsmasq("eth0", &["--enable-ra", "--dhcp-range=2001:db8::,ra-only", "--ra-param=port,4"]);
    let mut machine = lab.machine("machine", "link eth0");
    let heard = ["usable=true", "2001:db8::", "/64", "gateways=[fe80::", "dns=[fe80::"];
    machine.wait(&heard, LIMIT);
    // A link-local server means nothing without its link.
    machine.wait(&["resolv.conf \"nameserver fe80::", "%eth0\\n\""], LIMIT);
}

#[test]
fn an_address_of_the_site_file() {
    let Some(mut lab) = lab() else { return };
    lab.card("eth0");
    lab.shell("eth0", "ip addr add 192.0.2.1/24 dev port");
    let mut machine = lab.machine("machine", "link eth0 ipv4=192.0.2.7/24,192.0.2.1");
    machine.wait(&["usable=true", "192.0.2.7/24", "gateways=[192.0.2.1]", "lease=None"], LIMIT);
}

#[test]
fn a_vlan() {
    let Some(mut lab) = lab() else { return };
    lab.card("eth0");
    if !lab.permits("eth0", "ip link add link port name port.12 type vlan id 12") {
        return println!("skipped: this kernel has no VLANs");
    }
    lab.shell("eth0", "ip link set port.12 up; ip addr add 192.0.2.1/24 dev port.12");
    lab.dnsmasq("eth0", &[POOL]);
    let mut machine = lab.machine("machine", "link eth0 vlan=12");
    machine.wait(&["eth0.12 used=true usable=true", "192.0.2.", "gateways=[192.0.2.1]"], LIMIT);
}

#[test]
fn a_silent_server_that_comes_later() {
    let Some(mut lab) = lab() else { return };
    lab.card("eth0");
    lab.shell("eth0", "ip addr add 192.0.2.1/24 dev port");
    let mut machine = lab.machine("machine", "link eth0");
    machine.wait(&["usable=false", "lease=Asking"], LIMIT);
    lab.dnsmasq("eth0", &[POOL]);
    machine.wait(&["usable=true", "192.0.2.", "lease=Bound"], LIMIT);
}

#[test]
fn carrier_lost_and_found() {
    let Some(mut lab) = lab() else { return };
    lab.card("eth0");
    lab.shell("eth0", "ip addr add 192.0.2.1/24 dev port");
    lab.dnsmasq("eth0", &[POOL]);
    let mut machine = lab.machine("machine", "link eth0");
    machine.wait(&["usable=true", "192.0.2."], LIMIT);
    lab.shell("eth0", "ip link set port down");
    machine.wait(&["usable=false"], LIMIT);
    lab.shell("eth0", "ip link set port up");
    machine.wait(&["usable=true", "192.0.2.", "gateways=[192.0.2.1]", "lease=Bound"], LIMIT);
}

#[test]
fn a_missing_card_is_told_and_no_other_is_taken() {
    let Some(mut lab) = lab() else { return };
    lab.card("eth0");
    let mut machine = lab.machine("machine", "link eth7");
    machine.wait(&["missing=[\"name eth7\"]"], LIMIT);
    // Nothing of ours brings it up.
    assert!(!lab.permits("machine", "ip link show up | grep -q eth0"));
}

/// Two links in different networks: behind the first are a router that leads nowhere and a name server
/// that is dead; the server is behind the second.
#[test]
fn a_wrong_router_and_a_dead_name_server_on_one_link() {
    let Some(mut lab) = lab() else { return };
    lab.card("eth0");
    lab.card("eth1");
    lab.shell("eth0", "ip addr add 192.0.2.1/24 dev port");
    lab.shell("eth1", "ip addr add 198.51.100.1/24 dev port");
    lab.shell("eth1", "ip addr add 203.0.113.5/32 dev lo");
    lab.dnsmasq("eth0", &[POOL, "--port=0", "--dhcp-option=6,192.0.2.9"]);
    let pool = "--dhcp-range=198.51.100.50,198.51.100.99,2m";
    lab.dnsmasq("eth1", &[pool, "--address=/boot.example/203.0.113.5"]);
    let mut server = lab.machine("eth1", "serve 203.0.113.5:7443");
    server.wait(&["serving"], LIMIT);
    let mut machine = lab.machine("machine", "link eth0\nlink eth1\nrace boot.example:7443");
    machine.wait(&["won over eth1"], LIMIT);
    // What scripts run has the right router and name server too.
    machine.wait(&["resolv.conf \"nameserver 198.51.100.1\\nnameserver 192.0.2.9\\n\""], LIMIT);
    lab.shell("machine", "ip route show default | head -n 1 | grep -q 'via 198.51.100.1 dev eth1'");
}
