//! What each route does, by resource.

pub(crate) mod assignments;
pub(crate) mod auth;
pub(crate) mod blobs;
pub(crate) mod body;
pub(crate) mod bundles;
pub(crate) mod bytes;
pub(crate) mod clip;
pub(crate) mod console;
pub(crate) mod machine;
pub(crate) mod machines;
pub(crate) mod names;
pub(crate) mod runs;

use crate::{problem::Problem, server::Shared};
use std::{future::Future, sync::Arc};

/// What handlers get.
pub(crate) type State = axum::extract::State<Arc<Shared>>;

/// Does something to its end, even when whoever asked for it has gone: what was committed must be told to those
/// who wait for it.
async fn finish<T: Send + 'static>(
    task: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::spawn(task).await {
        Ok(result) => result,
        Err(error) => Err(Problem::internal(&error)),
    }
}
