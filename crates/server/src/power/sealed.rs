//! Passwords at rest: encrypted with a key that is in the server's folder and not in its database, so that a copy of
//! the database opens nothing. And what a browser keeps for us meanwhile, so that it neither reads nor changes it.

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    hmac,
    rand::{SecureRandom, SystemRandom},
};

/// Encrypts and decrypts settings.
pub(crate) struct Sealer {
    key: LessSafeKey,
    parent: hmac::Key,
}

impl Sealer {
    /// `key`: 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Result<Self, Unspecified> {
        let parent = hmac::Key::new(hmac::HMAC_SHA256, key);
        Ok(Self { key: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key)?), parent })
    }

    /// One with another key, made of this one's: what either seals the other does not open.
    pub(crate) fn derive(&self, purpose: &str) -> Result<Self, Unspecified> {
        Self::new(hmac::sign(&self.parent, purpose.as_bytes()).as_ref())
    }

    /// Encrypts, with a number bound in of what the text belongs to, such as a machine's; hexadecimal, the nonce first.
    pub(crate) fn seal(&self, number: i64, text: &[u8]) -> Result<String, Unspecified> {
        // Of 96 random bits: even some million texts hardly see one twice.
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce)?;
        let mut bytes = text.to_vec();
        let bound = Aad::from(number.to_be_bytes());
        let nonce_once = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce_once, bound, &mut bytes)?;
        Ok(nonce.iter().chain(&bytes).map(|b| format!("{b:02x}")).collect())
    }

    /// Decrypts what was sealed with this number.
    pub(crate) fn open(&self, number: i64, sealed: &str) -> Option<Vec<u8>> {
        let mut bytes = from_hex(sealed)?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let bound = Aad::from(number.to_be_bytes());
        self.key.open_in_place(nonce, bound, text).ok().map(|text| text.to_vec())
    }
}

/// Reads hexadecimal.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| u8::try_from(digit(high)? << 4 | digit(low)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_that_machine_with_that_key_alone() {
        let sealer = Sealer::new(&[7; 32]).unwrap();
        let sealed = sealer.seal(5, b"password").unwrap();
        assert!(!sealed.contains("70617373"), "it is encrypted");
        assert_ne!(sealer.seal(5, b"password").unwrap(), sealed, "each has a nonce of its own");
        assert_eq!(sealer.open(5, &sealed).unwrap(), b"password");
        assert!(sealer.open(6, &sealed).is_none(), "another machine's");
        assert!(Sealer::new(&[8; 32]).unwrap().open(5, &sealed).is_none(), "another key");
        let derived = sealer.derive("another purpose").unwrap();
        assert!(derived.open(5, &sealed).is_none(), "another purpose");
        let again = sealer.derive("another purpose").unwrap();
        assert_eq!(again.open(5, &derived.seal(5, b"x").unwrap()).unwrap(), b"x");
        let mut damaged = sealed.clone().into_bytes();
        damaged[30] = if damaged[30] == b'0' { b'1' } else { b'0' };
        assert!(sealer.open(5, std::str::from_utf8(&damaged).unwrap()).is_none());
        for bad in ["", "0", "00", "zz", &sealed[..20]] {
            assert!(sealer.open(5, bad).is_none(), "{bad}");
        }
    }
}
