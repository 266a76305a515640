//! Bytes there and back.

use super::Plan;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, read, write},
    net::{SendFlags, Shutdown, send, shutdown},
};
use std::{
    io::{self, Write as _},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// What is read at once, bytes: the largest datagram.
const PIECE: usize = 65_536;

/// Standard input to the network and the network to standard output, until both have ended, or one of
/// the limits is reached.
pub(crate) fn run(plan: &Plan, net: &OwnedFd, datagrams: bool) -> io::Result<()> {
    let stdin = io::stdin();
    let mut buffer = vec![0; PIECE];
    let mut pending: Vec<u8> = Vec::new();
    let (mut input, mut packets) = (!plan.no_input, plan.packets);
    let mut quit: Option<Instant> = None;
    rustix::io::ioctl_fionbio(net, true)?;
    loop {
        let wanted =
            if pending.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        let mut fds = vec![PollFd::new(net, wanted)];
        // What could not be sent yet is not added to.
        let reads = input && pending.is_empty();
        if reads {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let left = quit.map(|quit| quit.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Ok(());
        }
        let time = [left, plan.timeout].into_iter().flatten().min();
        let time = time.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        match poll(&mut fds, time.as_ref()) {
            Ok(0) => return Ok(()),
            Err(Errno::INTR) => continue,
            result => result?,
        };
        let ready: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        let there = |n: usize, flags| ready.get(n).is_some_and(|ready| ready.intersects(flags));
        let any = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        if there(0, any) {
            match read(net, &mut buffer) {
                Ok(0) if !datagrams => return Ok(()),
                Ok(got) => {
                    let mut out = io::stdout();
                    out.write_all(buffer.get(..got).unwrap_or_default())?;
                    out.flush()?;
                    packets = packets.map(|left| left.saturating_sub(1));
                    if packets == Some(0) {
                        return Ok(());
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Nobody listens there, or not any more.
                Err(error) => return Err(error.into()),
            }
        }
        if reads && there(1, any) {
            let got = read(&stdin, &mut buffer)?;
            pending.extend(buffer.get(..got).unwrap_or_default());
            if got == 0 {
                input = false;
                quit = plan.quit.map(|time| Instant::now() + time);
                if plan.shutdown && !datagrams {
                    shutdown(net, Shutdown::Write)?;
                }
            }
        }
        if !pending.is_empty() {
            match send(net, &pending, SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    pending.drain(..sent);
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Everything that comes, from whomever.
pub(crate) fn sink(plan: &Plan, net: &OwnedFd) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut packets = plan.packets;
    while super::sockets::wait(plan, net)? {
        let got = read(net, &mut buffer)?;
        write_all(buffer.get(..got).unwrap_or_default())?;
        packets = packets.map(|left| left.saturating_sub(1));
        if packets == Some(0) {
            break;
        }
    }
    Ok(())
}

fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = write(io::stdout(), bytes)?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}
