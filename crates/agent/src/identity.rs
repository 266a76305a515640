//! The machine's key: its identity, and the client certificate made of it.

use crate::layout::Layout;
use anyhow::{Context as _, bail};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};
use xenoboot_bundle::{SigningKey, sealed::OpeningKey};
use xenoboot_wire::MachineKey;
use zeroize::Zeroizing;

/// Largest key file that is read, bytes; an Ed25519 key has 48 or 83.
const MAX_KEY: u64 = 1024;

/// The machine's key with its certificate.
pub struct Identity {
    key: KeyPair,
    /// A certificate for it, signed by itself. Servers look at the key alone.
    pub certificate: CertificateDer<'static>,
    /// The public key.
    pub machine: MachineKey,
    /// Whether the key came with the image; otherwise it was made on this power-on.
    pub stamped: bool,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.machine)
    }
}

impl Identity {
    /// The key stamped into the image; else the one made on this power-on; else a new one, kept in
    /// memory (a tmpfs, mode 0600) so that an agent started again is the same machine.
    ///
    /// # Errors
    /// When a key file is there but is no Ed25519 key in PKCS#8 (RFC 8410), or a new one cannot be kept.
    pub fn load(layout: &Layout) -> anyhow::Result<Self> {
        let stamped = layout.site("machine.key");
        if let Some(key) = read(&stamped)? {
            return Self::new(key, true);
        }
        let made = layout.state("machine.key");
        if let Some(key) = read(&made)? {
            return Self::new(key, false);
        }
        let key = KeyPair::generate_for(&PKCS_ED25519).context("no key could be made")?;
        keep(&made, &Zeroizing::new(key.serialize_der()))
            .with_context(|| format!("{} cannot be written", made.display()))?;
        Self::new(key, false)
    }

    fn new(key: KeyPair, stamped: bool) -> anyhow::Result<Self> {
        let machine = MachineKey::try_from(key.public_key_raw())
            .context("the machine's key is no Ed25519 key")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, machine.fingerprint());
        let certificate = params.self_signed(&key).context("no certificate could be made")?;
        Ok(Self { certificate: certificate.der().clone(), key, machine, stamped })
    }

    /// The private key, for the TLS handshake.
    #[must_use]
    pub fn private_key(&self) -> PrivatePkcs8KeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der())
    }

    /// The private key, for signing what scripts report.
    ///
    /// # Errors
    /// Never for a key that was loaded.
    pub fn signing_key(&self) -> anyhow::Result<SigningKey> {
        let der = Zeroizing::new(self.key.serialize_der());
        Ok(SigningKey::from_pkcs8(&der)?)
    }

    /// The private key, for opening what was sealed for this machine.
    ///
    /// # Errors
    /// Never for a key that was loaded.
    pub fn opening_key(&self) -> anyhow::Result<OpeningKey> {
        let der = Zeroizing::new(self.key.serialize_der());
        Ok(OpeningKey::from_pkcs8(&der, self.machine)?)
    }

    /// The seed of the private key (RFC 8032), for the console's host key.
    ///
    /// # Errors
    /// Never for a key that was loaded.
    pub fn seed(&self) -> anyhow::Result<Zeroizing<[u8; 32]>> {
        let der = Zeroizing::new(self.key.serialize_der());
        // RFC 8410, section 7: version and algorithm have one length each, then an OCTET STRING in an OCTET STRING.
        let seed = der.get(12..48).and_then(|key| key.strip_prefix(&[0x04, 0x22, 0x04, 0x20]));
        let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed).ok());
        seed.map(Zeroizing::new).context("the machine's key is not in its usual form")
    }
}

fn read(path: &Path) -> anyhow::Result<Option<KeyPair>> {
    let named = || format!("machine key {}", path.display());
    match fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(named),
        Ok(meta) if meta.len() > MAX_KEY => bail!("{} is too large", named()),
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            log::warn!(
                "{} can be read by others (mode {:o})",
                named(),
                meta.permissions().mode() & 0o777
            );
        }
        Ok(_) => {}
    }
    let der = Zeroizing::new(fs::read(path).with_context(named)?);
    let der = PrivatePkcs8KeyDer::from(der.as_slice());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519)
        .with_context(|| format!("{} is no Ed25519 key in PKCS#8", named()))?;
    Ok(Some(key))
}

fn keep(path: &Path, der: &[u8]) -> std::io::Result<()> {
    // Under another name first: an agent killed here must not leave half a key.
    let half = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    file.write_all(der)?;
    fs::rename(half, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generic_image_makes_a_key_once() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(Some(dir.path().into()));
        layout.prepare().unwrap();
        let first = Identity::load(&layout).unwrap();
        assert!(!first.stamped);
        assert_eq!(Identity::load(&layout).unwrap().machine, first.machine);
        let mode = fs::metadata(layout.state("machine.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{first:?}").contains("key"));
    }

    #[test]
    fn a_stamped_key_wins_and_a_broken_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(Some(dir.path().into()));
        layout.prepare().unwrap();
        let made = Identity::load(&layout).unwrap().machine;
        fs::create_dir_all(layout.site("")).unwrap();
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        fs::write(layout.site("machine.key"), key.serialize_der()).unwrap();
        let stamped = Identity::load(&layout).unwrap();
        assert!(stamped.stamped && stamped.machine != made);
        for bad in [&b""[..], b"garbage", &[0; 2000], &KeyPair::generate().unwrap().serialize_der()]
        {
            fs::write(layout.site("machine.key"), bad).unwrap();
            assert!(Identity::load(&layout).is_err());
        }
    }
}
