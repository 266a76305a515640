//! verify: whether enough of the pinned signers want this bundle to run on this machine, now.

use super::Phase;
use crate::{context::Context, failure::Failure, http::STALL};
use xenoboot_bundle::{Manifest, Subject, Verified, inspect, limits, verify};
use xenoboot_wire::{Code, Digest, boot::Assignment};

/// The phase. After a failure the server is asked again what to do: another bundle may be assigned.
pub const PHASE: Phase = Phase { name: "verify", limit: Some(STALL) };

/// Takes the envelope from the assignment, or fetches it, and verifies it.
///
/// # Errors
/// With the code of what does not hold.
pub async fn run(
    context: &Context,
    assignment: &Assignment,
) -> Result<Verified<Manifest>, Failure> {
    PHASE.enter(context);
    let envelope = match &assignment.envelope {
        Some(inline) => inline.0.clone(),
        None => fetch(context, &assignment.bundle).await?,
    };
    if Digest::of(&envelope) != assignment.bundle {
        let cause =
            format!("bundle {} was announced, {} came", assignment.bundle, Digest::of(&envelope));
        return Err(Failure::new(Code::BundleDigest, cause));
    }
    let Some(now_ms) = context.time.now_ms() else {
        return Err(Failure::new(Code::BadAnswer, "the server's time is not known"));
    };
    let last_serial = inspect(&envelope)
        .ok()
        .and_then(|seen| context.kept().get().serials.get(&seen.manifest.name).copied());
    let subject = Subject {
        machine: context.identity.machine,
        groups: &context.groups,
        image: context.image.version,
        now_s: now_ms / 1000,
        last_serial,
    };
    verify(&envelope, &context.trust, &subject).map_err(|e| Failure::chain(e.code(), &e))
}

async fn fetch(context: &Context, bundle: &Digest) -> Result<Vec<u8>, Failure> {
    let connection = context.server.connected().await;
    let mut download = connection.get(&format!("/machine/v1/bundle/{bundle}"), 0).await?;
    let mut envelope = Vec::new();
    while let Some(data) = download.next().await? {
        if envelope.len() + data.len() > limits::ENVELOPE {
            let cause = format!("the bundle's envelope is larger than {} bytes", limits::ENVELOPE);
            return Err(Failure::new(Code::BundleMalformed, cause));
        }
        envelope.extend_from_slice(&data);
    }
    Ok(envelope)
}
