//! A network in user space at the other end of a machine's card: a switch port with a DHCP server, a name
//! server and a router, behind which lies the real server. All of them can be told to misbehave, while the
//! machine runs.
//!
//! The network is `10.99.N.0/24` and `fd99:N::/64`; router and name server are at `.1` and `::1`, the machine
//! gets `.50` and, by DHCPv6, `::50`. The server is seen at [`SERVER`] and [`SERVER6`], beyond the router;
//! each connection is relayed to a port of the host's loopback. The router is an HTTP proxy too
//! ([`PROXY_PORT`]).

mod dhcp;
mod dhcp6;
mod dns;
mod port;
mod relay;
mod router;
mod stack;

use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Where machines see the server (an address for documentation, RFC 5737).
pub const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 7443);

/// The same by IPv6 (RFC 3849).
pub const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);

/// Where the router is an HTTP proxy that knows CONNECT.
pub const PROXY_PORT: u16 = 3128;

/// What the router says of itself by IPv6 (RFC 4861, section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advertisement {
    /// Machines make their own addresses, and the name server is told (RFC 8106).
    Autonomous,
    /// Machines make their own addresses, and ask DHCPv6 for the name server.
    Other,
    /// Machines ask DHCPv6 for both.
    Managed,
}

/// How the network behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Whether DHCP is answered at all.
    pub dhcp: bool,
    /// Whether requests are refused (DHCPNAK).
    pub nak: bool,
    /// The router that DHCP names; only [`Lab::router`] exists.
    pub gateway: Ipv4Addr,
    /// The name server that DHCP names; only [`Lab::router`] answers.
    pub dns: Ipv4Addr,
    /// The lease's length, seconds.
    pub lease: u32,
    /// Names that resolve, each to all of its addresses; all others do not exist.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// What the router advertises, if it speaks IPv6.
    pub ipv6: Option<Advertisement>,
    /// The network is this VLAN; what has another tag, or none, is not seen.
    pub vlan: Option<u16>,
    /// Where the real server listens.
    pub server: SocketAddr,
    /// How long each frame takes in each direction.
    pub delay: Duration,
    /// Of this many frames one is lost, in each direction; none when zero.
    pub lose_one_of: u32,
}

impl Behaviour {
    /// Lets a name resolve to an address, besides those to which it does already.
    pub fn name(&mut self, name: &str, address: impl Into<IpAddr>) {
        self.names.entry(name.to_owned()).or_default().push(address.into());
    }
}

/// What was seen on the network.
#[derive(Debug, Default)]
pub struct Counters {
    /// Frames that came from the machine.
    pub from_machine: AtomicUsize,
    /// Frames that went to the machine.
    pub to_machine: AtomicUsize,
    /// DHCP messages from the machine.
    pub dhcp: AtomicUsize,
    /// DHCPv6 messages from the machine.
    pub dhcp6: AtomicUsize,
    /// Name queries.
    pub dns: AtomicUsize,
    /// Connections through the proxy.
    pub proxied: AtomicUsize,
    /// Connections to the server that were established.
    pub connections: AtomicUsize,
}

/// What the threads of a network share.
struct Shared {
    behaviour: Mutex<Behaviour>,
    counters: Counters,
    network: u8,
    stop: AtomicBool,
}

impl Shared {
    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running network. Dropped, it ends.
pub struct Lab {
    socket: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Lab {
    /// Starts the network `10.99.NETWORK.0/24`, well-behaved, in front of the server at `server`. Its socket
    /// is made in `folder`.
    pub fn start(folder: &Path, network: u8, server: SocketAddr) -> Result<Self> {
        let router = Ipv4Addr::new(10, 99, network, 1);
        let behaviour = Behaviour {
            dhcp: true,
            nak: false,
            gateway: router,
            dns: router,
            lease: 3600,
            names: BTreeMap::new(),
            ipv6: None,
            vlan: None,
            server,
            delay: Duration::ZERO,
            lose_one_of: 0,
        };
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(behaviour),
            counters: Counters::default(),
            network,
            stop: AtomicBool::new(false),
        });
        let socket = folder.join(format!("lab{network}"));
        let listener = UnixListener::bind(&socket).with_context(|| socket.display().to_string())?;
        let port = port::Port::open(listener);
        let inside = Arc::clone(&shared);
        let thread = Some(thread::spawn(move || stack::run(port, &inside)));
        Ok(Self { socket, shared, thread })
    }

    /// The Unix socket that QEMU connects a card to (`-netdev stream`).
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The router's address.
    #[must_use]
    pub fn router(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, self.shared.network, 1)
    }

    /// Changes how the network behaves, from now on.
    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.behaviour());
    }

    /// What was seen until now.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::{
        ArpOperation, ArpPacket, ArpRepr, DhcpMessageType, DhcpPacket, EthernetAddress,
        EthernetFrame, EthernetProtocol,
    };
    use std::{
        io::{ErrorKind, Read, Write},
        os::unix::net::UnixStream,
    };

    const MAC: EthernetAddress = EthernetAddress([0x52, 0x54, 0, 0, 0, 1]);

    fn send(stream: &mut UnixStream, protocol: EthernetProtocol, payload: &[u8]) {
        let mut bytes = vec![0; 14 + payload.len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        frame.set_src_addr(MAC);
        frame.set_dst_addr(EthernetAddress::BROADCAST);
        frame.set_ethertype(protocol);
        frame.payload_mut().copy_from_slice(payload);
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &bytes].concat()).unwrap();
    }

    /// The payload of the next frame of a protocol, if one comes soon. The lab's stack also says
    /// things unasked, such as the multicast groups that it listens to.
    fn receive(stream: &mut UnixStream, protocol: EthernetProtocol) -> Option<Vec<u8>> {
        loop {
            let mut length = [0; 4];
            match stream.read_exact(&mut length) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                other => other.unwrap(),
            }
            let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut bytes).unwrap();
            let frame = EthernetFrame::new_checked(&bytes[..]).unwrap();
            if frame.ethertype() == protocol {
                return Some(frame.payload().to_vec());
            }
        }
    }

    fn asks_for(stream: &mut UnixStream, address: Ipv4Addr) -> bool {
        let request = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: MAC,
            source_protocol_addr: Ipv4Addr::new(10, 99, 7, 50),
            target_hardware_addr: EthernetAddress::BROADCAST,
            target_protocol_addr: address,
        };
        let mut bytes = vec![0; request.buffer_len()];
        request.emit(&mut ArpPacket::new_unchecked(&mut bytes[..]));
        send(stream, EthernetProtocol::Arp, &bytes);
        receive(stream, EthernetProtocol::Arp).is_some()
    }

    /// A DHCPDISCOVER in UDP (checksum 0: none) in IPv4.
    fn discover() -> Vec<u8> {
        let mut dhcp = vec![0; 300];
        dhcp[..4].copy_from_slice(&[1, 1, 6, 0]);
        dhcp[28..34].copy_from_slice(MAC.as_bytes());
        dhcp[236..244].copy_from_slice(&[99, 130, 83, 99, 53, 1, 1, 255]);
        let mut out =
            vec![0x45, 0, 1, 72, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255];
        let mut ip = smoltcp::wire::Ipv4Packet::new_unchecked(&mut out[..]);
        ip.fill_checksum();
        out.extend([0, 68, 0, 67, 1, 52, 0, 0]);
        out.extend(dhcp);
        out
    }

    #[test]
    fn answers_and_misbehaves_as_told() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::start(folder.path(), 7, "127.0.0.1:9".parse().unwrap()).unwrap();
        let mut stream = UnixStream::connect(lab.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        assert!(asks_for(&mut stream, lab.router()));
        assert!(!asks_for(&mut stream, Ipv4Addr::new(10, 99, 7, 254)));

        lab.change(|lab| lab.dhcp = false);
        send(&mut stream, EthernetProtocol::Ipv4, &discover());
        assert!(receive(&mut stream, EthernetProtocol::Ipv4).is_none());
        assert_eq!(lab.counters().dhcp.load(Ordering::Relaxed), 1);
        lab.change(|lab| lab.dhcp = true);
        send(&mut stream, EthernetProtocol::Ipv4, &discover());
        let offer = receive(&mut stream, EthernetProtocol::Ipv4).unwrap();
        let offer = DhcpPacket::new_checked(&offer[28..]).unwrap();
        assert_eq!(offer.your_ip(), Ipv4Addr::new(10, 99, 7, 50));
        let kind = offer.options().find(|option| option.kind == 53).map(|option| option.data[0]);
        assert_eq!(kind.map(DhcpMessageType::from), Some(DhcpMessageType::Offer));
    }

    #[test]
    fn delays_and_loses() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::start(folder.path(), 7, "127.0.0.1:9".parse().unwrap()).unwrap();
        let mut stream = UnixStream::connect(lab.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        lab.change(|lab| lab.delay = Duration::from_millis(100));
        // The port takes the new delay with its next turn.
        assert!(asks_for(&mut stream, lab.router()));
        let start = std::time::Instant::now();
        assert!(asks_for(&mut stream, lab.router()));
        assert!(start.elapsed() >= Duration::from_millis(200));
        lab.change(|lab| lab.lose_one_of = 1);
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let _ = asks_for(&mut stream, lab.router());
        assert!(!asks_for(&mut stream, lab.router()));
    }
}
