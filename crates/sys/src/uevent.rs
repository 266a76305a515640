//! The kernel's announcements of devices: netlink, family `KOBJECT_UEVENT`.

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, recvfrom, socket_with,
        sockopt,
    },
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// The kernel's own group; udev sends to another.
const KERNEL_GROUP: u32 = 1;

/// Room for a burst: a USB hub full of disks announces some hundred devices at once.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Largest event of the kernel: `UEVENT_BUFFER_SIZE` (2048) and its header.
const MAX_EVENT: usize = 8192;

/// A device came, went or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uevent {
    /// `add`, `remove`, `change`, `bind`, ...
    pub action: String,
    /// Path below `/sys`, with a leading slash.
    pub devpath: String,
    /// `block`, `net`, `pci`, ...
    pub subsystem: String,
    /// What a driver is chosen by, if the device has one.
    pub modalias: Option<String>,
    /// Path below `/dev`, if the device has a node.
    pub devname: Option<String>,
}

impl Uevent {
    /// Parses a message of the kernel: `ACTION@DEVPATH`, then `KEY=VALUE`, each ended by a NUL.
    /// `None` when it is none, or one of udev's.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let mut fields = message.split(|b| *b == 0).map(str::from_utf8);
        let (action, devpath) = fields.next()?.ok()?.split_once('@')?;
        let mut event = Self { action: action.into(), devpath: devpath.into(), ..Self::default() };
        for (key, value) in fields.filter_map(|f| f.ok()?.split_once('=')) {
            match key {
                "SUBSYSTEM" => event.subsystem = value.into(),
                "MODALIAS" => event.modalias = Some(value.into()),
                "DEVNAME" => event.devname = Some(value.into()),
                _ => {}
            }
        }
        Some(event)
    }
}

/// What [`Uevents::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Event(Uevent),
    /// Nothing more for now.
    Empty,
    /// Events were lost because we were too slow: look at all devices anew.
    Lost,
}

/// The socket.
#[derive(Debug)]
pub struct Uevents {
    socket: OwnedFd,
}

impl Uevents {
    /// Subscribes; events from now on are kept until they are read.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(netlink::KOBJECT_UEVENT);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
        // A smaller buffer only makes `Lost` likelier, which is dealt with.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER);
        bind(&socket, &netlink::SocketAddrNetlink::new(0, KERNEL_GROUP))?;
        Ok(Self { socket })
    }

    /// The next event; never blocks. Messages not sent by the kernel are skipped.
    ///
    /// # Errors
    /// When the socket is unusable.
    pub fn next(&self) -> io::Result<Next> {
        let mut buffer = [0; MAX_EVENT];
        loop {
            let (length, sender) = match recvfrom(&self.socket, &mut buffer[..], RecvFlags::empty())
            {
                Ok((length, _, sender)) => (length, sender),
                Err(Errno::AGAIN) => return Ok(Next::Empty),
                Err(Errno::NOBUFS) => return Ok(Next::Lost),
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            };
            let sender = sender.and_then(|s| netlink::SocketAddrNetlink::try_from(s).ok());
            let from_kernel = sender.is_some_and(|s| s.pid() == 0);
            let event = buffer.get(..length).filter(|_| from_kernel).and_then(Uevent::parse);
            if let Some(event) = event {
                return Ok(Next::Event(event));
            }
        }
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_of_the_kernel() {
        let message = b"add@/devices/pci0000:00/0000:00:02.0\0ACTION=add\0\
            DEVPATH=/devices/pci0000:00/0000:00:02.0\0SUBSYSTEM=pci\0\
            MODALIAS=pci:v00008086d000010D3\0SEQNUM=977\0";
        let event = Uevent::parse(message).unwrap();
        assert_eq!(event.action, "add");
        assert_eq!(event.devpath, "/devices/pci0000:00/0000:00:02.0");
        assert_eq!(event.subsystem, "pci");
        assert_eq!(event.modalias.as_deref(), Some("pci:v00008086d000010D3"));
        assert_eq!(event.devname, None);
    }

    #[test]
    fn udevs_messages_are_not_the_kernels() {
        assert_eq!(Uevent::parse(b"libudev\0\xfe\xed\xca\xfe"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(event) = Uevent::parse(&bytes) {
                prop_assert!(event.devpath.len() <= bytes.len());
            }
        }
    }
}
