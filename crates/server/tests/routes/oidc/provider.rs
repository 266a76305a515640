//! A provider of OpenID Connect that does as it is told, on the loopback: its own part of the flow is checked (the code, the
//! verifier of PKCE, the client's secret), and what it answers may be anything.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64},
};
use ring::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// What the client is called and what it shows; what has a meaning in URLs must come through.
pub(crate) const CLIENT: &str = "xenoboot";
pub(crate) const SECRET: &str = "very:secret+&%";

/// What is answered in place of tokens.
pub(crate) type Answer = fn() -> Response;

/// What its answers are, and what it was asked.
pub(crate) struct Play {
    /// Added to what it says of itself; null takes away.
    pub(crate) metadata: Value,
    /// Added to a good ID token's claims; null takes away.
    pub(crate) claims: Value,
    pub(crate) info: Option<Value>,
    /// The seeds of the key that signs, and of the one that is published.
    pub(crate) signs: u8,
    pub(crate) published: u8,
    /// The algorithm that a token names, if not the right one.
    pub(crate) alg: Option<&'static str>,
    /// In place of the answer for a code.
    pub(crate) token_answer: Option<Answer>,
    /// Codes, with nonce and challenge; a good provider would forget each after its use.
    codes: HashMap<String, (String, String)>,
    /// How often each path was asked for.
    pub(crate) asked: HashMap<&'static str, usize>,
}

/// A running one.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    play: Arc<Mutex<Play>>,
    task: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let play = Play {
            metadata: json!({}),
            claims: json!({}),
            info: None,
            signs: 1,
            published: 1,
            alg: None,
            token_answer: None,
            codes: HashMap::new(),
            asked: HashMap::new(),
        };
        let play = Arc::new(Mutex::new(play));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/info", get(info))
            .with_state((issuer.clone(), Arc::clone(&play)));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { issuer, play, task }
    }

    /// What it does from now on.
    pub(crate) fn play(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap()
    }

    /// Somebody has logged in there, with a browser that was sent with this nonce and challenge.
    pub(crate) fn code(&self, nonce: &str, challenge: &str) -> String {
        let code = format!("code-{}", self.play().codes.len());
        self.play().codes.insert(code.clone(), (nonce.to_owned(), challenge.to_owned()));
        code
    }
}

type Shared = State<(String, Arc<Mutex<Play>>)>;

fn with(mut value: Value, more: &Value) -> Value {
    for (name, more) in more.as_object().unwrap() {
        value[name] = more.clone();
        if more.is_null() {
            value.as_object_mut().unwrap().remove(name);
        }
    }
    value
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

async fn metadata(State((issuer, play)): Shared) -> Json<Value> {
    let mut play = play.lock().unwrap();
    *play.asked.entry("metadata").or_default() += 1;
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?tenant=a"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "id_token_signing_alg_values_supported": ["EdDSA"],
    });
    Json(with(metadata, &play.metadata))
}

async fn jwks(State((_, play)): Shared) -> Json<Value> {
    let mut play = play.lock().unwrap();
    *play.asked.entry("jwks").or_default() += 1;
    let x = BASE64.encode(key(play.published).public_key());
    let strange = json!({ "kty": "PQ", "kid": "future", "pub": "AAAA" });
    Json(json!({ "keys": [strange, { "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] }))
}

async fn token(State((issuer, play)): Shared, headers: HeaderMap, form: Bytes) -> Response {
    let mut play = play.lock().unwrap();
    *play.asked.entry("token").or_default() += 1;
    if let Some(answer) = play.token_answer {
        return answer();
    }
    let form: HashMap<String, String> = serde_urlencoded::from_bytes(&form).unwrap();
    let refused =
        |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    let basic = BASE64_STANDARD.encode(format!("{CLIENT}:very%3Asecret%2B%26%25"));
    let shown = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
    let posted = form.get("client_secret").map(String::as_str) == Some(SECRET);
    if shown != Some(&format!("Basic {basic}")) && !posted {
        return refused("invalid_client");
    }
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let challenge = BASE64.encode(digest(&SHA256, field("code_verifier").as_bytes()));
    let good = match play.codes.get(field("code")) {
        Some((nonce, of)) if *of == challenge => Some(nonce.clone()),
        _ => None,
    };
    let back = field("redirect_uri") == "https://boot.example.org/ui/login/callback";
    let (Some(nonce), true) = (good, back && field("grant_type") == "authorization_code") else {
        return refused("invalid_grant");
    };
    let id_token = id_token(&issuer, &play, &nonce);
    let tokens = json!({ "id_token": id_token, "access_token": "access", "token_type": "Bearer" });
    Json(tokens).into_response()
}

fn id_token(issuer: &str, play: &Play, nonce: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": issuer, "aud": CLIENT, "sub": "0815", "nonce": nonce, "iat": now, "exp": now + 300,
        "email": "alice@example.org", "email_verified": true,
    });
    let claims = with(claims, &play.claims);
    let head = json!({ "alg": play.alg.unwrap_or("EdDSA"), "kid": "k" });
    let part = |value: &Value| BASE64.encode(value.to_string());
    let text = format!("{}.{}", part(&head), part(&claims));
    let signature = match play.alg {
        Some("none") => String::new(),
        _ => BASE64.encode(key(play.signs).sign(text.as_bytes())),
    };
    format!("{text}.{signature}")
}

async fn info(State((_, play)): Shared, headers: HeaderMap) -> Response {
    let mut play = play.lock().unwrap();
    *play.asked.entry("info").or_default() += 1;
    assert_eq!(headers[header::AUTHORIZATION], "Bearer access");
    Json(play.info.clone().unwrap()).into_response()
}

/// An answer that never ends.
pub(crate) fn endless() -> Response {
    let more = Bytes::from(vec![b' '; 64 << 10]);
    let stream = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(more.clone()));
    Body::from_stream(stream).into_response()
}
