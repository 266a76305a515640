//! Logging in by a provider of OpenID Connect, over the wire: who gets in, and that nobody else does.

mod browser;
mod provider;
mod trust;

use crate::{
    client::TestServer,
    dashboard::{Page, Visitor},
};
use axum::response::IntoResponse;
use hyper::{Method, StatusCode, header};
use provider::{Answer, CLIENT, Provider, SECRET};
use serde_json::{Value, json};
use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt, path::Path};
use xenoboot_server::Server;

const RULES: &str = "\n[[rule]]\nrole = \"operator\"\nclaim = \"email\"\nis = \"@example.org\"\n\
    [[rule]]\nrole = \"admin\"\nclaim = \"groups\"\nis = \"chiefs\"\n";

/// Writes `oidc.toml`.
fn configure(folder: &Path, issuer: &str, more: &str) {
    let file = folder.join("oidc.toml");
    let text = format!(
        "issuer = \"{issuer}\"\nclient_id = \"{CLIENT}\"\nclient_secret = \"{SECRET}\"\n\
         url = \"https://boot.example.org\"\nname = \"Example ID\"\n{more}{RULES}"
    );
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A server by whose provider people log in.
async fn server(provider: &Provider) -> TestServer {
    let mut server = TestServer::start().await;
    configure(&server.folder(), &provider.issuer, "");
    server.start_again().await;
    server
}

/// A log-in that has begun.
struct Begun {
    cookie: String,
    state: String,
    nonce: String,
    challenge: String,
}

impl Begun {
    /// At the provider somebody has said who he is: where his browser is sent then.
    fn path(&self, provider: &Provider) -> String {
        let code = provider.code(&self.nonce, &self.challenge);
        callback(&[("code", &code), ("state", &self.state)])
    }
}

fn callback(query: &[(&str, &str)]) -> String {
    format!("/ui/login/callback?{}", serde_urlencoded::to_string(query).unwrap())
}

fn stranger(server: &TestServer) -> Visitor<'_> {
    Visitor { server, cookie: String::new() }
}

async fn begin(server: &TestServer, back: &str) -> Begun {
    let query = serde_urlencoded::to_string([("back", back)]).unwrap();
    let page = stranger(server).get(&format!("/ui/login/provider?{query}")).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let location = page.header(header::LOCATION);
    let (endpoint, query) = location.split_once("/authorize?tenant=a&").expect(location);
    assert!(endpoint.starts_with("http://127.0.0.1:"), "{location}");
    let query: HashMap<String, String> = serde_urlencoded::from_str(query).unwrap();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", "https://boot.example.org/ui/login/callback"),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(query[name], value, "{name}");
    }
    let cookie = page.header(header::SET_COOKIE);
    for part in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=600"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(cookie.starts_with("__Host-xenoboot-login="), "{cookie}");
    assert!(!cookie.contains(&query["nonce"]), "it is sealed");
    Begun {
        cookie: cookie.split(';').next().unwrap().to_owned(),
        state: query["state"].clone(),
        nonce: query["nonce"].clone(),
        challenge: query["code_challenge"].clone(),
    }
}

/// The browser comes back from the provider's site.
async fn finish(server: &TestServer, cookie: &str, path: &str) -> Page {
    let visitor = Visitor { server, cookie: cookie.to_owned() };
    visitor.ask(Method::GET, path, String::new(), "cross-site").await
}

/// The session's cookie, if one was given.
fn session(page: &Page) -> Option<String> {
    let cookies = page.headers.get_all(header::SET_COOKIE).into_iter();
    let mut cookies = cookies.map(|cookie| cookie.to_str().unwrap());
    let cookie = cookies.find(|cookie| cookie.starts_with("__Host-xenoboot="))?;
    assert!(cookie.ends_with("; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
    Some(cookie.split(';').next().unwrap().to_owned())
}

#[tokio::test]
async fn the_provider_says_who_and_the_rules_what_he_may() {
    let provider = Provider::start().await;
    let mut server = server(&provider).await;
    let page = stranger(&server).get("/ui/login?back=/ui/runs").await;
    assert!(page.text.contains("Log in with Example ID"), "{}", page.text);
    assert!(page.text.contains("/ui/login/provider?back=%2Fui%2Fruns"), "{}", page.text);

    let begun = begin(&server, "/ui/runs").await;
    // What is pending is in the cookie: it is finished by any server that has these keys.
    server.start_again().await;
    let path = begun.path(&provider);
    let page = finish(&server, &begun.cookie, &path).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("content=\"0; url=/ui/runs\""), "{}", page.text);
    let over = page.headers.get_all(header::SET_COOKIE).iter();
    let over =
        over.filter(|cookie| cookie.to_str().unwrap().contains("-login=; Path=/; Max-Age=0"));
    assert_eq!(over.count(), 1);
    let cookie = session(&page).expect("no session");
    let visitor = Visitor { server: &server, cookie: cookie.clone() };
    let page = visitor.get("/ui").await;
    assert!(page.text.contains("oidc:alice@example.org</bdi> · operator"), "{}", page.text);
    assert!(!server.keeps(cookie.split_once('=').unwrap().1), "what is kept opens nothing");

    // He does something, in his name.
    server.push("hello", 1).await;
    let form = [("scope", "default"), ("state", "boot"), ("csrf", page.csrf())];
    let done = visitor.post("/ui/bundles/hello/assign", &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let audit = server.get("audit").await.unwrap()["entries"].clone();
    let of = |action: &str| {
        audit.as_array().unwrap().iter().find(|entry| entry["action"] == action).unwrap().clone()
    };
    assert_eq!(of("assignment.set")["actor"], "oidc:alice@example.org");
    let noted = json!({ "issuer": provider.issuer, "subject": "0815", "role": "operator" });
    assert_eq!(of("dashboard.login")["detail"], noted);

    // Once, even if the provider takes the code again and the browser has kept the cookie.
    let again = finish(&server, &begun.cookie, &path).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.text.contains("was used already") && session(&again).is_none());

    // An admin sees it and ends it.
    let listed = server.get("sessions").await.unwrap();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["subject"], &listed[0]["role"]), (&json!("0815"), &json!("operator")));
    server.send(Method::DELETE, "sessions/oidc:alice@example.org", Vec::new()).await.unwrap();
    assert_eq!(visitor.get("/ui").await.status, StatusCode::SEE_OTHER);

    // Logging out ends it; so does a server that knows the provider no more.
    let enter = async |server: &TestServer| {
        let begun = begin(server, "/ui").await;
        session(&finish(server, &begun.cookie, &begun.path(&provider)).await).unwrap()
    };
    let visitor = Visitor { server: &server, cookie: enter(&server).await };
    let page = visitor.get("/ui").await;
    visitor.post("/ui/logout", &[("csrf", page.csrf())]).await;
    assert_eq!(visitor.get("/ui").await.status, StatusCode::SEE_OTHER);
    let cookie = enter(&server).await;
    fs::remove_file(server.folder().join("oidc.toml")).unwrap();
    server.start_again().await;
    let visitor = Visitor { server: &server, cookie };
    assert_eq!(visitor.get("/ui").await.status, StatusCode::SEE_OTHER);
    assert_eq!(visitor.get("/ui/login/provider").await.status, StatusCode::NOT_FOUND);
    assert!(!visitor.get("/ui/login").await.text.contains("Log in with "));
}

#[tokio::test]
async fn an_answer_that_belongs_to_no_log_in_of_this_browser_is_refused() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    let (begun, other) = (begin(&server, "/ui").await, begin(&server, "/ui").await);
    let code = provider.code(&begun.nonce, &begun.challenge);
    let good = [("code", &*code), ("state", &begun.state)];
    let issuer = provider.issuer.clone();
    let damaged = begun.cookie.replace("login=1", "login=2");
    for (cookie, query, why) in [
        ("", good.to_vec(), "not begun in this browser"),
        (&*damaged, good.to_vec(), "not begun in this browser"),
        ("__Host-xenoboot-login=", good.to_vec(), "not begun in this browser"),
        (&*other.cookie, good.to_vec(), "belongs to another log-in"),
        (&*begun.cookie, vec![("code", &*code)], "belongs to another log-in"),
        (&*begun.cookie, vec![("code", &*code), ("state", "")], "belongs to another log-in"),
        (&*begun.cookie, vec![("code", &*code), ("state", &other.state)], "belongs to another"),
        (&*begun.cookie, [&good[..], &[("state", "x")]].concat(), "duplicate field `state`"),
        (&*begun.cookie, good[1..].to_vec(), "has no code"),
        (&*begun.cookie, [&good[..], &[("iss", "https://evil.org")]].concat(), "https://evil.org"),
        (
            &*begun.cookie,
            vec![("error", "access_denied"), ("state", &begun.state)],
            "access_denied",
        ),
        (&*begun.cookie, vec![("error", "<script>"), ("state", &begun.state)], "&lt;script&gt;"),
    ] {
        let page = finish(&server, cookie, &callback(&query)).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{why}: {}", page.text);
        assert!(page.text.contains(why), "{why}: {}", page.text);
        assert!(session(&page).is_none(), "{why}");
    }
    assert!(!provider.play().asked.contains_key("token"), "nobody was asked for any of these");
    // A code that was given for another log-in: PKCE, and the nonce, tie it to that.
    let stolen = callback(&[("code", &*code), ("state", &other.state)]);
    let page = finish(&server, &other.cookie, &stolen).await;
    assert!(page.text.contains("invalid_grant") && session(&page).is_none(), "{}", page.text);
    // Another site does not begin one.
    let visitor = stranger(&server);
    let elsewhere = visitor.ask(Method::GET, "/ui/login/provider", String::new(), "cross-site");
    assert_eq!(elsewhere.await.status, StatusCode::FORBIDDEN);
    // After all that the first is good, with the provider's name.
    let named = callback(&[&good[..], &[("iss", &*issuer)]].concat());
    let page = finish(&server, &begun.cookie, &named).await;
    assert!(session(&page).is_some(), "{}", page.text);
}

/// Logs in with what the provider is told to do.
async fn enter(server: &TestServer, provider: &Provider) -> Page {
    let begun = begin(server, "/ui").await;
    finish(server, &begun.cookie, &begun.path(provider)).await
}

#[tokio::test]
async fn a_token_with_any_fault_lets_nobody_in() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    assert!(session(&enter(&server, &provider).await).is_some());
    for (claims, why) in [
        (json!({ "nonce": "other" }), "another log-in"),
        (json!({ "aud": "other" }), "another client"),
        (json!({ "iss": "https://id.example.org" }), "another issuer"),
        (json!({ "exp": 1_000_000_000 }), "expired"),
        (json!({ "sub": null }), "sub"),
    ] {
        provider.play().claims = claims;
        let page = enter(&server, &provider).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
        assert!(page.text.contains("The ID token is not valid") || page.text.contains(why));
        assert!(page.text.contains(why) && session(&page).is_none(), "{why}: {}", page.text);
    }
    provider.play().claims = json!({});
    for alg in ["none", "HS256", "RS256"] {
        provider.play().alg = Some(alg);
        let page = enter(&server, &provider).await;
        assert!(page.status == StatusCode::BAD_REQUEST && session(&page).is_none(), "{alg}");
    }
    provider.play().alg = None;
    // Known to the provider, and to no rule.
    for claims in [
        json!({ "email_verified": false }),
        json!({ "email_verified": null }),
        json!({ "email": "alice@example.com" }),
    ] {
        provider.play().claims = claims.clone();
        let page = enter(&server, &provider).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{claims}: {}", page.text);
        for part in ["no rule of this server", "is = &quot;0815&quot;", "oidc.toml"] {
            assert!(page.text.contains(part), "{part}: {}", page.text);
        }
        assert!(session(&page).is_none());
    }
    provider.play().claims = json!({ "email_verified": false, "groups": ["all", "chiefs"] });
    let page = enter(&server, &provider).await;
    let visitor = Visitor { server: &server, cookie: session(&page).unwrap() };
    assert!(visitor.get("/ui").await.text.contains("oidc:0815</bdi> · admin"));
}

#[tokio::test]
async fn keys_are_replaced_and_not_asked_for_without_end() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    let asked = |what: &str| provider.play().asked.get(what).copied().unwrap_or_default();
    assert!(session(&enter(&server, &provider).await).is_some());
    assert_eq!((asked("metadata"), asked("jwks")), (1, 1));
    // A new key is found by itself.
    (provider.play().signs, provider.play().published) = (2, 2);
    assert!(session(&enter(&server, &provider).await).is_some());
    assert_eq!((asked("metadata"), asked("jwks")), (1, 2));
    // One that the provider does not have is not sought again and again.
    provider.play().signs = 3;
    for _ in 0..3 {
        let page = enter(&server, &provider).await;
        assert!(page.text.contains("signed by no key") && session(&page).is_none());
    }
    assert_eq!((asked("metadata"), asked("jwks")), (1, 2));
}

#[tokio::test]
async fn what_the_token_does_not_say_is_asked_for() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    let endpoint = json!({ "userinfo_endpoint": format!("{}/info", provider.issuer) });
    provider.play().metadata = endpoint;
    provider.play().claims = json!({ "email": null, "email_verified": null });
    provider.play().info = Some(json!({ "sub": "0815", "groups": ["chiefs"] }));
    let page = enter(&server, &provider).await;
    let visitor = Visitor { server: &server, cookie: session(&page).expect(&page.text) };
    assert!(visitor.get("/ui").await.text.contains("· admin"));
    // Of somebody else; and a word that an address is verified, which is meant for another.
    provider.play().info = Some(json!({ "sub": "0816", "groups": ["chiefs"] }));
    let page = enter(&server, &provider).await;
    assert!(page.text.contains("somebody else") && session(&page).is_none(), "{}", page.text);
    provider.play().claims = json!({ "email_verified": null });
    provider.play().info = Some(json!({ "sub": "0815", "email_verified": true }));
    assert_eq!(enter(&server, &provider).await.status, StatusCode::FORBIDDEN);
    provider.play().claims = json!({ "email_verified": false });
    let all = json!({ "sub": "0815", "email": "alice@example.org", "email_verified": true });
    provider.play().info = Some(all);
    assert_eq!(enter(&server, &provider).await.status, StatusCode::FORBIDDEN, "the token counts");
}

#[tokio::test]
async fn after_logging_in_one_is_on_a_page_of_ours() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    for back in
        ["https://evil.org/", "//evil.org", "/ui/\\evil.org", "/ui.evil.org", "/api/v1/x", ""]
    {
        let begun = begin(&server, back).await;
        let page = finish(&server, &begun.cookie, &begun.path(&provider)).await;
        assert!(page.text.contains("content=\"0; url=/ui\""), "{back}: {}", page.text);
    }
    let begun = begin(&server, "/ui?search=\"><script>").await;
    let page = finish(&server, &begun.cookie, &begun.path(&provider)).await;
    assert!(!page.text.contains("><script>") && session(&page).is_some(), "{}", page.text);
}

#[tokio::test]
async fn a_provider_that_is_away_or_talks_nonsense_keeps_the_server_from_nothing() {
    let provider = Provider::start().await;
    let mut server = server(&provider).await;
    let asked = async |server: &TestServer| stranger(server).get("/ui/login/provider").await;
    let evil = json!({ "issuer": "https://evil.org" });
    let elsewhere = json!({ "token_endpoint": "http://192.0.2.1/token" });
    for (metadata, why) in [
        (evil, "https://evil.org"),
        (elsewhere, "is no URL of https"),
        (json!({ "jwks_uri": null }), "not valid"),
    ] {
        provider.play().metadata = metadata;
        server.start_again().await;
        let page = asked(&server).await;
        assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{}", page.text);
        assert!(page.text.contains(why), "{why}: {}", page.text);
    }
    provider.play().metadata = json!({});
    server.start_again().await;
    let answers: [(Answer, StatusCode, &str); 4] = [
        (provider::endless, StatusCode::BAD_GATEWAY, "limit"),
        (|| "no JSON".into_response(), StatusCode::BAD_GATEWAY, "not valid"),
        (|| StatusCode::NOT_FOUND.into_response(), StatusCode::BAD_GATEWAY, "404"),
        (
            || (StatusCode::UNAUTHORIZED, "{\"error\": \"invalid_client\"}").into_response(),
            StatusCode::BAD_REQUEST,
            "invalid_client",
        ),
    ];
    for (answer, status, why) in answers {
        provider.play().token_answer = Some(answer);
        let page = enter(&server, &provider).await;
        assert_eq!(page.status, status, "{why}: {}", page.text);
        assert!(page.text.contains(why) && session(&page).is_none(), "{why}: {}", page.text);
    }
    // The secret as a field, where the provider wants it so.
    provider.play().token_answer = None;
    provider.play().metadata =
        json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    server.start_again().await;
    assert!(session(&enter(&server, &provider).await).is_some());
    // With a provider that says in its answers who it is, one that does not is another's.
    provider.play().metadata = json!({ "authorization_response_iss_parameter_supported": true });
    server.start_again().await;
    let page = enter(&server, &provider).await;
    assert!(page.text.contains("does not say of which") && session(&page).is_none());

    // It is away: the server starts all the same, and a token is good.
    let address = provider.issuer.strip_prefix("http://").unwrap().parse().unwrap();
    drop(provider);
    server.start_again().await;
    let page = asked(&server).await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert!(page.text.contains("Example ID cannot be asked"), "{}", page.text);
    let own = server.token().to_owned();
    assert_eq!(Visitor::new(&server, &own).await.get("/ui").await.status, StatusCode::OK);
    // When it is back it is asked again, by itself.
    let provider = Provider::start_at(address).await;
    let begun = std::time::Instant::now();
    while asked(&server).await.status != StatusCode::SEE_OTHER {
        assert!(begun.elapsed() < crate::client::SOON, "it is not asked again");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(session(&enter(&server, &provider).await).is_some());
}

#[tokio::test]
async fn a_server_that_is_told_wrongly_does_not_start() {
    let mut server = TestServer::start().await;
    server.stop().await;
    configure(&server.folder(), "http://id.example.org", "");
    let address = Some(server.address);
    let error =
        Server::open(&server.folder(), address, &server.database(), None).await.unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("oidc.toml: `issuer` is no URL of https"), "{why}");
    assert!(!format!("{error:?} {why}").contains(SECRET));
}

#[tokio::test]
async fn only_an_admin_sees_who_has_logged_in() {
    let mut server = TestServer::start().await;
    let given = server.post("tokens", json!({ "name": "o", "role": "operator" })).await.unwrap();
    let own = server.token().to_owned();
    let id = {
        let _visitor = Visitor::new(&server, &own).await;
        let listed = server.get("sessions").await.unwrap();
        assert_eq!((&listed[0]["name"], &listed[0]["subject"]), (&json!("admin"), &Value::Null));
        listed[0]["id"].as_str().unwrap().to_owned()
    };
    server.use_token(given["token"].as_str().unwrap());
    assert_eq!(server.get("sessions").await.unwrap_err().0, StatusCode::FORBIDDEN);
    let path = format!("sessions/{id}");
    let refused = server.send(Method::DELETE, &path, Vec::new()).await.unwrap_err();
    assert_eq!(refused.0, StatusCode::FORBIDDEN);
    server.use_token(&own);
    server.send(Method::DELETE, &path, Vec::new()).await.unwrap();
    let gone = server.send(Method::DELETE, &path, Vec::new()).await.unwrap_err();
    assert_eq!(gone.0, StatusCode::NOT_FOUND);
}
