//! The dashboard: pages for a person with a browser, made here, live by a script of ours that asks for them again.
//!
//! Nothing runs in the browser but that script, nothing is loaded from elsewhere, and whatever machines say is escaped
//! by the templates (`maud`), which have no other way. Who has logged in is known by a cookie that scripts cannot read
//! and other sites cannot send; whatever changes something needs a token of the page besides.

mod acts;
mod audit;
mod bundles;
mod fleet;
mod log;
mod login;
mod machine;
mod page;
mod run;
mod session;
mod timeline;

use crate::{handlers::stream, server::Shared};
use axum::{
    Router,
    http::{HeaderValue, header},
    middleware,
    response::{IntoResponse, Redirect, Response, Sse, sse::KeepAlive},
    routing::{get, post},
};
use futures_util::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Nothing but what the server itself has, in no other site's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For so long changes are told; then the browser asks anew, and must still be logged in.
const LISTEN: Duration = Duration::from_secs(1800);

/// The pages, and what they need.
pub(crate) fn router(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let inside = Router::new()
        .route("/ui", get(fleet::show))
        .route("/ui/machines/{machine}", get(machine::show))
        .route("/ui/machines/{machine}/log", get(log::of_machine))
        .route("/ui/machines/{machine}/{act}", post(acts::of_machine))
        .route("/ui/runs", get(run::list))
        .route("/ui/runs/{run}", get(run::show))
        .route("/ui/runs/{run}/log", get(log::of_run))
        .route("/ui/bundles", get(bundles::list))
        .route("/ui/bundles/{bundle}", get(bundles::show))
        .route("/ui/bundles/{bundle}/assign", post(acts::assign_bundle))
        .route("/ui/audit", get(audit::show))
        .route("/ui/logout", post(session::log_out))
        .route("/ui/stream", get(listen))
        .route_layer(middleware::from_fn_with_state(Arc::clone(shared), session::required));
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    Router::new()
        .route("/", get(|| async { Redirect::to("/ui") }))
        .route("/ui/login", get(login::ask).post(login::with_token))
        .route("/ui/login/provider", get(login::begin))
        .route("/ui/login/callback", get(login::finish))
        .route("/ui/style.css", file("text/css", include_str!("dashboard/style.css")))
        .route("/ui/live.js", file("text/javascript", include_str!("dashboard/live.js")))
        .route("/ui/icon.svg", file("image/svg+xml", include_str!("dashboard/icon.svg")))
        .merge(inside)
        .layer(middleware::map_response(guard))
}

/// What a browser must know of every answer.
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Which machines changed, as they change.
async fn listen(axum::extract::State(shared): crate::handlers::State) -> Response {
    let changes = stream::changes(shared).take_until(sleep(LISTEN));
    Sse::new(changes).keep_alive(KeepAlive::default()).into_response()
}
