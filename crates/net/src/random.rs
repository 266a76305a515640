//! Random numbers that an attacker on the path cannot guess: transaction numbers and ports.

use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes. Zeros if the kernel has none, which init has ruled out before the agent starts.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    let _ = SystemRandom::new().fill(&mut out);
    out
}

/// From 0 to 1.
pub(crate) fn fraction() -> f64 {
    f64::from(u32::from_ne_bytes(bytes())) / f64::from(u32::MAX)
}
