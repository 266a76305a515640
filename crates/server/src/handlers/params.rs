//! What stands behind the `?`, refused in the API's own form.

use crate::problem::{AsJson, Problem};
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

/// The parameters of a request.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = AsJson;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AsJson> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::bad(error.body_text()).into()),
        }
    }
}
