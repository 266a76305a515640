//! Blobs, for operators.

use super::{State, body};
use crate::{
    api::Blobs,
    problem::{AsJson, Problem},
};
use axum::{Json, body::Body, extract::Path, http::StatusCode};
use xenoboot_bundle::limits;
use xenoboot_wire::Digest;

/// `POST blobs/missing`: which of these must be uploaded?
#[utoipa::path(
    post,
    path = "/blobs/missing",
    operation_id = "blobs_missing",
    request_body = Blobs,
    responses((status = 200, description = "done", body = Blobs)),
)]
pub(crate) async fn missing(
    axum::extract::State(shared): State,
    body: Body,
) -> Result<Json<Blobs>, AsJson> {
    let asked: Blobs = body::json(body).await?;
    let sizes = shared.blobs.sizes(asked.blobs.clone()).await?;
    let blobs = asked.blobs.into_iter().zip(sizes);
    Ok(Json(Blobs { blobs: blobs.filter_map(|(b, size)| size.is_none().then_some(b)).collect() }))
}

/// `PUT blobs/DIGEST`.
#[utoipa::path(
    put,
    path = "/blobs/{digest}",
    operation_id = "blobs_put",
    params(("digest" = String, Path, description = "SHA-256 of the bytes, hexadecimal")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, description = "stored")),
)]
pub(crate) async fn put(
    axum::extract::State(shared): State,
    Path(digest): Path<String>,
    body: Body,
) -> Result<StatusCode, AsJson> {
    let digest: Digest = digest.parse().map_err(|e| Problem::missing(format!("{e}")))?;
    shared.blobs.receive(&digest, limits::TOTAL, body).await?;
    Ok(StatusCode::CREATED)
}
