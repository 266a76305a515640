//! `nc`: a connection between standard input and output and the network.

pub(crate) mod relay;
pub(crate) mod sockets;

use crate::resolver::Family;
use std::{net::IpAddr, time::Duration};

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// UDP, not TCP.
    pub(crate) udp: bool,
    /// Which addresses.
    pub(crate) family: Family,
    /// No names.
    pub(crate) numeric: bool,
    /// Says what happens.
    pub(crate) verbose: bool,
    /// Only looks whether somebody listens.
    pub(crate) scan: bool,
    /// How long connecting takes, and how long nothing may happen.
    pub(crate) timeout: Option<Duration>,
    /// Ends after so many packets.
    pub(crate) packets: Option<u64>,
    /// What is sent ends when standard input does.
    pub(crate) shutdown: bool,
    /// Ends so long after standard input.
    pub(crate) quit: Option<Duration>,
    /// Does not read standard input.
    pub(crate) no_input: bool,
    /// The own address.
    pub(crate) source: Option<IpAddr>,
    /// The own port.
    pub(crate) source_port: u16,
}
