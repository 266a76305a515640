//! Sockets that connect in time, and sockets that listen.

use super::Plan;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept, bind, connect, listen,
        recvfrom, socket_with, sockopt,
    },
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
};

fn open(plan: &Plan, to: SocketAddr) -> io::Result<OwnedFd> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = if plan.udp { SocketType::DGRAM } else { SocketType::STREAM };
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC, None)?)
}

fn blocking(fd: &OwnedFd, blocking: bool) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, !blocking)?)
}

/// Connects to an address, from the own one if that was given.
pub(crate) fn dial(plan: &Plan, to: SocketAddr) -> io::Result<OwnedFd> {
    let fd = open(plan, to)?;
    if plan.source.is_some() || plan.source_port != 0 {
        sockopt::set_socket_reuseaddr(&fd, true)?;
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        bind(&fd, &SocketAddr::new(plan.source.unwrap_or(any), plan.source_port))?;
    }
    blocking(&fd, false)?;
    match connect(&fd, &to) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            let time =
                plan.timeout.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
            if poll(&mut [PollFd::new(&fd, PollFlags::OUT)], time.as_ref())? == 0 {
                return Err(Errno::INPROGRESS.into());
            }
            sockopt::socket_error(&fd)??;
        }
        Err(error) => return Err(error.into()),
    }
    blocking(&fd, true)?;
    Ok(fd)
}

/// Connects to a socket in the file system.
pub(crate) fn dial_unix(plan: &Plan, path: &str) -> io::Result<OwnedFd> {
    let fd = open_unix(plan)?;
    connect(&fd, &SocketAddrUnix::new(path)?)?;
    Ok(fd)
}

fn open_unix(plan: &Plan) -> io::Result<OwnedFd> {
    let kind = if plan.udp { SocketType::DGRAM } else { SocketType::STREAM };
    Ok(socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
}

/// Listens at an address.
pub(crate) fn serve(plan: &Plan, at: SocketAddr) -> io::Result<OwnedFd> {
    let fd = open(plan, at)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    bind(&fd, &at)?;
    if !plan.udp {
        listen(&fd, 1)?;
    }
    Ok(fd)
}

/// Listens at a path.
pub(crate) fn serve_unix(plan: &Plan, path: &str) -> io::Result<OwnedFd> {
    let fd = open_unix(plan)?;
    bind(&fd, &SocketAddrUnix::new(path)?)?;
    if !plan.udp {
        listen(&fd, 5)?;
    }
    Ok(fd)
}

/// Waits for somebody at a socket; with a time limit, not longer than that.
pub(crate) fn wait(plan: &Plan, fd: &OwnedFd) -> io::Result<bool> {
    let time = plan.timeout.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
    loop {
        match poll(&mut [PollFd::new(fd, PollFlags::IN)], time.as_ref()) {
            Err(Errno::INTR) => {}
            result => return Ok(result? > 0),
        }
    }
}

/// The next connection.
pub(crate) fn take(fd: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(accept(fd)?)
}

/// Speaks from now on only to who sent the datagram that waits.
pub(crate) fn take_datagram(fd: &OwnedFd) -> io::Result<Option<SocketAddr>> {
    let flags = rustix::net::RecvFlags::PEEK;
    let (_, _, from) = recvfrom(fd, [0_u8; 1].as_mut_slice(), flags)?;
    let Some(from) = from.and_then(|from| SocketAddr::try_from(from).ok()) else {
        return Ok(None);
    };
    connect(fd, &from)?;
    Ok(Some(from))
}

/// The other end.
pub(crate) fn peer(fd: &OwnedFd) -> Option<SocketAddr> {
    let address = rustix::net::getpeername(fd).ok()?;
    SocketAddr::try_from(address?).ok()
}
