//! Logging in: the page, with a token, or by the provider that `oidc.toml` names.

use super::{
    page::{self, Html, PageError},
    session::{self, Back, LASTS_S, MAX_TOKEN},
};
use crate::{
    handlers::State,
    home,
    oidc::{self, Person, Refused, Returned},
    problem::Problem,
    server::Shared,
    text::shown,
};
use axum::{
    body::Body,
    extract::{Query, RawQuery},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;

/// Longest word of a provider's that is shown, characters.
const MAX_WORD: usize = 200;

/// `GET /ui/login`.
pub(super) async fn ask(axum::extract::State(shared): State, Query(back): Query<Back>) -> Response {
    login_page(&shared, &back, None).into_response()
}

fn login_page(shared: &Shared, back: &Back, wrong: Option<&str>) -> Html {
    let provider = shared.oidc.as_ref().map(|oidc| {
        let query = serde_urlencoded::to_string([("back", back.path())]).unwrap_or_default();
        (oidc.name(), format!("/ui/login/provider?{query}"))
    });
    page::bare(
        "Log in",
        &html! {
            form .login method="post" action="/ui/login" {
                h1 { "Xenoboot" }
                @if let Some(wrong) = wrong { p .wrong role="alert" { (wrong) } }
                @if let Some((name, path)) = &provider {
                    // No form: what a form leads to would have to be allowed by the content policy.
                    a .button href=(path) { "Log in with " (shown(name)) }
                    p .or { span { "or" } }
                }
                label for="token" { "Token" }
                input #token type="password" name="token" required autofocus[provider.is_none()] autocomplete="current-password";
                input type="hidden" name="back" value=(back.path());
                button .quiet[provider.is_some()] type="submit" { "Log in" @if provider.is_some() { " with a token" } }
                p .hint {
                    "The token of your operator.toml; a new one is given out by "
                    code { "xenoboot token new" } "."
                }
            }
        },
    )
}

/// `POST /ui/login`.
pub(super) async fn with_token(
    axum::extract::State(shared): State,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PageError> {
    #[derive(Deserialize)]
    struct Sent {
        token: String,
        #[serde(flatten)]
        back: Back,
    }
    session::check_origin(&headers)?;
    let sent: Sent = session::form_of_anybody(body).await?;
    let token = sent.token.trim();
    let secret = home::new_token().map_err(|error| Problem::internal(&error))?;
    let known = match token.len() <= MAX_TOKEN {
        true => shared.store.log_in(token, &secret, i64::from(LASTS_S) * 1000).await?,
        false => None,
    };
    if known.is_none() {
        let page = login_page(&shared, &sent.back, Some("That is not a token of this server."));
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    }
    let cookie = [(header::SET_COOKIE, session::cookie(&secret, LASTS_S))];
    Ok((cookie, Redirect::to(sent.back.path())).into_response())
}

/// The cookie of a log-in that is pending; of none, when it is over. It must come along from the provider's site.
fn pending(value: &str, lasts_s: u32) -> String {
    let name = oidc::COOKIE;
    format!("{name}={value}; Path=/; Max-Age={lasts_s}; Secure; HttpOnly; SameSite=Lax")
}

fn of_provider(shared: &Shared) -> Result<&oidc::Oidc, Problem> {
    let none = || {
        Problem::missing("this server has no log-in by a provider")
            .hint("log in with a token, or set one up: oidc.toml in the server's folder")
    };
    shared.oidc.as_ref().ok_or_else(none)
}

/// `GET /ui/login/provider?back=PATH`: to the provider.
pub(super) async fn begin(
    axum::extract::State(shared): State,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Result<Response, PageError> {
    // Another site begins no log-in here; a bookmark may.
    if headers.get("sec-fetch-site").is_none_or(|site| site.as_bytes() != b"none") {
        session::check_origin(&headers)?;
    }
    let oidc = of_provider(&shared)?;
    match oidc.begin(back.path()).await {
        Ok(begun) => {
            let cookie = [(header::SET_COOKIE, pending(&begun.cookie, oidc::LASTS_S))];
            Ok((cookie, Redirect::to(&begun.location)).into_response())
        }
        Err(refused) => Ok(show_refused(oidc, &refused)),
    }
}

/// `GET /ui/login/callback?...`: back from the provider.
pub(super) async fn finish(
    axum::extract::State(shared): State,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let oidc = of_provider(&shared)?;
    let returned = serde_urlencoded::from_str(query.as_deref().unwrap_or_default());
    let returned: Returned = returned.map_err(|error| Problem::bad(error.to_string()))?;
    let cookie = session::cookie_in(&headers, oidc::COOKIE, oidc::MAX_COOKIE);
    let mut answer = match oidc.finish(&returned, cookie).await {
        Ok(person) => log_in(&shared, oidc, &person).await?,
        Err(refused) => show_refused(oidc, &refused),
    };
    // Whatever came of it, it is over.
    if let Ok(over) = HeaderValue::try_from(pending("", 0)) {
        answer.headers_mut().append(header::SET_COOKIE, over);
    }
    Ok(answer)
}

async fn log_in(shared: &Shared, oidc: &oidc::Oidc, person: &Person) -> Result<Response, Problem> {
    let secret = home::new_token().map_err(|error| Problem::internal(&error))?;
    if !shared.store.log_in_by(person, &secret, i64::from(LASTS_S) * 1000).await? {
        return Ok(show_refused(oidc, &Refused::Used));
    }
    tracing::info!(name = person.name, role = person.role.word(), "somebody has logged in");
    let cookie = [(header::SET_COOKIE, session::cookie(&secret, LASTS_S))];
    // Not a redirect: it would count as coming from the provider's site, and the session's cookie would stay behind.
    Ok((cookie, page::forward("Logged in", &person.back)).into_response())
}

/// What somebody is told who did not get in.
fn show_refused(oidc: &oidc::Oidc, refused: &Refused) -> Response {
    let error: String = refused.to_string().chars().take(4 * MAX_WORD).collect();
    tracing::warn!(error = shown(&error), "a log-in by the provider was refused");
    let status = match refused {
        Refused::NoRule { .. } => StatusCode::FORBIDDEN,
        Refused::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Refused::Random => StatusCode::INTERNAL_SERVER_ERROR,
        refused if refused.is_providers() => StatusCode::BAD_GATEWAY,
        _ => StatusCode::BAD_REQUEST,
    };
    let title = match refused {
        Refused::NoRule { .. } => "You may not log in here",
        _ => "That did not work",
    };
    let name = shown(oidc.name());
    let content = html! {
        section .panel {
            h1 { (title) }
            @match refused {
                Refused::NoRule { subject, name: who } => (no_rule(&name, subject, who)),
                refused if refused.is_providers() => {
                    p .wrong role="alert" { (name) " cannot be asked who you are: " (shown(&error)) }
                    p .hint { "Try again in a moment. With a token it goes without." }
                },
                _ => p .wrong role="alert" { (shown(&error)) },
            }
            p { a href="/ui/login" { "Log in again" } }
        }
    };
    (status, page::bare(title, &content)).into_response()
}

fn no_rule(provider: &str, subject: &str, name: &str) -> Markup {
    // A subject has neither quotation marks nor anything else in it that does not stand for itself, but these.
    let quoted = subject.replace('\\', "\\\\").replace('"', "\\\"");
    html! {
        p role="alert" {
            (provider) " knows you as " strong { (shown(name)) } ", and no rule of this server says what you may do."
        }
        p { "Whoever runs the server can change that: in " code { "oidc.toml" } " in its folder, then start the server again." }
        pre { code { "[[rule]]\nrole = \"viewer\"\nclaim = \"sub\"\nis = \"" (shown(&quoted)) "\"" } }
        p .hint { "A rule for a group of people asks for another claim: " code { "groups" } ", or " code { "email" } "." }
    }
}
