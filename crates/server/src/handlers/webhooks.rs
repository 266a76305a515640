//! Who is told of what, for operators.

use super::{State, body, finish};
use crate::{
    api::{Kind, NewWebhook, Webhook},
    mail, notify,
    problem::{AsJson, Problem},
};
use axum::{Json, body::Body, extract::Path, http::StatusCode};

/// Longest URL, bytes.
const MAX_URL: usize = 2048;

/// `GET webhooks`.
#[utoipa::path(
    get,
    path = "/webhooks",
    operation_id = "webhooks_list",
    responses((status = 200, description = "done", body = Vec<Webhook>)),
)]
pub(crate) async fn list(
    axum::extract::State(shared): State,
) -> Result<Json<Vec<Webhook>>, AsJson> {
    Ok(Json(shared.store.webhooks().await?))
}

/// `POST webhooks`.
#[utoipa::path(
    post,
    path = "/webhooks",
    operation_id = "webhooks_add",
    request_body = NewWebhook,
    responses((status = 200, description = "done", body = Webhook)),
)]
pub(crate) async fn add(
    axum::extract::State(shared): State,
    body: Body,
) -> Result<Json<Webhook>, AsJson> {
    let new: NewWebhook = body::json(body).await?;
    if new.url.len() > MAX_URL {
        return Err(Problem::bad(format!("the URL has more than {MAX_URL} bytes")).into());
    }
    notify::check(&new.url).map_err(|error| Problem::bad(error.to_string()))?;
    if mail::address(&new.url).is_some() {
        shared.mailer.check().map_err(|error| {
            Problem::bad(format!("no mail can be sent: {error}"))
                .hint("mail.toml in the server's folder, mode 600, has `relay` and `from`")
        })?;
    }
    let mut kinds = if new.kinds.is_empty() { Kind::ALL.to_vec() } else { new.kinds };
    kinds.sort();
    kinds.dedup();
    let added = finish(async move { Ok(shared.store.add_webhook(&new.url, &kinds).await?) });
    Ok(Json(added.await?))
}

/// `DELETE webhooks/ID`.
#[utoipa::path(
    delete,
    path = "/webhooks/{id}",
    operation_id = "webhooks_remove",
    params(("id" = String, Path, description = "its number")),
    responses((status = 204, description = "done")),
)]
pub(crate) async fn remove(
    axum::extract::State(shared): State,
    Path(id): Path<String>,
) -> Result<StatusCode, AsJson> {
    let number = id.parse().map_err(|_| Problem::missing(format!("there is no webhook `{id}`")))?;
    finish(async move { Ok(shared.store.remove_webhook(number).await?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}
