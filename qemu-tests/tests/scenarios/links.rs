//! Networks as they may be: IPv6 with and without DHCPv6, and all that a site file can say.

use anyhow::{Result, ensure};
use qemu_tests::{
    Bundle, Operator, Scenario, Vm,
    lab::{self, Advertisement, Lab, PROXY_PORT},
    wait::{BOOT, RETRY},
};
use std::{net::Ipv6Addr, sync::atomic::Ordering::Relaxed};

/// Shows the addresses and name servers, once there are three of these.
const SHOW: &str = "for i in $(seq 100); do\n\
    [ \"$(grep -c nameserver /etc/resolv.conf)\" = 3 ] && break\n\
    sleep 0.2\n\
    done\n\
    cat /proc/net/if_inet6 /etc/resolv.conf\n\
    echo that is all";

/// An address as /proc/net/if_inet6 writes it.
fn digits(address: &str) -> Result<String> {
    let address: Ipv6Addr = address.parse()?;
    Ok(format!("{:032x}", u128::from(address)))
}

/// Three cards without IPv4; on each, routers leave something else to DHCPv6.
#[test]
fn ipv6_alone() -> Result<()> {
    Scenario::run("ipv6", |at| {
        let operator = Operator::start(at)?;
        operator.order(&Bundle::new("show", SHOW))?;
        let lab = |network, kind| {
            let lab = Lab::start(at.folder(), network, operator.server.address)?;
            lab.change(|lab| (lab.dhcp, lab.ipv6) = (false, Some(kind)));
            anyhow::Ok(lab)
        };
        let (managed, other, autonomous) = (
            lab(1, Advertisement::Managed)?,
            lab(2, Advertisement::Other)?,
            lab(3, Advertisement::Autonomous)?,
        );
        managed.change(|lab| lab.name("boot.example.org", lab::SERVER6));
        let image = operator.stamp("image", &operator.site(&["https://boot.example.org"]))?;
        let vm = Vm::new(at, "vm").cd(image).nic(&managed).nic(&other).nic(&autonomous);
        let mut vm = vm.memory(512).start()?;
        vm.expect("XB-SRV-06", BOOT)?;
        operator.approve("cupboard")?;
        vm.expect("script: that is all", RETRY)?;

        let text = vm.console.text();
        let has = |what: &str| text.lines().any(|l| l.contains("script: ") && l.contains(what));
        ensure!(has(&digits("fd99:1::50")?), "no address by DHCPv6");
        ensure!(!has("fd990001000000005054"), "an address was made where addresses are managed");
        for (network, mac) in [(2, "5054:ff:fe00:2"), (3, "5054:ff:fe00:3")] {
            let own = digits(&format!("fd99:{network}::{mac}"))?;
            ensure!(has(&own), "no address of its own in network {network}");
        }
        for network in 1..=3 {
            let server = format!("nameserver fd99:{network}::1");
            ensure!(has(&server), "no name server from network {network}");
        }
        ensure!(managed.counters().dhcp6.load(Relaxed) >= 2, "no address was asked for");
        ensure!(other.counters().dhcp6.load(Relaxed) >= 1, "no settings were asked for");
        ensure!(autonomous.counters().dhcp6.load(Relaxed) == 0, "DHCPv6 was not asked for");
        Ok(())
    })
}

/// A VLAN on the card with that MAC address, a static address, an MTU, a proxy that is the only way,
/// and two servers of which the first is not there. Another card, though all is well behind it, is not used.
#[test]
fn as_the_site_file_says() -> Result<()> {
    Scenario::run("site", |at| {
        let operator = Operator::start(at)?;
        let show = "cat /sys/class/net/eth0.12/mtu; cat /proc/net/vlan/eth0.12";
        operator.order(&Bundle::new("show", show))?;
        let server = operator.server.address;
        let (right, unused) =
            (Lab::start(at.folder(), 1, server)?, Lab::start(at.folder(), 2, server)?);
        right.change(|lab| (lab.dhcp, lab.vlan) = (false, Some(12)));
        let urls = ["https://203.0.113.99:7443", &format!("https://{}", lab::SERVER)];
        let network = format!(
            "[network]\nproxy = \"http://10.99.1.1:{PROXY_PORT}\"\n\
             [[network.link]]\nmac = \"52:54:00:00:00:01\"\nvlan = 12\nmtu = 1400\nipv6 = \"off\"\n\
             ipv4 = {{ address = \"10.99.1.77/24\", gateway = \"10.99.1.1\" }}\n"
        );
        let image = operator.stamp("image", &(operator.site(&urls) + &network))?;
        let mut vm = Vm::new(at, "vm").cd(image).nic(&right).nic(&unused).start()?;
        vm.expect("XB-SRV-06", BOOT)?;
        operator.approve("cupboard")?;
        vm.expect("script: 1400", RETRY)?;
        vm.expect("VID: 12", RETRY)?;

        let (proxied, all) = (&right.counters().proxied, &right.counters().connections);
        ensure!(proxied.load(Relaxed) > 0, "the proxy was not asked");
        ensure!(proxied.load(Relaxed) == all.load(Relaxed), "the proxy was gone around");
        let unused = unused.counters();
        ensure!(unused.dhcp.load(Relaxed) == 0, "a card that the site file does not name asks");
        ensure!(unused.connections.load(Relaxed) == 0, "a card that it does not name is used");
        Ok(())
    })
}

/// The name's IPv6 address leads nowhere: IPv4 wins the race, at once.
#[test]
fn an_ipv6_black_hole() -> Result<()> {
    Scenario::run("race", |at| {
        let operator = Operator::start(at)?;
        operator.order(&Bundle::new("show", "cat /proc/net/if_inet6; echo that is all"))?;
        let lab = Lab::start(at.folder(), 1, operator.server.address)?;
        lab.change(|lab| {
            lab.ipv6 = Some(Advertisement::Autonomous);
            lab.name("boot.example.org", Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xdead));
            lab.name("boot.example.org", *lab::SERVER.ip());
        });
        let network = "[[network.link]]\ndriver = \"virtio_net\"\nipv4 = \"dhcp\"\n\
                       ipv6 = { address = \"fd99:1::77/64\", gateway = \"fd99:1::1\" }\n";
        let site = operator.site(&["https://boot.example.org"]) + network;
        let image = operator.stamp("image", &site)?;
        let mut vm = Vm::new(at, "vm").cd(image).nic(&lab).start()?;
        vm.expect("connected to boot.example.org", BOOT)?;
        operator.approve("cupboard")?;
        vm.expect("script: that is all", RETRY)?;
        let text = vm.console.text();
        ensure!(text.contains(&digits("fd99:1::77")?), "no static IPv6 address");
        ensure!(!text.contains("XB-NET"), "the black hole was waited for");
        Ok(())
    })
}
