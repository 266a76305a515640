//! Codecs of the packets that the kernel leaves to us: one protocol a file, each a checked view of
//! untrusted bytes. DNS messages are read by `hickory-proto`; `dhcproto` writes DHCP messages, but what servers
//! answer is read here.

pub mod ipv4;
pub mod options;
pub mod router_advertisement;
pub mod udp;

/// The internet checksum (RFC 1071) of several pieces, each of even length but the last.
fn checksum(pieces: &[&[u8]]) -> u16 {
    let words = pieces.iter().flat_map(|piece| piece.chunks(2));
    let sum = words.fold(0u32, |sum, word| {
        let high = u32::from(word.first().copied().unwrap_or(0));
        let low = u32::from(word.get(1).copied().unwrap_or(0));
        sum.wrapping_add(high << 8 | low)
    });
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}
