//! What `curl` makes of its options.

pub(crate) mod data;
pub(crate) mod transfer;
pub(crate) mod write_out;
