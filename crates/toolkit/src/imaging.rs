//! Disk images: fetched, judged, written and verified.
//!
//! docs/IMAGE-FORMAT.md has the format, docs/decisions/images.md why it is done in this way.

pub(crate) mod choose;
pub(crate) mod client;
pub(crate) mod compare;
pub(crate) mod grow;
pub(crate) mod identity;
pub(crate) mod marker;
pub(crate) mod mirrors;
pub(crate) mod progress;
pub(crate) mod qcow2;
pub(crate) mod refuse;
pub(crate) mod remote;
pub(crate) mod spool;
pub(crate) mod stream;
pub(crate) mod tail;
pub(crate) mod target;
pub(crate) mod unpack;
pub(crate) mod walk;
pub(crate) mod write;
