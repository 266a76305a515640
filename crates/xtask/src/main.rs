//! Developer commands: demo, test, image, bench.

fn main() {}
