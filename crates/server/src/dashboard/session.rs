//! Who is at the browser: logging in with a token, the cookie, and the token of pages that change something.

use super::page::{self, PageError};
use crate::{
    api::{Role, Token},
    handlers::{State, body},
    home,
    listen::Peer,
    problem::Problem,
    store::audit,
};
use axum::{
    body::Body,
    extract::{Query, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use serde::{Deserialize, de::DeserializeOwned};
use xenoboot_wire::Digest;

/// The cookie. Browsers take one of such a name only with `Secure`, for the whole site and no other.
const COOKIE: &str = "__Host-xenoboot";
/// How long a session lasts, seconds.
const LASTS_S: u32 = 12 * 3600;
/// Largest form, bytes.
const MAX_FORM: usize = 16 << 10;
/// Longest token that is looked up, bytes.
const MAX_TOKEN: usize = 256;

/// Who is at the browser.
#[derive(Clone)]
pub(super) struct Session {
    /// In whose name.
    pub(super) token: Token,
    /// What a form must have so that it is one of ours: other sites cannot read it.
    pub(super) csrf: String,
}

impl Session {
    /// Whether he may change something.
    pub(super) fn acts(&self) -> bool {
        self.token.role >= Role::Operator
    }
}

/// The secret of a cookie makes the token of its pages, so that there is nothing more to keep.
fn csrf_of(secret: &str) -> String {
    Digest::of(format!("xenoboot csrf {secret}").as_bytes()).to_string()
}

/// A form of a page of ours.
pub(super) async fn form<T: DeserializeOwned>(session: &Session, body: Body) -> Result<T, Problem> {
    #[derive(Deserialize)]
    struct Sent {
        #[serde(default)]
        csrf: String,
    }
    let bytes = body::read(body, MAX_FORM).await?;
    let sent: Sent = parse(&bytes)?;
    // Of digests, so that the time it takes says nothing.
    if Digest::of(sent.csrf.as_bytes()) != Digest::of(session.csrf.as_bytes()) {
        let error = "the form is not of a page that this server gave you";
        let problem = Problem::new(StatusCode::FORBIDDEN, error);
        return Err(problem.hint("load the page again, and do it once more"));
    }
    parse(&bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_urlencoded::from_bytes(bytes)
        .map_err(|error| Problem::bad(format!("not the form expected: {error}")))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let pairs = all.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE && value.len() <= MAX_TOKEN).then_some(value))
}

/// A browser says where a request comes from; what another site sends is refused whatever it holds.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin") => Ok(()),
        Some(_) => Err(Problem::new(StatusCode::FORBIDDEN, "another site has sent this")),
    }
}

/// Lets through whoever has logged in, to what his role may; what he does is done in his name.
pub(super) async fn required(
    axum::extract::State(shared): State,
    mut request: Request,
    next: Next,
) -> Result<Response, PageError> {
    let secret = cookie(request.headers()).map(str::to_owned);
    let token = match &secret {
        Some(secret) => shared.store.session(secret).await?,
        None => None,
    };
    let (Some(secret), Some(token)) = (secret, token) else {
        return Ok(to_login(&request).into_response());
    };
    let (path, reads) = (request.uri().path(), request.method() == Method::GET);
    let session = Session { csrf: csrf_of(&secret), token };
    if !reads && request.method() != Method::HEAD {
        check_origin(request.headers())?;
        if path != "/ui/logout" && !session.acts() {
            let error =
                format!("the token {} is a viewer's: it changes nothing", session.token.name);
            return Err(Problem::new(StatusCode::FORBIDDEN, error).into());
        }
    }
    if let Some(peer) = request.extensions().get::<Peer>() {
        peer.trust();
    }
    let name = session.token.name.clone();
    request.extensions_mut().insert(session);
    Ok(audit::as_actor(name, next.run(request)).await)
}

fn to_login(request: &Request) -> Redirect {
    let path = request.uri().path_and_query().map_or("/ui", |path| path.as_str());
    let back = serde_urlencoded::to_string([("back", path)]).unwrap_or_default();
    let get = request.method() == Method::GET && path != "/ui";
    if get { Redirect::to(&format!("/ui/login?{back}")) } else { Redirect::to("/ui/login") }
}

/// Where to go after logging in: a page of ours.
#[derive(Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    back: String,
}

impl Back {
    fn path(&self) -> &str {
        let ours =
            self.back == "/ui" || self.back.starts_with("/ui/") || self.back.starts_with("/ui?");
        let plain = self.back.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
        if ours && plain { &self.back } else { "/ui" }
    }
}

/// `GET /ui/login`.
pub(super) async fn ask(Query(back): Query<Back>) -> Response {
    login_page(&back, None).into_response()
}

fn login_page(back: &Back, wrong: Option<&str>) -> page::Html {
    page::bare(
        "Log in",
        &html! {
            form .login method="post" action="/ui/login" {
                h1 { "Xenoboot" }
                @if let Some(wrong) = wrong { p .wrong role="alert" { (wrong) } }
                label for="token" { "Token" }
                input #token type="password" name="token" required autofocus autocomplete="current-password";
                input type="hidden" name="back" value=(back.path());
                button type="submit" { "Log in" }
                p .hint {
                    "The token of your operator.toml; a new one is given out by "
                    code { "xenoboot token new" } "."
                }
            }
        },
    )
}

/// `POST /ui/login`.
pub(super) async fn log_in(
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
    check_origin(&headers)?;
    let sent: Sent = parse(&body::read(body, MAX_FORM).await?)?;
    let token = sent.token.trim();
    let secret = home::new_token().map_err(|error| Problem::internal(&error))?;
    let known = match token.len() <= MAX_TOKEN {
        true => shared.store.log_in(token, &secret, i64::from(LASTS_S) * 1000).await?,
        false => None,
    };
    if known.is_none() {
        let page = login_page(&sent.back, Some("That is not a token of this server."));
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    }
    let cookie =
        format!("{COOKIE}={secret}; Path=/; Max-Age={LASTS_S}; Secure; HttpOnly; SameSite=Strict");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(sent.back.path())).into_response())
}

/// `POST /ui/logout`.
pub(super) async fn log_out(
    axum::extract::State(shared): State,
    axum::Extension(session): axum::Extension<Session>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PageError> {
    let _: Back = form(&session, body).await?;
    if let Some(secret) = cookie(&headers) {
        shared.store.log_out(secret).await?;
    }
    let gone = format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
    Ok(([(header::SET_COOKIE, gone)], Redirect::to("/ui/login")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_leads_to_a_page_of_ours() {
        for (back, path) in [
            ("/ui/machines/a", "/ui/machines/a"),
            ("/ui?doing=failed&search=a%20b", "/ui?doing=failed&search=a%20b"),
            ("https://example.org/", "/ui"),
            ("//example.org/ui", "/ui"),
            ("/ui.example.org", "/ui"),
            ("/ui/\\x", "/ui"),
            ("/ui/\r\nx: y", "/ui"),
        ] {
            assert_eq!(Back { back: back.to_owned() }.path(), path, "{back}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        assert_eq!(cookie(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; x__Host-xenoboot=no"));
        headers.append(header::COOKIE, HeaderValue::from_static("c; __Host-xenoboot=yes; d=e"));
        assert_eq!(cookie(&headers), Some("yes"));
    }
}
