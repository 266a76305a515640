//! Every route, in one place.

use crate::{
    dashboard,
    handlers::{
        assignments, auth, blobs, bundles, confirm, console, enrolment, fellow, health, machine,
        machines, policy, power, runs, stream, tokens, webhooks,
    },
    openapi,
    problem::{AsJson, Problem},
    server::Shared,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{StatusCode, header},
    middleware,
    routing::{get, post},
};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What is not there, for those who may know what is.
async fn missing() -> AsJson {
    Problem::missing("there is no such path")
        .hint("the server's version may be another than the command's")
        .into()
}

/// What is there, and cannot be asked for like that.
async fn not_like_that() -> AsJson {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path is not for that method").into()
}

/// The operator's routes; each is described where it is handled.
fn operator() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(machines::list, enrolment::expect))
        .routes(routes!(enrolment::import))
        .routes(routes!(enrolment::invitations, enrolment::invite))
        .routes(routes!(enrolment::disinvite))
        .routes(routes!(machines::show))
        .routes(routes!(machines::approve))
        .routes(routes!(machines::refuse))
        .routes(routes!(enrolment::revoke))
        .routes(routes!(enrolment::rotate))
        .routes(routes!(machines::groups))
        .routes(routes!(machines::labels))
        .routes(routes!(machines::clear))
        .routes(routes!(machines::explain))
        .routes(routes!(power::show, power::set, power::forget, power::switch))
        .routes(routes!(runs::of_machine))
        .routes(routes!(bundles::list, bundles::push))
        .routes(routes!(blobs::missing))
        .routes(routes!(blobs::put))
        .routes(routes!(assignments::assign))
        .routes(routes!(policy::show, policy::set))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::log))
        .routes(routes!(tokens::list, tokens::new))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tokens::sessions))
        .routes(routes!(tokens::end_sessions))
        .routes(routes!(tokens::audit))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::remove))
        .routes(routes!(auth::whoami))
        .routes(routes!(stream::stream))
}

/// All routes. Bodies have no common limit: each handler reads as much as it can use.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let machine = Router::new()
        .route("/boot", post(machine::boot))
        .route("/bundle/{digest}", get(machine::blob))
        .route("/blob/{digest}", get(machine::blob))
        .route("/events", post(machine::events))
        .route("/wait", post(machine::wait))
        .route("/console", post(console::door))
        .route("/confirmation", post(confirm::issue));
    let (operator, described) = operator().split_for_parts();
    let described: Arc<str> = openapi::finish(described).into();
    let json = [(header::CONTENT_TYPE, "application/json")];
    let operator = operator
        .route("/machines/{machine}/console", post(console::call))
        .route("/openapi.json", get(move || async move { (json, described.to_string()) }))
        .method_not_allowed_fallback(not_like_that)
        .fallback(missing)
        .layer(middleware::from_fn_with_state(Arc::clone(shared), auth::operator));
    let fellow = Router::new()
        .route("/console/{machine}", post(fellow::console))
        .route("/rival", post(fellow::rival))
        .route("/heard", post(fellow::heard))
        .layer(middleware::from_fn_with_state(Arc::clone(shared), fellow::fellow));
    let metrics = Router::new()
        .route("/metrics", get(health::metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(shared), auth::operator));
    Router::new()
        .merge(metrics)
        .merge(dashboard::router(shared))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .nest("/machine/v1", machine)
        .nest("/api/v1", operator)
        .nest("/fellow/v1", fellow)
        .route("/confirm/{token}", post(confirm::confirm))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(shared))
}
