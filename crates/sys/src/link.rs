//! The loopback interface: the one link that init cares for.

use rustix::{
    ioctl::{self, Setter},
    net::{AddressFamily, SocketFlags, SocketType, socket_with},
};
use std::io;

/// `struct ifreq` of `linux/if.h`, as SIOCSIFFLAGS reads it.
#[repr(C)]
struct FlagsRequest {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// Brings `lo` up; the kernel then gives it 127.0.0.1/8 and ::1/128.
///
/// # Errors
/// When not privileged.
pub fn loopback_up() -> io::Result<()> {
    const SIOCSIFFLAGS: ioctl::Opcode = 0x8914;
    const IFF_UP: i16 = 1;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let request =
        FlagsRequest { name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0", flags: IFF_UP, rest: [0; 22] };
    // SAFETY: SIOCSIFFLAGS reads one struct ifreq, 40 bytes on 64-bit Linux, which FlagsRequest mirrors.
    unsafe { Ok(ioctl::ioctl(&socket, Setter::<SIOCSIFFLAGS, _>::new(request))?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_kernels_size() {
        assert_eq!(size_of::<FlagsRequest>(), size_of::<libc::ifreq>());
    }
}
