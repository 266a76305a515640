//! CBOR encoding and bounded, strict decoding.

use serde::{Serialize, de::DeserializeOwned};

/// Nesting deeper than this is refused: no message of ours needs it, and recursion is bounded.
const MAX_DEPTH: usize = 16;

/// Why bytes are not the message that was expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// More bytes than any message may have.
    #[error("message of {0} bytes is larger than the limit of {max}", max = crate::MAX_MESSAGE)]
    TooLarge(usize),
    /// Not CBOR, or CBOR of another shape.
    #[error("not a valid message: {0}")]
    Invalid(String),
    /// Bytes follow the message.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

/// Encodes a message. Every type of this crate can be encoded; the result is never empty.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    // Writing to a Vec cannot fail, and our types have no maps with keys that cannot be encoded.
    let written = ciborium::into_writer(message, &mut out);
    debug_assert!(written.is_ok());
    out
}

/// Decodes exactly one message of at most [`crate::MAX_MESSAGE`] bytes.
///
/// # Errors
/// When the bytes are too many, are not CBOR of the right shape, or have something after the message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > crate::MAX_MESSAGE {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    let mut rest = bytes;
    let message = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
        .map_err(|e| DecodeError::Invalid(e.to_string()))?;
    if rest.is_empty() { Ok(message) } else { Err(DecodeError::Trailing(rest.len())) }
}
