//! The files that make an image belong to a site: strict parsing.
//!
//! - `site.toml` → [`Site`]: servers, their pins, and the network;
//! - `trust.toml` → [`Trust`]: the fleet, the signers that a machine believes, and who may log in to it;
//! - `machine.toml` → [`Machine`]: the machine's name and groups.
//!
//! All three are TOML 1.0. What is not understood is refused, with line, column and what was expected
//! ([`Error`]): a misspelt key must be found when the image is built, not by a machine far away.
//! Text becomes types here, once; what these types hold needs no further checks.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that panics has failed, which is what it is for"
    )
)]

mod error;
mod host;
mod key;
mod link;
mod machine;
mod name;
mod operators;
mod select;
mod site;
mod ssh_key;
mod trust;

pub use error::Error;
pub use host::{DEFAULT_PORT, Host, Proxy, ServerUrl};
pub use key::{parse as parse_key, show as show_key};
pub use link::{Ipv4, Ipv6, Link};
pub use machine::Machine;
pub use name::{check as check_name, limits as name_limits};
pub use operators::{Operator, Role, parse_authorized};
pub use select::{Glob, Mac, Select};
pub use site::{Network, Server, Site};
pub use ssh_key::SshKey;
pub use trust::{Signer, Trust};

/// Largest file that is parsed, in bytes.
pub const MAX_FILE: usize = 64 << 10;
/// Most servers in a site file.
pub const MAX_SERVERS: usize = 16;
/// Most pins of one server.
pub const MAX_PINS: usize = 16;
/// Most `[[network.link]]` entries.
pub const MAX_LINKS: usize = 64;
/// Most name servers of the site, and of one link.
pub const MAX_DNS: usize = 8;
/// Most signers of a fleet.
pub const MAX_SIGNERS: usize = 32;
/// Most operators of a fleet, and of a bundle.
pub const MAX_OPERATORS: usize = 64;
/// Most principals of an authority.
pub const MAX_PRINCIPALS: usize = 16;
/// Most groups of a machine.
pub const MAX_GROUPS: usize = 64;
