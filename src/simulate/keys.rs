//! Machines' keys: as many as there shall be, from one text.

use anyhow::Context;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use xenoboot_wire::MachineKey;

/// A private key in PKCS#8 (RFC 8410, section 7) up to the seed.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A machine's key with its certificate.
pub(super) struct Identity {
    /// From 0 on.
    pub(super) number: u32,
    /// The public key.
    pub(super) key: MachineKey,
    /// Signed by itself; servers look at the key alone.
    pub(super) certificate: CertificateDer<'static>,
    /// The private key.
    pub(super) private: PrivatePkcs8KeyDer<'static>,
}

/// The first `count` machines of `seed`.
pub(super) fn of_seed(seed: &str, count: u32) -> anyhow::Result<Vec<Identity>> {
    (0..count).map(|number| identity(seed, number).context("no key can be made")).collect()
}

fn identity(seed: &str, number: u32) -> anyhow::Result<Identity> {
    let secret = digest(&SHA256, format!("xenoboot simulate\0{seed}\0{number}").as_bytes());
    let der = [&PKCS8[..], secret.as_ref()].concat();
    let private = PrivatePkcs8KeyDer::from(der);
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&private, &PKCS_ED25519)?;
    let key = MachineKey::try_from(pair.public_key_raw())?;
    let certificate = CertificateParams::default().self_signed(&pair)?.der().clone();
    Ok(Identity { number, key, certificate, private })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_machines_and_another_others() {
        let keys = |seed| -> anyhow::Result<Vec<MachineKey>> {
            Ok(of_seed(seed, 3)?.iter().map(|identity| identity.key).collect())
        };
        let (first, again, other) = (keys("a").ok(), keys("a").ok(), keys("b").ok());
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert!(first.is_some_and(|keys| keys.len() == 3 && keys.first() != keys.last()));
    }
}
