//! Who may log in: the operators of the image's trust file, and those of the last signed bundle that named some.

use crate::{layout::Layout, settings};
use russh::keys::{
    Certificate, PublicKey,
    ssh_key::{HashAlg, certificate::CertType},
};
use std::{fs, io::Read as _, path::Path};
use xenoboot_site::{Operator, Role};

/// Largest file of operators that is read, bytes.
const MAX_FILE: u64 = xenoboot_site::MAX_FILE as u64;

/// Where the operators of a bundle are kept; also the file's name in the bundle.
pub(super) const FILE: &str = "operators";

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) terminal: bool,
    pub(super) forwarding: bool,
}

/// An operator who has proved who he is.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The name by which the image or bundle knows him, or `NAME (by AUTHORITY)`.
    pub(super) name: String,
    /// His key's fingerprint, as `ssh-keygen -l` prints it.
    pub(super) key: String,
    pub(super) rights: Rights,
}

/// Reads them. A bundle's file that is not understood lets nobody in, and keeps out nobody of the image's.
pub(super) fn load(layout: &Layout) -> anyhow::Result<Vec<Operator>> {
    let mut operators = settings::trust_file(layout)?.operators;
    let path = layout.state(FILE);
    match fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => super::say(&format!("failed {}: {e}", path.display())),
        Ok(text) => match xenoboot_site::parse_authorized(&text) {
            Ok(more) => operators.extend(more),
            Err(e) => super::say(&format!("failed the bundle's {FILE}: {e}")),
        },
    }
    Ok(operators)
}

/// Takes over the operators that a bundle names, verified and unpacked in `bundle`, until the power goes or another one
/// names some. Whether it names any.
///
/// # Errors
/// When they are not understood, or cannot be kept.
pub fn adopt(layout: &Layout, bundle: &Path) -> anyhow::Result<bool> {
    let named = bundle.join(FILE);
    if !named.is_file() {
        return Ok(false);
    }
    let mut text = String::new();
    fs::File::open(named)?.take(MAX_FILE).read_to_string(&mut text)?;
    xenoboot_site::parse_authorized(&text).map_err(anyhow::Error::msg)?;
    let kept = layout.state(FILE);
    // Under another name first: a session that begins now must not see half of it.
    let half = kept.with_extension("new");
    fs::write(&half, text)?;
    fs::rename(half, kept)?;
    Ok(true)
}

fn is(key: &PublicKey, known: &Operator) -> bool {
    key.to_bytes().is_ok_and(|blob| blob == known.key().blob())
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Whether it is worth to prove that one has `key`: it is an operator's, or a certificate may come with it.
pub(super) fn may_be(operators: &[Operator], key: &PublicKey) -> bool {
    operators.iter().any(|o| is(key, o) || matches!(o.role, Role::Authority { .. }))
}

/// The operator whose key it is.
pub(super) fn by_key(operators: &[Operator], key: &PublicKey) -> Option<Known> {
    let mine = |o: &&Operator| matches!(o.role, Role::Key(_)) && is(key, o);
    operators.iter().find(mine).map(|o| Known {
        name: o.name.clone(),
        key: fingerprint(key),
        rights: Rights { terminal: true, forwarding: true },
    })
}

/// The operator for whom an authority vouches. The library has checked that the certificate is valid at this time, which
/// is the server's, and signed by the key that it names. Restrictions that we do not know are not let through.
pub(super) fn by_certificate(operators: &[Operator], certificate: &Certificate) -> Option<Known> {
    let signer = PublicKey::from(certificate.signature_key().clone());
    let principals = certificate.valid_principals();
    let vouches = |o: &&Operator| match &o.role {
        Role::Authority { principals: wanted, .. } => {
            is(&signer, o) && principals.iter().any(|p| wanted.contains(p))
        }
        Role::Key(_) => false,
    };
    let authority = operators.iter().find(vouches)?;
    let plain =
        certificate.cert_type() == CertType::User && certificate.critical_options().is_empty();
    let may = |what: &str| certificate.extensions().iter().any(|(name, _)| name == what);
    plain.then(|| Known {
        name: format!("{} (by {})", crate::text::ascii(certificate.key_id()), authority.name),
        key: fingerprint(&PublicKey::from(certificate.public_key().clone())),
        rights: Rights { terminal: may("permit-pty"), forwarding: may("permit-port-forwarding") },
    })
}
