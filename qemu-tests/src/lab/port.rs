//! A switch port: frames to and from QEMU over a Unix socket, each after its length as four bytes,
//! big-endian (QEMU's `-netdev stream`).

use smoltcp::{
    phy::{self, Device, DeviceCapabilities, Medium},
    time,
};
use std::{
    collections::VecDeque,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Longest frame that QEMU sends, with offloads off.
const LONGEST: usize = 64 << 10;

/// One end of the cable: a network device to the stack.
pub(super) struct Port {
    arrivals: mpsc::Receiver<Vec<u8>>,
    writer: Writer,
    /// Frames on the way to the stack, and to the machine, with the time when each is due.
    inbound: VecDeque<(Instant, Vec<u8>)>,
    outbound: VecDeque<(Instant, Vec<u8>)>,
    pub(super) delay: Duration,
    pub(super) lose_one_of: u32,
    pub(super) vlan: Option<u16>,
    pub(super) received: usize,
    pub(super) sent: usize,
}

/// The connection to the QEMU that connected last.
type Writer = Arc<Mutex<Option<UnixStream>>>;

impl Port {
    /// Takes connections from `listener`, one after the other.
    pub(super) fn open(listener: UnixListener) -> Self {
        let (sender, arrivals) = mpsc::channel();
        let writer = Writer::default();
        let shared = Arc::clone(&writer);
        // Ends with the process: nothing but QEMU knows the socket.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if let Ok(clone) = stream.try_clone() {
                    *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(clone);
                    read(stream, &sender);
                }
            }
        });
        Self {
            arrivals,
            writer,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            delay: Duration::ZERO,
            lose_one_of: 0,
            vlan: None,
            received: 0,
            sent: 0,
        }
    }

    /// Waits at most `limit` for a frame, and takes all that have come.
    pub(super) fn wait(&mut self, limit: Duration) {
        let due = self.inbound.front().into_iter().chain(self.outbound.front());
        let next = due.map(|(at, _)| at.saturating_duration_since(Instant::now())).min();
        let first = self.arrivals.recv_timeout(next.map_or(limit, |next| next.min(limit)));
        for frame in first.into_iter().chain(self.arrivals.try_iter().collect::<Vec<_>>()) {
            self.received += 1;
            if let Some(frame) = untagged(frame, self.vlan)
                && !lost(self.received, self.lose_one_of)
            {
                self.inbound.push_back((Instant::now() + self.delay, frame));
            }
        }
    }

    /// Sends what is due to the machine. Without a machine it is lost, as on a cable.
    pub(super) fn flush(&mut self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, frame)) = self.outbound.pop_front_if(|(at, _)| *at <= Instant::now()) {
            self.sent += 1;
            let frame = tagged(frame, self.vlan);
            let length = u32::try_from(frame.len()).unwrap_or_default().to_be_bytes();
            let written =
                |stream: &mut UnixStream| stream.write_all(&[&length[..], &frame].concat()).is_ok();
            if !lost(self.sent, self.lose_one_of) && writer.as_mut().is_some_and(|s| !written(s)) {
                *writer = None;
            }
        }
    }
}

/// Where a frame has the tag of its VLAN (IEEE 802.1Q), after both addresses, and the tag's type.
const TAG: usize = 12;
const TAG_TYPE: [u8; 2] = [0x81, 0x00];

/// The frame without its tag; `None` when it is not of this VLAN.
fn untagged(mut frame: Vec<u8>, vlan: Option<u16>) -> Option<Vec<u8>> {
    let tag = match frame.get(TAG..TAG + 4)? {
        [a, b, high, low] if [*a, *b] == TAG_TYPE => Some(u16::from_be_bytes([high & 0x0f, *low])),
        _ => None,
    };
    if tag.is_some() {
        frame.drain(TAG..TAG + 4);
    }
    (tag == vlan).then_some(frame)
}

fn tagged(mut frame: Vec<u8>, vlan: Option<u16>) -> Vec<u8> {
    if let Some(vlan) = vlan.filter(|_| frame.len() >= TAG) {
        let tag = TAG_TYPE.into_iter().chain(vlan.to_be_bytes());
        frame.splice(TAG..TAG, tag);
    }
    frame
}

fn lost(number: usize, one_of: u32) -> bool {
    one_of > 0 && number.is_multiple_of(one_of as usize)
}

fn read(mut stream: UnixStream, frames: &mpsc::Sender<Vec<u8>>) {
    loop {
        let mut length = [0; 4];
        if stream.read_exact(&mut length).is_err() {
            return;
        }
        let length = u32::from_be_bytes(length) as usize;
        let mut frame = vec![0; length];
        if length > LONGEST || stream.read_exact(&mut frame).is_err() || frames.send(frame).is_err()
        {
            return;
        }
    }
}

impl Device for Port {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }

    fn receive(&mut self, _: time::Instant) -> Option<(Received, Sending<'_>)> {
        let (_, frame) = self.inbound.pop_front_if(|(at, _)| *at <= Instant::now())?;
        Some((Received(frame), Sending(self)))
    }

    fn transmit(&mut self, _: time::Instant) -> Option<Sending<'_>> {
        Some(Sending(self))
    }
}

/// A frame that has arrived.
pub(super) struct Received(Vec<u8>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// Room for a frame to send.
pub(super) struct Sending<'a>(&'a mut Port);

impl phy::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.outbound.push_back((Instant::now() + self.0.delay, frame));
        result
    }
}
