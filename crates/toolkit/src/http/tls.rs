//! Whom to trust, and the handshake.

use super::{
    Error,
    stream::{Stream, Wire},
};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, OtherError,
    RootCertStore, SignatureScheme, StreamOwned,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use std::{path::PathBuf, sync::Arc};

/// SHA-256 of a SubjectPublicKeyInfo (RFC 7469, section 2.4).
pub(crate) type Pin = [u8; 32];

/// Whose certificates count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Those that browsers trust.
    #[default]
    Public,
    /// Those in a file (PEM).
    File(PathBuf),
    /// Nobody's are looked at.
    None,
}

/// What a server must show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// Its certificate, name and dates.
    pub(crate) roots: Roots,
    /// Its key; any, when there is none.
    pub(crate) pins: Vec<Pin>,
}

/// Reads `sha256//BASE64[;sha256//BASE64]...`.
pub(crate) fn parse_pins(text: &str) -> Option<Vec<Pin>> {
    text.split(';').map(|pin| base64_32(pin.strip_prefix("sha256//")?)).collect()
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// 32 bytes in base64: 43 letters and `=`.
fn base64_32(text: &str) -> Option<Pin> {
    let letters = text.strip_suffix('=').filter(|letters| letters.len() == 43)?;
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(32), 0_u32, 0);
    for letter in letters.bytes() {
        let value = LETTERS.iter().position(|l| *l == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    // The two bits that are left over mean nothing, so only one way to write them is taken.
    (bits & 3 == 0).then(|| bytes.try_into().ok()).flatten()
}

/// Base64 with `=` (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    let letter =
        |bits: u32| LETTERS.get((bits & 63) as usize).map_or('A', |letter| char::from(*letter));
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |n: usize| u32::from(group.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        text.extend([letter(bits >> 18), letter(bits >> 12)]);
        text.push(if group.len() > 1 { letter(bits >> 6) } else { '=' });
        text.push(if group.len() > 2 { letter(bits) } else { '=' });
    }
    text
}

/// The server has none of the keys wanted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongPin(String);

#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    pins: Vec<Pin>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(chain) = &self.chain {
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        }
        if !self.pins.is_empty() {
            let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
            let digest = ::ring::digest::digest(&::ring::digest::SHA256, key.as_ref());
            if !self.pins.iter().any(|pin| pin == digest.as_ref()) {
                let wrong = WrongPin(base64(digest.as_ref()));
                return Err(CertificateError::Other(OtherError(Arc::new(wrong))).into());
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn store(trust: &Trust) -> Result<Option<RootCertStore>, Error> {
    let mut store = RootCertStore::empty();
    match &trust.roots {
        Roots::None => return Ok(None),
        Roots::Public => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::File(path) => {
            let shown = path.display();
            let wrong = |why: String| {
                Error::Roots(format!("error setting certificate verify locations: {shown}: {why}"))
            };
            let found = CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
                store.add(certificate).map_err(|e| wrong(e.to_string()))?;
            }
            if store.is_empty() {
                return Err(wrong("no certificate in it".to_owned()));
            }
        }
    }
    Ok(Some(store))
}

fn config(trust: &Trust) -> Result<ClientConfig, Error> {
    let tls = |error: &dyn std::error::Error| Error::Tls(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let chain = match store(trust)? {
        None => None,
        Some(store) => {
            let builder =
                WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider));
            Some(builder.build().map_err(|e| tls(&e))?)
        }
    };
    let verifier = Verifier { chain, pins: trust.pins.clone(), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| tls(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Makes the handshake with a server of a name.
pub(crate) fn handshake(wire: Wire, host: &str, trust: &Trust) -> Result<Stream, Error> {
    let host = host.split('%').next().unwrap_or(host).trim_end_matches('.');
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Error::Tls(format!("{host} cannot be the name of a server")))?;
    let connection = ClientConnection::new(Arc::new(config(trust)?), name)
        .map_err(|error| Error::Tls(error.to_string()))?;
    let mut stream = StreamOwned::new(connection, wire);
    while stream.conn.is_handshaking() {
        if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
            return Err(explain(&error));
        }
    }
    Ok(Stream::Tls(Box::new(stream)))
}

fn explain(error: &std::io::Error) -> Error {
    use rustls::Error as Tls;
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
        Some(Tls::InvalidCertificate(CertificateError::Other(OtherError(other))))
            if other.is::<WrongPin>() =>
        {
            Error::Pin(other.to_string())
        }
        Some(Tls::InvalidCertificate(problem)) => Error::Certificate(problem.to_string()),
        Some(Tls::InvalidMessage(_)) => Error::Tls("the server does not speak TLS".to_owned()),
        Some(other) => Error::Tls(other.to_string()),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::Tls("the server ended the handshake".to_owned())
        }
        None => match error.kind() {
            std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => {
                Error::Timeout("TLS handshake")
            }
            _ => Error::Tls(crate::applet::reason(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pins_are_strict() {
        let good = format!("sha256//{}", base64(&[7; 32]));
        assert_eq!(parse_pins(&good), Some(vec![[7; 32]]));
        assert_eq!(parse_pins(&format!("{good};{good}")).map(|pins| pins.len()), Some(2));
        for bad in ["", "sha256//", "sha256//AAAA", "sha1//AAAA", &good.replace("//", "/")] {
            assert_eq!(parse_pins(bad), None, "{bad}");
        }
        assert_eq!(base64(b"user:pass"), "dXNlcjpwYXNz");
        assert_eq!(base64(b"a"), "YQ==");
    }

    proptest! {
        #[test]
        fn pins_come_back(pin: [u8; 32], text in "[A-Za-z0-9+/]{43}=") {
            prop_assert_eq!(base64_32(&base64(&pin)), Some(pin));
            if let Some(pin) = base64_32(&text) {
                prop_assert_eq!(base64(&pin), text);
            }
        }
    }
}
