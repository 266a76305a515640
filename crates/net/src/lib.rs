//! Links, addresses, DHCP, DNS, and the race to the server.
//!
//! [`Network::start`] sets all links to work at once, each by itself, for as long as the handle lives.
//! [`Network::race`] tries every server at every address over every link that can be used, and takes the
//! first that the caller is content with: no link's wrong gateway or lying name server can keep the
//! machine from a server that another link reaches.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )
)]

mod config;
mod dhcp4;
mod dhcp6;
mod dns;
mod link;
mod manager;
mod netlink;
mod network;
pub mod pdu;
pub mod proxy;
mod ra;
mod race;
mod random;
mod resolv;
mod status;
mod sysctl;

pub use config::{Config, Ipv4, Ipv6, LinkConfig, Mac, Select};
pub use network::{Error, Network};
pub use race::{Candidate, Cause, Host, Target, Trouble};
pub use status::{Lease, LinkStatus, Status};
