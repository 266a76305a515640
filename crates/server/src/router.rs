//! Every route, in one place.

use crate::{
    handlers::{assignments, auth, blobs, bundles, console, machine, machines, runs},
    problem::{AsJson, Problem},
    server::Shared,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post, put},
};
use std::sync::Arc;

/// What is not there, for those who may know what is.
async fn missing() -> AsJson {
    Problem::missing("there is no such path")
        .hint("the server's version may be another than the command's")
        .into()
}

/// All routes. Bodies have no common limit: each handler reads as much as it can use.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let machine = Router::new()
        .route("/boot", post(machine::boot))
        .route("/bundle/{digest}", get(machine::blob))
        .route("/blob/{digest}", get(machine::blob))
        .route("/events", post(machine::events))
        .route("/wait", post(machine::wait))
        .route("/console", post(console::door));
    let operator = Router::new()
        .route("/machines", get(machines::list).post(machines::expect))
        .route("/machines/{machine}", get(machines::show))
        .route("/machines/{machine}/approve", post(machines::approve))
        .route("/machines/{machine}/refuse", post(machines::refuse))
        .route("/machines/{machine}/groups", post(machines::groups))
        .route("/machines/{machine}/run", get(runs::of_machine))
        .route("/machines/{machine}/console", post(console::call))
        .route("/bundles", get(bundles::list).post(bundles::push))
        .route("/blobs/missing", post(blobs::missing))
        .route("/blobs/{digest}", put(blobs::put))
        .route("/assignments", post(assignments::assign))
        .route("/runs", get(runs::list))
        .route("/runs/{run}", get(runs::show))
        .route("/runs/{run}/log", get(runs::log))
        .fallback(missing)
        .layer(middleware::from_fn_with_state(Arc::clone(shared), auth::operator));
    Router::new()
        .nest("/machine/v1", machine)
        .nest("/api/v1", operator)
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(shared))
}
