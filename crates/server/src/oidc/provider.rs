//! The provider: what it says of itself, its keys, and what it gives for a code. It is asked when that is needed, and what
//! it has said is kept for a while.

use super::{
    Claims, Refused,
    id_token::{self, Expected},
    settings::{Settings, endpoint},
};
use crate::outgoing::{self, Answer, Trust};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, header};
use jsonwebtoken::jwk::JwkSet;
use serde::{Deserialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// For each answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is believed what the provider said of itself, and which keys it has.
const KEPT: Duration = Duration::from_secs(3600);
/// So long after it could not be asked it is not asked again.
const REST: Duration = Duration::from_secs(3);
/// Keys are not asked for more often than that, whatever tokens say.
const KEYS_REST: Duration = Duration::from_secs(30);
/// Most keys that a provider has.
const MAX_KEYS: usize = 64;

/// What a provider says of itself (OpenID Connect Discovery 1.0), as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What it gives for a code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: String,
    access_token: Option<String>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Instant)>,
    keys: Option<(Arc<JwkSet>, Instant)>,
    /// When they were asked for last because of a token.
    renewed: Option<Instant>,
    /// When and why it could not be asked last.
    failed: Option<(Refused, Instant)>,
}

/// The provider.
pub(super) struct Provider {
    issuer: String,
    trust: Trust,
    known: Mutex<Known>,
}

impl Provider {
    pub(super) fn new(settings: &Settings) -> Self {
        let (issuer, trust) = (settings.issuer.clone(), settings.trust.clone());
        Self { issuer, trust, known: Mutex::default() }
    }

    /// Where browsers log in.
    pub(super) async fn authorization_endpoint(&self) -> Result<String, Refused> {
        Ok(self.metadata().await?.authorization_endpoint.clone())
    }

    /// Refuses an answer that says it is of another provider (RFC 9207).
    pub(super) async fn check_issuer(&self, said: Option<&str>) -> Result<(), Refused> {
        let says = self.metadata().await?.authorization_response_iss_parameter_supported;
        match said {
            Some(said) if said != self.issuer => {
                Err(Refused::OtherIssuer { said: said.to_owned(), expected: self.issuer.clone() })
            }
            None if says => Err(Refused::NoIssuer),
            _ => Ok(()),
        }
    }

    /// What the provider gives for a code.
    pub(super) async fn exchange(
        &self,
        settings: &Settings,
        code: &str,
        verifier: &str,
    ) -> Result<Tokens, Refused> {
        let metadata = self.metadata().await?;
        let (id, secret) = (&settings.client_id, &settings.client_secret);
        let redirect_uri = settings.redirect_uri();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", verifier),
        ];
        let url = &metadata.token_endpoint;
        let mut request = Request::builder().method(Method::POST).uri(url);
        if metadata.takes_basic() {
            let secret = format!("{}:{}", encoded(id), encoded(secret));
            let basic = format!("Basic {}", BASE64_STANDARD.encode(secret));
            request = request.header(header::AUTHORIZATION, basic);
        } else {
            form.extend([("client_id", &**id), ("client_secret", &**secret)]);
        }
        let body = serde_urlencoded::to_string(form).unwrap_or_default();
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.ask(url, request, body).await?;
        if answer.status == StatusCode::OK {
            return parse(url, &answer);
        }
        #[derive(Deserialize)]
        struct Failed {
            error: String,
        }
        match serde_json::from_slice(&answer.body) {
            Ok(Failed { error }) => Err(Refused::Code(error)),
            Err(_) => Err(unexpected(url, answer.status)),
        }
    }

    /// What an ID token says, when it is as expected and signed by a key of the provider's.
    pub(super) async fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<Claims, Refused> {
        let header = id_token::header(token)?;
        let keys = self.keys(None).await?;
        if let Some(claims) = id_token::verify(token, &header, &keys, expected)? {
            return Ok(claims);
        }
        // It may have new ones.
        let newer = self.keys(Some(&keys)).await?;
        let claims = id_token::verify(token, &header, &newer, expected)?;
        claims.ok_or_else(|| Refused::token("it is signed by no key that the provider has"))
    }

    /// Adds what the provider says elsewhere of whom the claims are of, for what they do not have.
    pub(super) async fn add_info(
        &self,
        tokens: &Tokens,
        claims: &mut Claims,
    ) -> Result<(), Refused> {
        let metadata = self.metadata().await?;
        let (Some(url), Some(token)) = (&metadata.userinfo_endpoint, &tokens.access_token) else {
            return Ok(());
        };
        let request = Request::get(url).header(header::AUTHORIZATION, format!("Bearer {token}"));
        let answer = self.ask(url, request, String::new()).await?;
        if answer.status != StatusCode::OK {
            return Err(unexpected(url, answer.status));
        }
        let info: Claims = parse(url, &answer)?;
        if info.get("sub") != claims.get("sub") {
            return Err(nonsense(url, "it is of somebody else"));
        }
        // That an address is verified is said of the one that stands beside it: both are of the token, or both of this.
        let settled = claims.contains_key("email_verified");
        if !settled {
            claims.remove("email");
        }
        for (name, value) in info {
            if !(settled && matches!(&*name, "email" | "email_verified")) {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(())
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, Refused> {
        let mut known = self.known.lock().await;
        match &known.metadata {
            Some((metadata, at)) if at.elapsed() < KEPT => return Ok(Arc::clone(metadata)),
            _ => {}
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.fetch(&mut known, &url).await?;
        metadata.check(&self.issuer).map_err(|why| nonsense(&url, &why))?;
        let metadata = Arc::new(metadata);
        known.metadata = Some((Arc::clone(&metadata), Instant::now()));
        Ok(metadata)
    }

    /// The provider's keys; newer ones than `than`, if it has some and was not asked a short while ago.
    async fn keys(&self, than: Option<&Arc<JwkSet>>) -> Result<Arc<JwkSet>, Refused> {
        let url = &self.metadata().await?.jwks_uri;
        let mut known = self.known.lock().await;
        if let Some((keys, at)) = &known.keys {
            let newer = than.is_none_or(|than| !Arc::ptr_eq(than, keys));
            let lately = known.renewed.is_some_and(|at| at.elapsed() < KEYS_REST);
            if if newer { at.elapsed() < KEPT } else { lately } {
                return Ok(Arc::clone(keys));
            }
        }
        if than.is_some() {
            known.renewed = Some(Instant::now());
        }
        let keys: JwkSet = self.fetch(&mut known, url).await?;
        if keys.keys.len() > MAX_KEYS {
            return Err(nonsense(url, "there are too many keys"));
        }
        let keys = Arc::new(keys);
        known.keys = Some((Arc::clone(&keys), Instant::now()));
        Ok(keys)
    }

    /// Asks for what is public. One that could not be asked is left alone for a moment: many may want to log in.
    async fn fetch<T: DeserializeOwned>(&self, known: &mut Known, url: &str) -> Result<T, Refused> {
        match &known.failed {
            Some((refused, at)) if at.elapsed() < REST => return Err(refused.clone()),
            _ => known.failed = None,
        }
        let fetched = async {
            let answer = self.ask(url, Request::get(url), String::new()).await?;
            match answer.status {
                StatusCode::OK => parse(url, &answer),
                status => Err(unexpected(url, status)),
            }
        };
        let fetched = fetched.await;
        if let Err(refused) = &fetched {
            known.failed = Some((refused.clone(), Instant::now()));
        }
        fetched
    }

    async fn ask(
        &self,
        url: &str,
        request: hyper::http::request::Builder,
        body: String,
    ) -> Result<Answer, Refused> {
        let failed = |why: String| Refused::Unreachable { url: url.to_owned(), why };
        let request = request.header(header::ACCEPT, "application/json");
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| failed(error.to_string()))?;
        match timeout(PATIENCE, outgoing::ask(request, self.trust.clone())).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failed(outgoing::causes(&*error))),
            Err(_) => Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }
}

impl Metadata {
    fn check(&self, issuer: &str) -> Result<(), String> {
        if self.issuer != issuer {
            return Err(format!("it is of the issuer {:?}, not of {issuer:?}", self.issuer));
        }
        let must = [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri];
        for url in must.into_iter().chain(&self.userinfo_endpoint) {
            endpoint(url).map_err(|why| format!("{url:?} {why}"))?;
        }
        Ok(())
    }

    /// Whether our secret goes there by HTTP Basic, as it does where nothing is said.
    fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        methods.is_none_or(|methods| {
            let has = |method: &str| methods.iter().any(|m| m == method);
            has("client_secret_basic") || !has("client_secret_post")
        })
    }
}

fn parse<T: DeserializeOwned>(url: &str, answer: &Answer) -> Result<T, Refused> {
    // Not what stands there: that may be a token.
    serde_json::from_slice(&answer.body).map_err(|error| {
        nonsense(url, &format!("line {}, column {}", error.line(), error.column()))
    })
}

fn nonsense(url: &str, why: &str) -> Refused {
    Refused::Nonsense { url: url.to_owned(), why: why.to_owned() }
}

fn unexpected(url: &str, status: StatusCode) -> Refused {
    Refused::Unreachable { url: url.to_owned(), why: format!("the answer is {status}") }
}

/// As in a form (RFC 6749, 2.3.1).
fn encoded(text: &str) -> String {
    let pair = serde_urlencoded::to_string([("", text)]).unwrap_or_default();
    pair.strip_prefix('=').unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_secret_goes() {
        let metadata = |methods: &str| -> Metadata {
            let text = format!(
                "{{\"issuer\": \"i\", \"authorization_endpoint\": \"a\", \"token_endpoint\": \"t\", \"jwks_uri\": \"j\"{methods}}}"
            );
            serde_json::from_str(&text).unwrap()
        };
        let of = |methods: &str| {
            metadata(&format!(", \"token_endpoint_auth_methods_supported\": {methods}"))
                .takes_basic()
        };
        assert!(metadata("").takes_basic());
        assert!(of("[\"client_secret_basic\", \"client_secret_post\"]"));
        assert!(!of("[\"client_secret_post\"]"));
        assert!(of("[\"private_key_jwt\"]"), "it says no, in words");
        assert_eq!(encoded("a b:c%=ä"), "a+b%3Ac%25%3D%C3%A4");
        assert_eq!(encoded("=a"), "%3Da");
    }
}
