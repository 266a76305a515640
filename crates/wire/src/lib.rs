//! Messages and identifiers shared by machine and server.
//!
//! Every message is CBOR (RFC 8949), made and read in [`codec`] alone; nothing here does I/O.
//! What arrives is bounded before it is parsed and refused when it is not exactly one message.
#![forbid(unsafe_code)]

pub mod boot;
pub mod code;
pub mod codec;
pub mod confirm;
pub mod event;
pub mod id;
pub mod script;
pub mod timing;
pub mod version;

pub use code::Code;
pub use codec::{DecodeError, decode, encode};
pub use id::{BootId, Digest, FleetId, MachineKey, Nonce, Pin, RunId};
pub use version::Version;

/// The version of the machine's protocol, in every [`boot::BootRequest`].
pub const PROTOCOL: u16 = 1;

/// Largest machine message either side reads, in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;

/// Largest bundle envelope that is sent inside a [`boot::BootReply`], in bytes.
pub const MAX_INLINE_BUNDLE: usize = 256 << 10;
