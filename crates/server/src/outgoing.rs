//! Asking other people's servers: one request over HTTP/1.1, with or without TLS.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, OtherError,
    RootCertStore, SignatureScheme, WantsVerifier,
    client::WantsClientCert,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use xenoboot_wire::Pin;

/// Largest answer, bytes.
const MAX_ANSWER: usize = 1 << 20;

/// It did not work.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// An error with all its causes.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// By what a server of `https` is known.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// A certificate of a public authority.
    Public,
    /// A certificate of one of these authorities.
    Authorities(Arc<RootCertStore>),
    /// Its key.
    Pin(Pin),
}

impl From<Option<Pin>> for Trust {
    fn from(pin: Option<Pin>) -> Self {
        pin.map_or(Self::Public, Self::Pin)
    }
}

/// Asks, of whoever is at the request's URL. No redirects are followed.
pub(crate) async fn ask(
    mut request: Request<Full<Bytes>>,
    trust: impl Into<Trust>,
) -> Result<Answer, Error> {
    let trust = trust.into();
    let uri = request.uri().clone();
    let host = uri.host().ok_or("no host")?.to_owned();
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let authority = uri.authority().map_or(host.as_str(), |authority| authority.as_str());
    // Whoever is in a URL is not part of its host.
    let authority = authority.rsplit('@').next().unwrap_or(authority).parse()?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>()?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, authority);
    let agent = concat!("xenoboot/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, header::HeaderValue::from_static(agent));
    let stream = TcpStream::connect((name.as_str(), port)).await?;
    if secure {
        let server = ServerName::try_from(name)?;
        let tls = TlsConnector::from(Arc::new(tls(trust)?));
        exchange(tls.connect(server, stream).await?, request).await
    } else {
        exchange(stream, request).await
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with this function: there is one request.
    let connection = tokio::spawn(connection);
    let answer = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
        Ok(Answer { status: parts.status, body })
    };
    let answer = answer.await;
    connection.abort();
    answer
}

/// How a server is known.
pub(crate) fn tls(trust: impl Into<Trust>) -> Result<ClientConfig, rustls::Error> {
    let builder = match trust.into() {
        Trust::Public => builder()?.with_root_certificates(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        }),
        Trust::Authorities(roots) => builder()?.with_root_certificates(roots),
        Trust::Pin(pin) => pinned(pin)?,
    };
    Ok(builder.with_no_client_auth())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
}

/// The client's side, for a server that is known by its key.
pub(crate) fn pinned(
    pin: Pin,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let pinned = Arc::new(Pinned { pin, algorithms });
    Ok(builder()?.dangerous().with_custom_certificate_verifier(pinned))
}

/// A server that is known by its key.
#[derive(Debug)]
struct Pinned {
    pin: Pin,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let spki = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        let found = Pin::of_spki(&spki);
        if found != self.pin {
            let text = format!("its key is {found}, which is not the pin");
            return Err(CertificateError::Other(OtherError(Arc::from(Error::from(text)))).into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
