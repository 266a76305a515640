//! Reading what was sent: at most so much, and only while it comes.

use crate::{blobs::STALL, problem::Problem};
use axum::{body::Body, http::StatusCode};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Slowest that a message may come after its first moments, bytes a second: a stranger shall not hold a
/// connection by a byte now and then, and no line is slower.
const SLOWEST: u64 = 512;

/// The whole body, of at most `most` bytes.
pub(crate) async fn read(mut body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let (mut bytes, begun) = (Vec::new(), Instant::now());
    let stalled = || Problem::new(StatusCode::REQUEST_TIMEOUT, "the request does not go on");
    loop {
        let frame = timeout(STALL, body.frame()).await.map_err(|_| stalled())?;
        if begun.elapsed() > STALL + Duration::from_secs(bytes.len() as u64 / SLOWEST) {
            return Err(stalled());
        }
        let Some(frame) = frame else { return Ok(bytes) };
        let frame = frame.map_err(|e| Problem::bad(format!("the request broke off: {e}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            let error = format!("the request has more than {most} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error));
        }
        bytes.extend_from_slice(&data);
    }
}

/// A machine's message.
pub(super) async fn message<T: DeserializeOwned>(body: Body, most: usize) -> Result<T, Problem> {
    let bytes = read(body, most).await?;
    xenoboot_wire::decode(&bytes).map_err(|e| Problem::bad(e.to_string()))
}

/// Largest JSON that operators send, bytes: the digests of a bundle's blobs.
const MAX_JSON: usize = 1 << 20;

/// An operator's JSON.
pub(super) async fn json<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    json_of(body, MAX_JSON).await
}

/// An operator's JSON, of at most `most` bytes.
pub(super) async fn json_of<T: DeserializeOwned>(body: Body, most: usize) -> Result<T, Problem> {
    let bytes = read(body, most).await?;
    serde_json::from_slice(&bytes).map_err(|e| Problem::bad(format!("not the JSON expected: {e}")))
}
