//! Bundles, for operators.

use super::{State, body, finish};
use crate::{
    api::Bundle,
    problem::{AsJson, Problem},
    server::Shared,
};
use axum::{Json, body::Body, http::StatusCode};
use xenoboot_bundle::{Manifest, inspect, limits};
use xenoboot_wire::Digest;

/// `GET bundles`.
#[utoipa::path(
    get,
    path = "/bundles",
    operation_id = "bundles_list",
    responses((status = 200, description = "done", body = Vec<Bundle>)),
)]
pub(crate) async fn list(axum::extract::State(shared): State) -> Result<Json<Vec<Bundle>>, AsJson> {
    Ok(Json(shared.store.bundles().await?))
}

/// `POST bundles`: an envelope, after its blobs. It is read strictly, and not verified: we know no signer, and
/// machines do not take our word for anything.
#[utoipa::path(
    post,
    path = "/bundles",
    operation_id = "bundles_push",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, description = "done", body = Bundle)),
)]
pub(crate) async fn push(
    axum::extract::State(shared): State,
    body: Body,
) -> Result<Json<Bundle>, AsJson> {
    let envelope = body::read(body, limits::ENVELOPE).await?;
    let unfit = |error: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error);
    let found = inspect(&envelope).map_err(|e| {
        let cause = std::error::Error::source(&e).map(|cause| format!(": {cause}"));
        unfit(format!("{e}{}", cause.unwrap_or_default()))
    })?;
    if found.signers.is_empty() {
        return Err(unfit("nobody has signed the bundle".into())
            .hint("xenoboot bundle sign")
            .into());
    }
    check_blobs(&shared, &found.manifest).await?;
    let pushed = finish(async move {
        let digest: Digest = shared.blobs.put(envelope).await?;
        Ok(shared.store.add_bundle(&digest, &found).await?)
    });
    Ok(Json(pushed.await?))
}

/// What the manifest says must be there, and as large.
async fn check_blobs(shared: &Shared, manifest: &Manifest) -> Result<(), Problem> {
    let blobs: Vec<(Digest, u64)> = manifest.blobs().collect();
    let stored = shared.blobs.sizes(blobs.iter().map(|(digest, _)| *digest).collect()).await?;
    let conflict = |error| Problem::new(StatusCode::CONFLICT, error);
    for ((digest, size), stored) in blobs.into_iter().zip(stored) {
        match stored {
            Some(stored) if stored == size => {}
            Some(stored) => {
                let error = format!("blob {digest} has {stored} bytes, the bundle says {size}");
                return Err(conflict(error));
            }
            None => return Err(conflict(format!("blob {digest} is not on the server yet"))),
        }
    }
    Ok(())
}
