//! Identifiers: fixed-size byte strings, each a type of its own, shown as text a person can compare.

use ring::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// The text is not an identifier of the kind that was expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not {what}: expected {expected}")]
pub struct InvalidId {
    what: &'static str,
    expected: &'static str,
}

/// Declares an identifier of `$n` bytes: a CBOR byte string on the wire, lower-case hex as text
/// (and in human-readable formats).
macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $n:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $n]);

        impl $name {
            /// The bytes as a slice.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                unhex(text).map(Self).ok_or(InvalidId {
                    what: $what,
                    expected: concat!($n, " bytes as lower-case hexadecimal"),
                })
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = InvalidId;
            fn try_from(bytes: &[u8]) -> Result<Self, InvalidId> {
                bytes.try_into().map(Self).map_err(|_| InvalidId {
                    what: $what,
                    expected: concat!($n, " bytes"),
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { s.serialize_bytes(&self.0) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "{}", $what)
                    }
                    fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<$name, E> {
                        $name::try_from(v).map_err(E::custom)
                    }
                    fn visit_str<E: de::Error>(self, v: &str) -> Result<$name, E> {
                        v.parse().map_err(E::custom)
                    }
                }
                if d.is_human_readable() { d.deserialize_str(Visitor) } else { d.deserialize_bytes(Visitor) }
            }
        }
    };
}

hex_id!(
    /// A SHA-256 digest (FIPS 180-4): names a blob or a bundle by its content.
    Digest, 32, "a SHA-256 digest"
);
hex_id!(
    /// A fleet: all machines under one set of signers. Random, made by `xenoboot fleet new`.
    FleetId, 16, "a fleet id"
);
hex_id!(
    /// A machine's Ed25519 public key (RFC 8032): the machine's identity.
    MachineKey, 32, "a machine key"
);
hex_id!(
    /// One power-on of a machine: the kernel's boot id.
    BootId, 16, "a boot id"
);
hex_id!(
    /// One execution of a bundle on a machine; chosen at random by the machine.
    RunId, 16, "a run id"
);
hex_id!(
    /// Fresh random bytes that an answer must repeat.
    Nonce, 32, "a nonce"
);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(out)
    }
}

impl MachineKey {
    /// What a person compares: 100 bits of the key's SHA-256 in Crockford's base 32, in groups of
    /// four, such as `7ZQ4-0M3K-V9RB-22TC-HX5E`. Letters and digits only, because remote consoles
    /// scramble anything else, and none that are mistaken for another (I, L, O, U).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let hash = Digest::of(&self.0);
        let bit = |i: usize| hash.0.get(i / 8).is_some_and(|b| b & (0x80 >> (i % 8)) != 0);
        let mut out = String::with_capacity(24);
        for symbol in 0..20 {
            if symbol > 0 && symbol % 4 == 0 {
                out.push('-');
            }
            let index = (0..5).fold(0usize, |n, i| n << 1 | usize::from(bit(symbol * 5 + i)));
            out.push(char::from(*ALPHABET.get(index).unwrap_or(&b'0')));
        }
        out
    }
}

/// The SHA-256 of a server's SubjectPublicKeyInfo (RFC 7469, section 2.4), written `sha256//BASE64`
/// as in curl's `--pinnedpubkey`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin(pub Digest);

impl Pin {
    /// The pin of a DER-encoded SubjectPublicKeyInfo.
    #[must_use]
    pub fn of_spki(spki: &[u8]) -> Self {
        Self(Digest::of(spki))
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256//")?;
        for chunk in self.0.0.chunks(3) {
            let byte = |i| u32::from(chunk.get(i).copied().unwrap_or(0));
            let word = byte(0) << 16 | byte(1) << 8 | byte(2);
            for i in 0..4 {
                let symbol = BASE64.get((word >> (18 - 6 * i)) as usize & 63).copied();
                let shown = if i <= chunk.len() { symbol.unwrap_or(b'=') } else { b'=' };
                fmt::Write::write_char(f, char::from(shown))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl FromStr for Pin {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId {
            what: "a pin",
            expected: "sha256// and 44 characters of base 64, as curl's --pinnedpubkey takes it",
        };
        let parse = || {
            let body = text.strip_prefix("sha256//")?.strip_suffix('=')?;
            let mut out = [0u8; 32];
            let (mut bits, mut held, mut at) = (0u32, 0, 0);
            for symbol in body.bytes() {
                let value = BASE64.iter().position(|b| *b == symbol)?;
                bits = bits << 6 | u32::try_from(value).ok()?;
                held += 6;
                if held >= 8 {
                    held -= 8;
                    *out.get_mut(at)? = (bits >> held) as u8;
                    at += 1;
                }
            }
            let pin = Self(Digest(out));
            // Only the canonical spelling: one pin has one text.
            (at == 32 && pin.to_string() == text).then_some(pin)
        };
        parse().ok_or(invalid)
    }
}

impl Serialize for Pin {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_one_text() {
        // printf '' | openssl dgst -sha256 -binary | base64
        let text = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let pin = Pin::of_spki(b"");
        assert_eq!(pin.to_string(), text);
        assert_eq!(text.parse(), Ok(pin));
        // The last symbol carries two unused bits: another spelling of the same bytes is refused.
        for bad in [&text.replace("FU=", "FV="), &text[8..], "sha256//", &text.replace('=', "")] {
            assert!(bad.parse::<Pin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fingerprint_is_readable() {
        let shown = MachineKey([7; 32]).fingerprint();
        assert_eq!(shown.len(), 24);
        assert!(shown.bytes().all(|b| b == b'-' || b.is_ascii_digit() || b.is_ascii_uppercase()));
        assert_ne!(shown, MachineKey([8; 32]).fingerprint());
    }

    #[test]
    fn hex_is_strict() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err());
        assert!("ab".parse::<Digest>().is_err());
    }
}
