//! What a request is refused with.

use crate::{api::Failed, blobs::BlobError, store::StoreError};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// A refusal: status, what failed, what to do.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) error: String,
    pub(crate) hint: Option<String>,
    /// Seconds after which to try again.
    pub(crate) retry_after: Option<u32>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), hint: None, retry_after: None }
    }

    pub(crate) fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(crate) fn missing(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn later(error: impl Into<String>, seconds: u32) -> Self {
        let retry_after = Some(seconds);
        Self { retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, error) }
    }

    /// Something that is ours to repair: the details go to the log, not to whoever asked.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        let mut causes = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        tracing::error!(error = causes.join(": "), "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
    }

    fn finish(self, body: impl IntoResponse) -> Response {
        let mut response = (self.status, body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Ambiguous { .. } | StoreError::NotFound { .. } => {
                let hint = error.hint();
                Self { hint, ..Self::missing(error.to_string()) }
            }
            StoreError::Selector(_) => Self::bad(error.to_string())
                .hint("terms with commas between: key=value, key!=value, key, !key"),
            StoreError::NameTaken(_) | StoreError::KeyTaken(_) | StoreError::TokenExists(_) => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
            StoreError::KeyRevoked(_) => Self::new(StatusCode::FORBIDDEN, error.to_string())
                .hint("give the machine another key: xenoboot machine rotate"),
            StoreError::Database(_)
            | StoreError::Unreachable { .. }
            | StoreError::NotWritten
            | StoreError::Corrupt(_)
            | StoreError::Migrate(_) => Self::internal(&error),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Digest { .. } | BlobError::TooLarge(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            BlobError::Stalled => Self::new(StatusCode::REQUEST_TIMEOUT, error.to_string()),
            BlobError::Interrupted(_) => Self::bad(error.to_string()),
            BlobError::Storage(_) => {
                tracing::error!(%error, "a request failed");
                Self::later("the storage of blobs fails; the server's log says why", 5)
            }
            BlobError::Io { .. }
            | BlobError::File(_)
            | BlobError::Settings { .. }
            | BlobError::Unreadable(..)
            | BlobError::Damaged { .. }
            | BlobError::Foreign(_) => Self::internal(&error),
        }
    }
}

/// For machines: a line of text, which they show on their screens.
pub(crate) struct Plain(Problem);

impl<E: Into<Problem>> From<E> for Plain {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Plain {
    fn into_response(mut self) -> Response {
        let error = std::mem::take(&mut self.0.error);
        self.0.finish(error)
    }
}

/// For operators: JSON ([`Failed`]).
pub(crate) struct AsJson(Problem);

impl<E: Into<Problem>> From<E> for AsJson {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for AsJson {
    fn into_response(mut self) -> Response {
        let failed = Failed { error: std::mem::take(&mut self.0.error), hint: self.0.hint.take() };
        self.0.finish(Json(failed))
    }
}
