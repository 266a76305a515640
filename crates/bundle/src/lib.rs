//! Signed bundles: build, sign, verify, unpack.
//!
//! A bundle's envelope is a COSE_Sign (RFC 9052) over a manifest in deterministic CBOR (RFC 8949,
//! section 4.2.1); the manifest names files by path, size and SHA-256. Small files travel inside it, the
//! others as blobs beside it. `docs/PROTOCOL.md` specifies the bytes.
//!
//! What runs on a machine is a [`Verified`]`<`[`Bundle`]`>`, and only this crate makes one:
//! [`verify`] turns an envelope into a `Verified<Manifest>`, and its `unpack` checks every file.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that panics has failed, which is what it is for"
    )
)]

mod cbor;
pub mod envelope;
pub mod key;
pub mod limits;
pub mod manifest;
pub mod path;
pub mod report;
pub mod sealed;
mod unpack;
mod verify;

pub use cbor::CborError;
pub use envelope::{Envelope, EnvelopeError, InspectError, Inspection, SignError, inspect, sign};
pub use key::{KeyError, KeyId, SigningKey};
pub use manifest::{File, Machines, Manifest, ManifestError, Need, Then};
pub use path::{FilePath, PathError};
pub use unpack::{Bundle, UnpackError};
pub use verify::{Subject, TrustedSigners, Verified, VerifyError, verify};
