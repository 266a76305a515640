//! TLS 1.3 with our own key, and with the machine's key as its identity.
//!
//! A client may show any self-signed Ed25519 certificate: it proves that the client has that key, and nothing
//! else. Names, dates and issuers are not looked at. What a key may have is decided by the machine's state.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName as TlsName, Error, PeerMisbehaved,
    ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime, pem::PemObject},
    server::{
        ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};
use std::sync::Arc;
use xenoboot_wire::{MachineKey, Pin};

/// ALPN of HTTP/2.
pub(crate) const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// A SubjectPublicKeyInfo of Ed25519 up to the key itself (RFC 8410, section 4): there is no other encoding.
const ED25519_SPKI: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// TLS cannot be set up with the server's key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error("no certificate can be made")]
    Certificate(#[from] rcgen::Error),
    #[error("web.pem does not hold a private key and its certificates")]
    Web,
    #[error("TLS cannot be set up")]
    Tls(#[from] Error),
}

/// A certificate for browsers, self-signed and made once, and its key: PEM.
pub(crate) fn web_identity() -> Result<String, rcgen::Error> {
    // Browsers do not know Ed25519.
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = named()?.self_signed(&key)?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
}

fn named() -> Result<CertificateParams, rcgen::Error> {
    // From 1975 to 4096, rcgen's own bounds: whoever checks the pin does not look at them.
    let mut params = CertificateParams::new(vec!["xenoboot".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "xenoboot");
    Ok(params)
}

/// Reads what [`web_identity`] makes, or what an authority gave: a key, and its certificate with those it stands on.
fn read_web(pem: &str) -> Result<CertifiedKey, SetupError> {
    let bad = |_| SetupError::Web;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(bad)?;
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes());
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(bad)?;
    Ok(CertifiedKey::from_der(chain, key, &ring::default_provider())?)
}

/// Machines and operators' commands know the server by its own key; browsers, which cannot use that, get the other.
#[derive(Debug)]
struct Identities {
    own: Arc<CertifiedKey>,
    web: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let own = hello.signature_schemes().contains(&SignatureScheme::ED25519);
        Some(Arc::clone(if own { &self.own } else { &self.web }))
    }
}

/// A certificate of the server's own key, and the key, for either side.
pub(crate) fn identity(
    key: &KeyPair,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), SetupError> {
    let certificate = named()?.self_signed(key)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((vec![certificate.der().clone()], private))
}

/// The server's side, and the pin by which it is known. `web`: the key and certificates for browsers, PEM.
pub(crate) fn server_config(key: &KeyPair, web: &str) -> Result<(ServerConfig, Pin), SetupError> {
    let (chain, private) = identity(key)?;
    let own = CertifiedKey::from_der(chain, private, &ring::default_provider())?;
    let identities = Identities { own: Arc::new(own), web: Arc::new(read_web(web)?) };
    let verifier =
        AnyMachine { algorithms: ring::default_provider().signature_verification_algorithms };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(identities));
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    // Connections last for hours: no tickets, which would be one more secret, and no state of them.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok((config, Pin::of_spki(&key.subject_public_key_info())))
}

/// The key of a client's certificate.
pub(crate) fn machine_key(certificate: &CertificateDer<'_>) -> Result<MachineKey, Error> {
    let spki = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    let key = spki.as_ref().strip_prefix(&ED25519_SPKI);
    let key = key.and_then(|raw| MachineKey::try_from(raw).ok());
    key.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
}

/// Accepts any Ed25519 key, and checks that the client has it.
#[derive(Debug)]
struct AnyMachine {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyMachine {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[TlsName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !intermediates.is_empty() {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        }
        machine_key(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if dss.scheme != SignatureScheme::ED25519 {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let spki = ParsedCertificate::try_from(cert)?.subject_public_key_info();
        verify_tls13_signature_with_raw_key(message, &spki, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::PKCS_ED25519;

    #[test]
    fn only_ed25519_is_a_machine() {
        let certificate = |algorithm| {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let der = CertificateParams::default().self_signed(&key).unwrap().der().clone();
            (key, der)
        };
        let (key, der) = certificate(&PKCS_ED25519);
        assert_eq!(machine_key(&der).unwrap().as_bytes(), key.public_key_raw());
        let (_, der) = certificate(&PKCS_ECDSA_P256_SHA256);
        assert!(machine_key(&der).is_err());
        assert!(machine_key(&CertificateDer::from(vec![1, 2, 3])).is_err());
    }
}
