//! The boot phases: network, contact, verify, run, report, act.

fn main() {}
