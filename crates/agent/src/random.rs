//! Random bytes from the kernel.

use rustix::rand::{GetRandomFlags, getrandom};

/// `N` random bytes.
///
/// Blocks until the kernel's generator is seeded; [`ready`] says whether it is. The agent waits for
/// that once, before it makes the first key or nonce.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0u8; N];
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // A signal may interrupt it; no other error can happen with a valid buffer.
        filled += getrandom(rest, GetRandomFlags::empty()).unwrap_or(0);
    }
    out
}

/// A number in [0, 1), for jitter.
#[must_use]
pub fn fraction() -> f64 {
    f64::from(u32::from_ne_bytes(bytes())) / (f64::from(u32::MAX) + 1.0)
}

/// Whether the kernel's generator is seeded.
#[must_use]
pub fn ready() -> bool {
    getrandom(&mut [0u8; 1], GetRandomFlags::NONBLOCK).is_ok()
}
