//! What a network card's driver says of itself (`SIOCETHTOOL`, linux/ethtool.h). Everything else that
//! ethtool knows comes by netlink.

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::{io, mem, os::fd::AsRawFd};

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 3;

/// `struct ethtool_drvinfo`
#[repr(C)]
#[derive(Clone, Copy)]
struct Raw {
    command: u32,
    driver: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    bus: [u8; 32],
    rom: [u8; 32],
    reserved: [u8; 12],
    private_flags: u32,
    statistics: u32,
    test: u32,
    eeprom: u32,
    registers: u32,
}

/// A driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Driver {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// That of the card's firmware.
    pub firmware: String,
    /// That of the card's option ROM.
    pub rom: String,
    /// Where the card is: `0000:00:03.0`.
    pub bus: String,
    /// Whether it has statistics, tests, an EEPROM, registers and flags of its own.
    pub has: [bool; 5],
}

/// Asks the driver of a link.
///
/// # Errors
/// `ENODEV` when there is no such link, `EOPNOTSUPP` when its driver says nothing.
pub fn driver(link: &str) -> io::Result<Driver> {
    let fd = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut raw = Raw {
        command: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        version: [0; 32],
        firmware: [0; 32],
        bus: [0; 32],
        rom: [0; 32],
        reserved: [0; 12],
        private_flags: 0,
        statistics: 0,
        test: 0,
        eeprom: 0,
        registers: 0,
    };
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays 0.
    if link.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(link.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut raw).cast();
    // SAFETY: `request` names a link with a NUL behind it and points to a structure of the kind that
    // the command writes; both outlive the call.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
    };
    Ok(Driver {
        name: text(&raw.driver),
        version: text(&raw.version),
        firmware: text(&raw.firmware),
        rom: text(&raw.rom),
        bus: text(&raw.bus),
        has: [raw.statistics, raw.test, raw.eeprom, raw.registers, raw.private_flags]
            .map(|n| n > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_is_the_kernels() {
        assert_eq!(mem::size_of::<Raw>(), 196);
    }

    #[test]
    fn links_without_a_driver_are_an_error() {
        let error = |link| driver(link).unwrap_err().raw_os_error();
        assert_eq!(error("nosuchlink"), Some(libc::ENODEV));
        assert_eq!(error("a-name-that-is-too-long"), Some(libc::ENODEV));
        assert_eq!(error("lo"), Some(libc::EOPNOTSUPP));
    }
}
