//! Passwords at rest: encrypted with a key that is in the server's folder and not in its database, so that a copy of
//! the database opens nothing.

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    rand::{SecureRandom, SystemRandom},
};

/// Encrypts and decrypts settings.
pub(crate) struct Sealer(LessSafeKey);

impl Sealer {
    /// `key`: 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Result<Self, Unspecified> {
        Ok(Self(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key)?)))
    }

    /// Encrypts for a machine, whose number is bound in; hexadecimal, the nonce first.
    pub(crate) fn seal(&self, machine: i64, text: &[u8]) -> Result<String, Unspecified> {
        // Of 96 random bits: some thousand settings never see one twice.
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce)?;
        let mut bytes = text.to_vec();
        let bound = Aad::from(machine.to_be_bytes());
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut bytes)?;
        Ok(nonce.iter().chain(&bytes).map(|b| format!("{b:02x}")).collect())
    }

    /// Decrypts what was sealed for this machine.
    pub(crate) fn open(&self, machine: i64, sealed: &str) -> Option<Vec<u8>> {
        let mut bytes = from_hex(sealed)?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let bound = Aad::from(machine.to_be_bytes());
        self.0.open_in_place(nonce, bound, text).ok().map(|text| text.to_vec())
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
        let mut damaged = sealed.clone().into_bytes();
        damaged[30] = if damaged[30] == b'0' { b'1' } else { b'0' };
        assert!(sealer.open(5, std::str::from_utf8(&damaged).unwrap()).is_none());
        for bad in ["", "0", "00", "zz", &sealed[..20]] {
            assert!(sealer.open(5, bad).is_none(), "{bad}");
        }
    }
}
