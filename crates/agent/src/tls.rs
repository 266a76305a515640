//! TLS 1.3 to a server that is known by its key alone.
//!
//! The SHA-256 of the certificate's SubjectPublicKeyInfo must be pinned, and the handshake must be signed
//! with that key. Names, dates and issuers in the certificate are not consulted: they prove nothing to
//! a machine whose clock may be wrong and whose name service may lie.

use crate::{failure::Failure, identity::Identity};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
    version::TLS13,
};
use std::sync::Arc;
use xenoboot_wire::{Code, Pin};

/// What is spoken after the handshake.
pub const ALPN: &[u8] = b"h2";

/// The client side for a server with any of these pins.
///
/// # Errors
/// When the machine's key does not fit its certificate.
pub fn client_config(identity: &Identity, pins: &[Pin]) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Pinned { pins: pins.to_vec(), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(vec![identity.certificate.clone()], identity.private_key().into())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // One connection lasts for hours: a ticket would save nothing, and be one more secret to keep.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Accepts a certificate for its key.
#[derive(Debug)]
struct Pinned {
    pins: Vec<Pin>,
    provider: Arc<CryptoProvider>,
}

/// The server has a key that is not pinned.
#[derive(Debug, thiserror::Error)]
#[error("its key is {0}")]
struct WrongPin(Pin);

fn spki(
    certificate: &CertificateDer<'_>,
) -> Result<rustls::pki_types::SubjectPublicKeyInfoDer<'static>, Error> {
    Ok(ParsedCertificate::try_from(certificate)?.subject_public_key_info())
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pin = Pin::of_spki(spki(end_entity)?.as_ref());
        if self.pins.contains(&pin) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::Other(OtherError(Arc::new(WrongPin(pin)))).into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &spki(cert)?, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a failed handshake means, for people. `server` names the server and its address.
#[must_use]
pub fn explain(server: &str, error: &std::io::Error) -> Failure {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(CertificateError::Other(OtherError(other))))
            if other.is::<WrongPin>() =>
        {
            Failure::new(
                Code::WrongPin,
                format!("{server}: {other}, which the image does not have pinned"),
            )
        }
        Some(Error::InvalidMessage(_)) => {
            Failure::new(Code::TlsFailed, format!("{server} does not answer in TLS: {error}"))
        }
        Some(other) => Failure::new(Code::TlsFailed, format!("{server}: {other}")),
        None => Failure::new(Code::TlsFailed, format!("{server} ended the TLS handshake: {error}")),
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
