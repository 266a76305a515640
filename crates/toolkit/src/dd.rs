//! `dd`: records from one file, disk or pipe to another, as GNU's does it, and exact about what could not be read or written.

mod buffer;
mod cache;
mod conversion;
pub(crate) mod copy;
mod ebcdic;
mod failed;
mod flags;
mod input;
pub(crate) mod operands;
mod output;
mod quick;
mod status;
