//! Who is at the browser: the cookie, and the token of pages that change something.

use super::page::PageError;
use crate::{
    api::Role,
    handlers::{State, body},
    listen::Peer,
    oidc::Oidc,
    problem::Problem,
    store::{Who, audit},
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use xenoboot_wire::Digest;

/// The cookie. Browsers take one of such a name only with `Secure`, for the whole site and no other.
const COOKIE: &str = "__Host-xenoboot";
/// How long a session lasts, seconds.
pub(super) const LASTS_S: u32 = 12 * 3600;
/// Largest form, bytes.
const MAX_FORM: usize = 16 << 10;
/// Longest token that is looked up, bytes.
pub(super) const MAX_TOKEN: usize = 256;

/// Who is at the browser.
#[derive(Clone)]
pub(super) struct Session {
    /// In whose name.
    pub(super) who: Who,
    /// What a form must have so that it is one of ours: other sites cannot read it.
    pub(super) csrf: String,
}

impl Session {
    /// Whether he may change something.
    pub(super) fn acts(&self) -> bool {
        self.who.role >= Role::Operator
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

/// A form that is sent before anybody has logged in.
pub(super) async fn form_of_anybody<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    parse(&body::read(body, MAX_FORM).await?)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_urlencoded::from_bytes(bytes)
        .map_err(|error| Problem::bad(format!("not the form expected: {error}")))
}

/// The session's cookie as it is given; an empty one that lasts no time takes it back.
pub(super) fn cookie(secret: &str, lasts_s: u32) -> String {
    format!("{COOKIE}={secret}; Path=/; Max-Age={lasts_s}; Secure; HttpOnly; SameSite=Strict")
}

/// The cookie of that name, if it is not longer than it can be.
pub(super) fn cookie_in<'a>(headers: &'a HeaderMap, name: &str, most: usize) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let pairs = all.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name && value.len() <= most).then_some(value))
}

fn secret(headers: &HeaderMap) -> Option<&str> {
    cookie_in(headers, COOKIE, MAX_TOKEN)
}

/// A browser says where a request comes from; what another site sends is refused whatever it holds.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
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
    let secret = secret(request.headers()).map(str::to_owned);
    let provider = shared.oidc.as_ref().map(Oidc::issuer);
    let who = match &secret {
        Some(secret) => shared.store.session(secret, provider).await?,
        None => None,
    };
    let (Some(secret), Some(who)) = (secret, who) else {
        return Ok(to_login(&request).into_response());
    };
    let (path, reads) = (request.uri().path(), request.method() == Method::GET);
    let session = Session { csrf: csrf_of(&secret), who };
    if !reads && request.method() != Method::HEAD {
        check_origin(request.headers())?;
        if path != "/ui/logout" && !session.acts() {
            let error = format!("{} is a viewer, who changes nothing", session.who.name);
            return Err(Problem::new(StatusCode::FORBIDDEN, error).into());
        }
    }
    if let Some(peer) = request.extensions().get::<Peer>() {
        peer.trust();
    }
    let name = session.who.name.clone();
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
    pub(super) fn path(&self) -> &str {
        let ours =
            self.back == "/ui" || self.back.starts_with("/ui/") || self.back.starts_with("/ui?");
        let plain = self.back.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
        if ours && plain { &self.back } else { "/ui" }
    }
}

/// `POST /ui/logout`.
pub(super) async fn log_out(
    axum::extract::State(shared): State,
    axum::Extension(session): axum::Extension<Session>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PageError> {
    let _: Back = form(&session, body).await?;
    if let Some(secret) = secret(&headers) {
        shared.store.log_out(secret).await?;
    }
    Ok(([(header::SET_COOKIE, cookie("", 0))], Redirect::to("/ui/login")).into_response())
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
        assert_eq!(secret(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; x__Host-xenoboot=no"));
        headers.append(header::COOKIE, HeaderValue::from_static("c; __Host-xenoboot=yes; d=e"));
        assert_eq!(secret(&headers), Some("yes"));
    }
}
