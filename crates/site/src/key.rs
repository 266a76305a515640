//! Ed25519 public keys as text: 44 characters of base 64 (RFC 4648, section 4).

use serde::Deserialize;

/// A public key as it stands in a file.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PublicKey(pub(crate) [u8; 32]);

/// Encodings of points of small order (the sign bit cleared), for which anyone can make signatures:
/// 0, 1, the two of order 8, and p-1, p, p+1, where p = 2^255 - 19.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    with_ends(1, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    with_ends(0xec, 0xff, 0x7f),
    with_ends(0xed, 0xff, 0x7f),
    with_ends(0xee, 0xff, 0x7f),
];

const fn with_ends(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut key = [between; 32];
    key[0] = first;
    key[31] = last;
    key
}

impl TryFrom<String> for PublicKey {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        // wire's pins are 32 bytes in the same spelling, with its one canonical form.
        let pin: xenoboot_wire::Pin = format!("sha256//{text}").parse().map_err(|_| {
            format!(
                "`{}` is not a key, expected 44 characters of base 64: an Ed25519 public key",
                text.escape_debug()
            )
        })?;
        if small_order(pin.0.0) {
            return Err("this key is of small order, for which anyone can sign".to_owned());
        }
        Ok(Self(pin.0.0))
    }
}

/// Whether it is a key for which anyone can make signatures.
pub(crate) fn small_order(mut key: [u8; 32]) -> bool {
    if let Some(last) = key.last_mut() {
        *last &= 0x7f;
    }
    SMALL_ORDER.contains(&key)
}

/// Parses a public key.
///
/// # Errors
/// When it is not 44 characters of base 64, or a key for which anyone can sign; says what was expected.
pub fn parse(text: &str) -> Result<[u8; 32], String> {
    PublicKey::try_from(text.to_owned()).map(|key| key.0)
}

/// The key as text.
#[must_use]
pub fn show(key: [u8; 32]) -> String {
    let pin = xenoboot_wire::Pin(xenoboot_wire::Digest(key)).to_string();
    pin.trim_start_matches("sha256//").to_owned()
}
