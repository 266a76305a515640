//! The multi-call binary: shell and commands for scripts.

fn main() {}
