//! From bytes to something that may run.

use crate::{
    envelope::{Envelope, EnvelopeError, to_be_signed},
    key::{KeyId, is_signed},
    limits,
    manifest::{Manifest, ManifestError, claimed_fleet},
};
use std::{collections::BTreeMap, ops::Deref};
use xenoboot_wire::{Code, Digest, FleetId, MachineKey, Version};

/// Something that was verified. Only this crate makes one:
///
/// ```compile_fail,E0423
/// let forged = xenoboot_bundle::Verified("anything");
/// ```
#[derive(Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl Verified<Manifest> {
    /// The blobs to fetch before unpacking: digest and size in bytes, each once.
    pub fn blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        self.0.blobs()
    }
}

/// Whom a machine believes, from its image's trust file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedSigners {
    /// The machine's fleet.
    pub fleet: FleetId,
    /// How many different signers must have signed; zero is taken for one.
    pub threshold: usize,
    /// Their raw Ed25519 public keys.
    pub keys: Vec<[u8; 32]>,
}

/// The machine that a bundle is verified for, and when.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The machine.
    pub machine: MachineKey,
    /// The groups that are stamped into its image.
    pub groups: &'a [String],
    /// The image's version.
    pub image: Version,
    /// The time by the authenticated server, Unix seconds.
    pub now_s: u64,
    /// The highest serial that ran since power-on among bundles of this name (see
    /// [`crate::inspect`]: the name is read before, and is the one that gets verified).
    pub last_serial: Option<u64>,
}

/// A bundle must not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are not an envelope.
    #[error("not a bundle's envelope")]
    Envelope(#[from] EnvelopeError),
    /// The signed payload is not a manifest.
    #[error("the signed manifest is not valid")]
    Manifest(#[from] ManifestError),
    /// A signature that names a pinned key is not by that key over these bytes.
    #[error("the signature by key {0} is wrong: the bundle was changed after it was signed")]
    Signature(KeyId),
    /// Fewer pinned signers than the threshold asks.
    #[error("signed by {have} of the pinned signers, {need} are needed")]
    Threshold {
        /// How many pinned signers signed.
        have: usize,
        /// How many must.
        need: usize,
    },
    /// It is signed, by nobody who is pinned.
    #[error("signed only by keys that are not pinned, such as {0}")]
    Signer(KeyId),
    /// It is for another fleet.
    #[error("it is for fleet {theirs}, this machine is of fleet {ours}")]
    Fleet {
        /// The fleet that the bundle names.
        theirs: FleetId,
        /// This machine's.
        ours: FleetId,
    },
    /// It is for other machines.
    #[error("it names neither this machine nor one of its groups")]
    Machine,
    /// It was made in the future, by more than an hour.
    #[error("it was made at {created}, but it is {now_s} now (Unix seconds)")]
    NotYet {
        /// When it says that it was made.
        created: u64,
        /// What time it is.
        now_s: u64,
    },
    /// It has expired.
    #[error("it expired at {not_after}, it is {now_s} now (Unix seconds)")]
    Expired {
        /// When it expired.
        not_after: u64,
        /// What time it is.
        now_s: u64,
    },
    /// It needs a newer image.
    #[error("it needs image {needs} or newer, this is {have}")]
    Image {
        /// The lowest version.
        needs: Version,
        /// This image's.
        have: Version,
    },
    /// A newer one of the same name ran.
    #[error("its serial is {serial}, but {last} ran before")]
    Serial {
        /// This one's.
        serial: u64,
        /// The highest that ran.
        last: u64,
    },
}

impl VerifyError {
    /// The code that a person is shown.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Envelope(_) | Self::Manifest(_) => Code::BundleMalformed,
            Self::Signature(_) => Code::BundleSignature,
            Self::Threshold { .. } => Code::BundleThreshold,
            Self::Signer(_) => Code::BundleSigner,
            Self::Fleet { .. } => Code::BundleFleet,
            Self::Machine => Code::BundleMachine,
            Self::NotYet { .. } => Code::BundleNotYet,
            Self::Expired { .. } => Code::BundleExpired,
            Self::Image { .. } => Code::BundleImage,
            Self::Serial { .. } => Code::BundleSerial,
        }
    }
}

/// Decides whether a bundle may run on a machine now.
///
/// In this order: envelope, signatures, threshold, manifest, fleet, machine, time of making, expiry, image, serial. The
/// payload is not parsed for use before enough signatures over it are right. A wrong signature by a
/// pinned key refuses the bundle even when enough others are right; signatures by unpinned keys are
/// passed over, so that a bundle can be signed for the time before and after a change of signers.
///
/// # Errors
/// The first of these that does not hold.
pub fn verify(
    envelope: &[u8],
    trust: &TrustedSigners,
    subject: &Subject<'_>,
) -> Result<Verified<Manifest>, VerifyError> {
    let envelope = Envelope::decode(envelope)?;
    signatures(&envelope, trust)?;
    let manifest = Manifest::decode(envelope.payload())?;
    if manifest.fleet != trust.fleet {
        return Err(VerifyError::Fleet { theirs: manifest.fleet, ours: trust.fleet });
    }
    for_subject(&manifest, subject)?;
    Ok(Verified::new(manifest))
}

fn signatures(envelope: &Envelope, trust: &TrustedSigners) -> Result<(), VerifyError> {
    // By id: a key that is pinned twice counts once.
    let pinned: BTreeMap<KeyId, &[u8; 32]> =
        trust.keys.iter().map(|key| (KeyId::of(key), key)).collect();
    let need = trust.threshold.max(1);
    let mut have = 0;
    for (id, signature) in envelope.signatures() {
        let Some(public) = pinned.get(id) else { continue };
        let valid_for =
            |fleet| is_signed(public, &to_be_signed(fleet, id, envelope.payload()), signature);
        if valid_for(&trust.fleet) {
            have += 1;
            continue;
        }
        // The fleet is bound into the signature: a whole bundle of another fleet looks like a damaged
        // one until the signature is tried for the fleet that it names. It is refused in any case.
        return Err(match other_fleet(envelope, trust) {
            Some(theirs) if valid_for(&theirs) => VerifyError::Fleet { theirs, ours: trust.fleet },
            _ => VerifyError::Signature(*id),
        });
    }
    if have >= need {
        return Ok(());
    }
    match envelope.signers().next() {
        Some(id) if have == 0 => Err(match other_fleet(envelope, trust) {
            Some(theirs) => VerifyError::Fleet { theirs, ours: trust.fleet },
            None => VerifyError::Signer(id),
        }),
        _ => Err(VerifyError::Threshold { have, need }),
    }
}

fn other_fleet(envelope: &Envelope, trust: &TrustedSigners) -> Option<FleetId> {
    claimed_fleet(envelope.payload()).filter(|claimed| *claimed != trust.fleet)
}

fn for_subject(manifest: &Manifest, subject: &Subject<'_>) -> Result<(), VerifyError> {
    let now_s = subject.now_s;
    if !manifest.machines.include(&subject.machine, subject.groups) {
        return Err(VerifyError::Machine);
    }
    if manifest.created > now_s.saturating_add(limits::CLOCK_LEEWAY) {
        return Err(VerifyError::NotYet { created: manifest.created, now_s });
    }
    if now_s > manifest.not_after {
        return Err(VerifyError::Expired { not_after: manifest.not_after, now_s });
    }
    if subject.image < manifest.min_image {
        return Err(VerifyError::Image { needs: manifest.min_image, have: subject.image });
    }
    match subject.last_serial {
        Some(last) if manifest.serial < last => {
            Err(VerifyError::Serial { serial: manifest.serial, last })
        }
        _ => Ok(()),
    }
}
