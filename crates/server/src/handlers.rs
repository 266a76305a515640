//! What each route does, by resource.

pub(crate) mod assignments;
pub(crate) mod auth;
pub(crate) mod blobs;
pub(crate) mod body;
pub(crate) mod bundles;
pub(crate) mod bytes;
pub(crate) mod clip;
pub(crate) mod confirm;
pub(crate) mod console;
pub(crate) mod enrolment;
pub(crate) mod fellow;
pub(crate) mod health;
pub(crate) mod machine;
pub(crate) mod machines;
pub(crate) mod names;
mod params;
pub(crate) mod policy;
pub(crate) mod power;
pub(crate) mod runs;
pub(crate) mod stream;
pub(crate) mod tokens;
pub(crate) mod webhooks;

use crate::{problem::Problem, server::Shared, store::audit};
use std::{future::Future, sync::Arc};

/// What handlers get.
pub(crate) type State = axum::extract::State<Arc<Shared>>;

/// Does something to its end, even when whoever asked for it has gone: what was committed must be told to those
/// who wait for it.
async fn finish<T: Send + 'static>(
    task: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::spawn(audit::as_actor(audit::actor(), task)).await {
        Ok(result) => result,
        Err(error) => Err(Problem::internal(&error)),
    }
}
