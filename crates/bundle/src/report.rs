//! Reports that a machine has signed with its identity key, so that what is kept of them, at a server or elsewhere, can
//! be held against the machine's key later. `docs/PROTOCOL.md` specifies the bytes.

use crate::SigningKey;
use ring::signature::{ED25519, UnparsedPublicKey};
use xenoboot_wire::{Digest, MachineKey, RunId};

/// Separates these signatures from every other use of the key.
const DOMAIN: &[u8] = b"xenoboot report\0";

/// A report's signature is reported too, under the report's key and this.
pub const SUFFIX: &str = ".sig";

/// The longest key of a report that can be signed, bytes: with [`SUFFIX`] it is still a report's key.
pub const MAX_KEY: usize = 60;

/// What is signed: who reads it later knows which run of which bundle said so.
#[derive(Clone, Copy, Debug)]
pub struct SignedReport<'a> {
    /// The run.
    pub run: RunId,
    /// The bundle that ran.
    pub bundle: Digest,
    /// The report's key, at most [`MAX_KEY`] bytes.
    pub key: &'a str,
    /// What is reported.
    pub value: &'a str,
}

/// The signature is not the machine's, or not of this report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not that of the machine's key over this report")]
pub struct WrongSignature;

impl SignedReport<'_> {
    /// The machine's signature.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> [u8; 64] {
        key.sign(&self.message())
    }

    /// Whether `signature` is the one that `machine` makes.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, machine: MachineKey, signature: &[u8]) -> Result<(), WrongSignature> {
        let key = UnparsedPublicKey::new(&ED25519, machine.as_bytes());
        key.verify(&self.message(), signature).map_err(|_| WrongSignature)
    }

    /// The key's length stands before it: the same bytes are never two reports.
    fn message(&self) -> Vec<u8> {
        let length = u8::try_from(self.key.len()).unwrap_or(u8::MAX);
        let (key, value) = (self.key.as_bytes(), self.value.as_bytes());
        [DOMAIN, self.run.as_bytes(), self.bundle.as_bytes(), &[length], key, value].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: SignedReport<'_> = SignedReport {
        run: RunId([3; 16]),
        bundle: Digest([4; 32]),
        key: "disk1",
        value: "serial=A1 method=discard",
    };

    #[test]
    fn a_report_is_known_by_its_machine_run_bundle_key_and_value() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let machine = MachineKey(key.public());
        let signature = REPORT.sign(&key);
        assert_eq!(REPORT.verify(machine, &signature), Ok(()));
        let other = MachineKey(SigningKey::from_seed(&[8; 32]).unwrap().public());
        assert_eq!(REPORT.verify(other, &signature), Err(WrongSignature));
        for changed in [
            SignedReport { run: RunId([5; 16]), ..REPORT },
            SignedReport { bundle: Digest([5; 32]), ..REPORT },
            SignedReport { key: "disk2", ..REPORT },
            SignedReport { value: "serial=A2 method=discard", ..REPORT },
            // The boundary between key and value is signed, too.
            SignedReport { key: "disk", value: "1serial=A1 method=discard", ..REPORT },
        ] {
            assert_eq!(changed.verify(machine, &signature), Err(WrongSignature), "{changed:?}");
        }
        for length in 0..64 {
            assert!(REPORT.verify(machine, &signature[..length]).is_err());
        }
    }
}
