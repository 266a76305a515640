//! The envelope: a manifest and its signatures as a tagged COSE_Sign (RFC 9052, section 4.1).
//!
//! Of COSE's freedom nothing is left: header maps have one form, signatures stand in the order of
//! their key ids. So a manifest and a set of signatures have exactly one envelope.

use crate::{
    cbor::{CborError, Reader, Writer},
    key::{KeyId, SigningKey},
    limits,
    manifest::{Manifest, ManifestError},
};
use xenoboot_wire::FleetId;

/// CBOR tag of COSE_Sign.
const COSE_SIGN: u64 = 98;
/// The COSE algorithm EdDSA (RFC 9053, section 2.2), here always with Ed25519.
const EDDSA: i64 = -8;
/// COSE header labels (RFC 9052, section 3.1).
const ALG: i64 = 1;
const CONTENT_TYPE: i64 = 3;
const KID: i64 = 4;
/// What the body's protected header says the payload is.
pub const MEDIA_TYPE: &str = "application/vnd.xenoboot.manifest+cbor";
/// The beginning of every signature's external data, before the fleet's id: separates bundles from all
/// else that a key might sign.
pub const DOMAIN: &[u8] = b"xenoboot bundle v1\0";

/// An envelope that is well-formed; nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The encoded manifest.
    payload: Vec<u8>,
    /// Signatures in ascending order of their key ids.
    signatures: Vec<(KeyId, [u8; 64])>,
}

/// Bytes are not an envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More bytes than [`limits::ENVELOPE`].
    #[error("the envelope is larger than {} bytes", limits::ENVELOPE)]
    TooLarge,
    /// Not the deterministic CBOR that is expected.
    #[error("the encoding is not valid")]
    Cbor(#[from] CborError),
    /// Another structure than a tagged COSE_Sign of four parts.
    #[error("it is not a COSE_Sign structure")]
    Structure,
    /// The body's headers are not the ones that bundles have.
    #[error("the body's headers are not those of a bundle")]
    BodyHeader,
    /// A signature's headers are not the ones that bundles have.
    #[error("a signature's headers are not those of a bundle")]
    SignatureHeader,
    /// A signature by another algorithm than EdDSA.
    #[error("signature algorithm {0} is not allowed")]
    Algorithm(i64),
    /// A key id or signature of the wrong length.
    #[error("a key id or signature has the wrong length")]
    SignatureLength,
    /// More signatures than [`limits::SIGNATURES`].
    #[error("more than {} signatures", limits::SIGNATURES)]
    TooManySignatures,
    /// Two signatures name the same key.
    #[error("two signatures are by the same key")]
    DuplicateSigner,
    /// Signatures are not in ascending order of their key ids.
    #[error("signatures are not in the order of their keys")]
    SignatureOrder,
}

/// A manifest could not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The manifest breaks a rule of the format.
    #[error("the manifest is not valid")]
    Manifest(#[from] ManifestError),
    /// The result would be larger than [`limits::ENVELOPE`] or have too many signatures.
    #[error(
        "the envelope would be larger than {} bytes or have more than {} signatures",
        limits::ENVELOPE,
        limits::SIGNATURES
    )]
    TooLarge,
}

/// What an envelope says, unverified: for people, and for choosing what to verify it against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Who claims to have signed it.
    pub signers: Vec<KeyId>,
}

/// An envelope could not be inspected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// The bytes are not an envelope.
    #[error("not a bundle's envelope")]
    Envelope(#[from] EnvelopeError),
    /// The payload is not a manifest.
    #[error("the manifest is not valid")]
    Manifest(#[from] ManifestError),
}

/// Signs a manifest with each key once. With no key the result is a draft, which `Envelope::add` completes
/// and no machine takes.
///
/// # Errors
/// When the manifest breaks a rule of the format or the result would be too large.
pub fn sign(manifest: &Manifest, keys: &[SigningKey]) -> Result<Vec<u8>, SignError> {
    let mut envelope = Envelope { payload: manifest.encode()?, signatures: Vec::new() };
    for key in keys {
        envelope.add(key)?;
    }
    envelope.within_limits()?;
    Ok(envelope.encode())
}

/// Reads an envelope without verifying anything.
///
/// # Errors
/// When it is not well-formed or its manifest is not valid.
pub fn inspect(envelope: &[u8]) -> Result<Inspection, InspectError> {
    let envelope = Envelope::decode(envelope)?;
    let manifest = Manifest::decode(&envelope.payload)?;
    Ok(Inspection { manifest, signers: envelope.signers().collect() })
}

impl Envelope {
    /// Decodes an envelope; encoding the result gives the same bytes.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > limits::ENVELOPE {
            return Err(EnvelopeError::TooLarge);
        }
        let mut r = Reader::new(bytes);
        if r.tag()? != COSE_SIGN || r.array()? != 4 {
            return Err(EnvelopeError::Structure);
        }
        if r.bytes()? != body_header() || !is_empty_map(&mut r)? {
            return Err(EnvelopeError::BodyHeader);
        }
        let payload = r.bytes()?.to_vec();
        let count = r.array()?;
        if count > limits::SIGNATURES as u64 {
            return Err(EnvelopeError::TooManySignatures);
        }
        let mut signatures: Vec<(KeyId, [u8; 64])> = Vec::new();
        for _ in 0..count {
            let next = signature(&mut r)?;
            match signatures.last().map(|last| last.0.cmp(&next.0)) {
                Some(std::cmp::Ordering::Equal) => return Err(EnvelopeError::DuplicateSigner),
                Some(std::cmp::Ordering::Greater) => return Err(EnvelopeError::SignatureOrder),
                _ => signatures.push(next),
            }
        }
        r.end()?;
        Ok(Self { payload, signatures })
    }

    /// Encodes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.tag(COSE_SIGN).array(4).bytes(&body_header()).map(0).bytes(&self.payload);
        w.array(self.signatures.len());
        for (id, signature) in &self.signatures {
            w.array(3).bytes(&signature_header(id)).map(0).bytes(signature);
        }
        w.0
    }

    /// Adds `key`'s signature, in place of one that it made before.
    ///
    /// # Errors
    /// When the manifest is not valid or the envelope would be too large.
    pub fn add(&mut self, key: &SigningKey) -> Result<(), SignError> {
        let fleet = Manifest::decode(&self.payload)?.fleet;
        let id = key.id();
        let signature = key.sign(&to_be_signed(&fleet, &id, &self.payload));
        self.signatures.retain(|(other, _)| *other != id);
        self.signatures.push((id, signature));
        self.signatures.sort_unstable_by_key(|(id, _)| *id);
        self.within_limits()
    }

    /// The encoded manifest, unverified.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Who claims to have signed, in ascending order.
    pub fn signers(&self) -> impl Iterator<Item = KeyId> {
        self.signatures.iter().map(|(id, _)| *id)
    }

    pub(crate) fn signatures(&self) -> &[(KeyId, [u8; 64])] {
        &self.signatures
    }

    fn within_limits(&self) -> Result<(), SignError> {
        let fits =
            self.signatures.len() <= limits::SIGNATURES && self.encode().len() <= limits::ENVELOPE;
        if fits { Ok(()) } else { Err(SignError::TooLarge) }
    }
}

/// What a signature by `id` signs: the Sig_structure of RFC 9052, section 4.4.
pub(crate) fn to_be_signed(fleet: &FleetId, id: &KeyId, payload: &[u8]) -> Vec<u8> {
    let aad = [DOMAIN, fleet.as_bytes()].concat();
    let mut w = Writer::default();
    w.array(5).text("Signature").bytes(&body_header()).bytes(&signature_header(id));
    w.bytes(&aad).bytes(payload);
    w.0
}

fn body_header() -> Vec<u8> {
    let mut w = Writer::default();
    w.map(1).int(CONTENT_TYPE).text(MEDIA_TYPE);
    w.0
}

fn signature_header(id: &KeyId) -> Vec<u8> {
    let mut w = Writer::default();
    w.map(2).int(ALG).int(EDDSA).int(KID).bytes(&id.0);
    w.0
}

fn is_empty_map(r: &mut Reader<'_>) -> Result<bool, CborError> {
    Ok(r.map()?.key(r)?.is_none())
}

/// One COSE_Signature: protected header, empty unprotected header, signature.
fn signature(r: &mut Reader<'_>) -> Result<(KeyId, [u8; 64]), EnvelopeError> {
    if r.array()? != 3 {
        return Err(EnvelopeError::Structure);
    }
    let id = protected(r.bytes()?)?;
    if !is_empty_map(r)? {
        return Err(EnvelopeError::SignatureHeader);
    }
    let signature = r.bytes()?.try_into().map_err(|_| EnvelopeError::SignatureLength)?;
    Ok((id, signature))
}

fn protected(header: &[u8]) -> Result<KeyId, EnvelopeError> {
    let mut r = Reader::new(header);
    let mut map = r.map()?;
    if map.key(&mut r)? != Some(ALG) {
        return Err(EnvelopeError::SignatureHeader);
    }
    let algorithm = r.int()?;
    if algorithm != EDDSA {
        return Err(EnvelopeError::Algorithm(algorithm));
    }
    if map.key(&mut r)? != Some(KID) {
        return Err(EnvelopeError::SignatureHeader);
    }
    let id = r.bytes()?.try_into().map_err(|_| EnvelopeError::SignatureLength)?;
    // Nothing else: `crit` or any other header is something that this version does not know.
    if map.key(&mut r)?.is_some() {
        return Err(EnvelopeError::SignatureHeader);
    }
    r.end()?;
    Ok(KeyId(id))
}
