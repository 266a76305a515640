//! The central server.
#![forbid(unsafe_code)]
