//! The network of a machine without an agent, for tests in a namespace. Its argument is one command a line:
//!
//!     link NAME [vlan=ID] [ipv4=ADDRESS/PREFIX,GATEWAY] [ipv6=off]
//!     race HOST:PORT       once a link is usable, and again until it is won
//!     serve ADDRESS:PORT   only answers connections
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test's program fails by panicking"
)]

use std::{net::IpAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use xenoboot_net::{
    Candidate, Config, Host, Ipv4, Ipv6, LinkConfig, Network, Select, Status, Target,
};

/// What `serve` says.
const GREETING: &[u8; 5] = b"hello";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let script = std::env::args().nth(1).unwrap();
    log::set_logger(&Printed).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let mut config = Config { hostname: "machine".into(), ..Config::default() };
    let mut target = None;
    for line in script.lines() {
        match line.trim().split_once(' ').unwrap() {
            ("link", rest) => config.links.push(link(rest)),
            ("race", rest) => target = Some(host_port(rest)),
            ("serve", rest) => return serve(rest).await,
            other => panic!("{other:?}"),
        }
    }
    let network = Network::start(config).unwrap();
    let mut status = network.status();
    let showing = async {
        loop {
            print(&status.borrow_and_update());
            status.changed().await.unwrap();
        }
    };
    let racing = async {
        if let Some(target) = target {
            race(&network, target).await;
        }
        // What the race preferred is no change of the status: shown until somebody has seen it.
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            print(&network.status().borrow());
        }
    };
    tokio::join!(showing, racing);
}

async fn race(network: &Network, target: Target) {
    let mut status = network.status();
    loop {
        status.wait_for(|status| status.links.iter().any(|link| link.usable())).await.unwrap();
        match network.race(std::slice::from_ref(&target), greeted).await {
            Ok(link) => return println!("won over {link}"),
            Err(troubles) => println!("lost {troubles:?}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn greeted(candidate: Candidate, mut stream: TcpStream) -> std::io::Result<String> {
    let mut got = [0; GREETING.len()];
    stream.read_exact(&mut got).await?;
    assert_eq!(&got, GREETING);
    Ok(candidate.link)
}

async fn serve(address: &str) {
    let listener = TcpListener::bind(address).await.unwrap();
    println!("serving");
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(GREETING).await;
    }
}

/// One line a change.
fn print(status: &Status) {
    for link in &status.links {
        let addresses: Vec<_> = link.addresses.iter().map(|(a, p)| format!("{a}/{p}")).collect();
        println!(
            "{} used={} usable={} addresses={addresses:?} gateways={:?} dns={:?} lease={:?} trouble={:?}",
            link.name,
            link.used,
            link.usable(),
            link.gateways,
            link.dns,
            link.lease,
            link.trouble
        );
    }
    println!("missing={:?}", status.missing);
    println!("resolv.conf {:?}", std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
}

fn link(text: &str) -> LinkConfig {
    let mut words = text.split(' ');
    let name = words.next().map(str::to_owned);
    let mut link =
        LinkConfig { select: Select { name, ..Select::default() }, ..LinkConfig::default() };
    for word in words {
        match word.split_once('=').unwrap() {
            ("vlan", id) => link.vlan = Some(id.parse().unwrap()),
            ("ipv6", "off") => link.ipv6 = Ipv6::Off,
            ("ipv4", value) => {
                let (network, gateway) = value.split_once(',').unwrap();
                let (address, prefix) = network.split_once('/').unwrap();
                let (address, prefix) = (address.parse().unwrap(), prefix.parse().unwrap());
                let gateway = Some(gateway.parse().unwrap());
                link.ipv4 = Ipv4::Static { address, prefix, gateway };
            }
            other => panic!("{other:?}"),
        }
    }
    link
}

fn host_port(text: &str) -> Target {
    let (host, port) = text.rsplit_once(':').unwrap();
    let address = host.parse::<IpAddr>().map(Host::Address);
    Target {
        host: address.unwrap_or_else(|_| Host::Name(host.into())),
        port: port.parse().unwrap(),
    }
}

struct Printed;

impl log::Log for Printed {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("xenoboot")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            println!("log {}", record.args());
        }
    }

    fn flush(&self) {}
}
