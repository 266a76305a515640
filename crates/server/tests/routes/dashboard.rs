//! The dashboard as it comes over the wire: who gets in, what a form must have, what machines say is text.

use crate::client::{TestServer, answer, connect, event, http2};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::json;
use std::time::{Duration, Instant};
use xenoboot_wire::{
    RunId,
    event::{Source, What},
};

/// What a machine says that is up to no good.
pub(crate) const HOSTILE: &str =
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>\"'&\u{202e}";

/// An answer.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The token of its forms.
    pub(crate) fn csrf(&self) -> &str {
        let rest = self.text.split_once("name=\"csrf\" value=\"").expect("no form").1;
        rest.split_once('"').unwrap().0
    }
}

/// A browser, as far as the server can tell.
pub(crate) struct Visitor<'a> {
    pub(crate) server: &'a TestServer,
    pub(crate) cookie: String,
}

impl<'a> Visitor<'a> {
    /// Logs in with a token.
    pub(crate) async fn new(server: &'a TestServer, token: &str) -> Self {
        let mut visitor = Self { server, cookie: String::new() };
        let page = visitor.post("/ui/login", &[("token", token), ("back", "/ui")]).await;
        assert_eq!((page.status, page.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/ui"));
        let cookie = page.header(header::SET_COOKIE).to_owned();
        for part in ["__Host-xenoboot=", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"]
        {
            assert!(cookie.contains(part), "{part}: {cookie}");
        }
        visitor.cookie = cookie.split(';').next().unwrap().to_owned();
        visitor
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: String, site: &str) -> Page {
        let mut sender = http2(connect(self.server, None).await.unwrap()).await;
        let request = Request::builder().method(method).uri(format!("https://server{path}"));
        let request = request.header("sec-fetch-site", site).header(header::COOKIE, &self.cookie);
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let (status, headers, body) = answer(&mut sender, request).await;
        Page { status, headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, path, String::new(), "same-origin").await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        let body = serde_urlencoded::to_string(form).unwrap();
        self.ask(Method::POST, path, body, "same-origin").await
    }
}

#[tokio::test]
async fn a_token_opens_a_session_that_ends_with_it() {
    let mut server = TestServer::start().await;
    let given = server.post("tokens", json!({ "name": "eve", "role": "viewer" })).await.unwrap();
    let own = server.token().to_owned();
    let stranger = Visitor { server: &server, cookie: "__Host-xenoboot=0123".into() };
    for path in ["/ui", "/ui/machines/x", "/ui/audit?search=a", "/ui/stream", "/ui/runs/0123/log"] {
        let page = stranger.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert!(page.header(header::LOCATION).starts_with("/ui/login"), "{path}");
    }
    let wrong = stranger.post("/ui/login", &[("token", "0123")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.headers.get(header::SET_COOKIE).is_none());
    let form = serde_urlencoded::to_string([("token", own.as_str())]).unwrap();
    let elsewhere = stranger.ask(Method::POST, "/ui/login", form, "cross-site").await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "another site's form");
    let home = stranger.get("/").await;
    assert_eq!(home.header(header::LOCATION), "/ui");

    let visitor = Visitor::new(&server, &own).await;
    let page = visitor.get("/ui").await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text.contains("style=") && !page.text.contains("onclick"), "{}", page.text);
    let viewer = Visitor::new(&server, given["token"].as_str().unwrap()).await;
    assert_eq!(viewer.get("/ui").await.status, StatusCode::OK);

    // What is kept opens nothing.
    let secret = visitor.cookie.split_once('=').unwrap().1;
    assert!(!server.keeps(secret) && server.keeps("eve"));

    server.send(Method::DELETE, "tokens/eve", Vec::new()).await.unwrap();
    assert_eq!(viewer.get("/ui").await.status, StatusCode::SEE_OTHER, "its token is gone");
    let out = visitor.post("/ui/logout", &[("csrf", page.csrf())]).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert_eq!(visitor.get("/ui").await.status, StatusCode::SEE_OTHER, "it has logged out");
    let cookie = visitor.cookie;
    let again = Visitor::new(&server, &own).await.cookie;
    server.start_again().await;
    for (cookie, status) in [(cookie, StatusCode::SEE_OTHER), (again, StatusCode::OK)] {
        let visitor = Visitor { server: &server, cookie };
        assert_eq!(visitor.get("/ui").await.status, status);
    }
}

#[tokio::test]
async fn acts_need_the_token_of_a_page_and_the_role() {
    let server = TestServer::start().await;
    let machine = server.machine().await;
    machine.boot_as(Some("cupboard")).await;
    let print = machine.key.fingerprint();
    let digest = server.push("hello", 1).await.to_string();
    let visitor = Visitor::new(&server, server.token()).await;
    let page = visitor.get(&format!("/ui/machines/{print}")).await;
    let csrf = page.csrf().to_owned();
    let approve = format!("/ui/machines/{print}/approve");
    for form in [&[("name", "web-1")][..], &[("name", "web-1"), ("csrf", "0")]] {
        assert_eq!(visitor.post(&approve, form).await.status, StatusCode::FORBIDDEN);
    }
    let form = [("name", "web-1"), ("groups", "front, web"), ("csrf", &csrf)];
    let body = serde_urlencoded::to_string(form).unwrap();
    let elsewhere = visitor.ask(Method::POST, &approve, body, "same-site").await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    assert_eq!(server.get("machines").await.unwrap()[0]["state"], "pending");
    let done = visitor.post(&approve, &form).await;
    assert_eq!(done.header(header::LOCATION), "/ui/machines/web-1");
    let shown = server.get("machines/web-1").await.unwrap();
    assert_eq!((&shown["state"], &shown["groups"]), (&json!("approved"), &json!(["front", "web"])));

    let post = async |path: &str, form: &[(&str, &str)]| {
        let form = [form, &[("csrf", csrf.as_str())]].concat();
        let page = visitor.post(path, &form).await;
        (page.status, page.text)
    };
    let assign = [("bundle", "hello"), ("state", "install"), ("once", "true")];
    assert_eq!(post("/ui/machines/web-1/assign", &assign).await.0, StatusCode::SEE_OTHER);
    let assigned = &server.get("machines/web-1").await.unwrap()["assigned"];
    assert_eq!((&assigned["state"], &assigned["once"]), (&json!("install"), &json!(true)));
    let page = visitor.get(&format!("/ui/bundles/{digest}")).await;
    let signer = xenoboot_bundle::KeyId::of(&crate::client::signer().public()).to_string();
    assert!(
        page.text.contains(&signer) && page.text.contains("/ui/machines/web-1"),
        "{}",
        page.text
    );
    assert_eq!(post("/ui/machines/web-1/withdraw", &[]).await.0, StatusCode::SEE_OTHER);
    assert!(server.get("machines/web-1").await.unwrap()["assigned"].is_null());
    let (status, text) =
        post("/ui/machines/web-1/assign", &[("bundle", "helo"), ("state", "boot")]).await;
    assert!(status == StatusCode::NOT_FOUND && text.contains("did you mean hello?"), "{text}");
    let to = [("scope", "group"), ("whom", "front"), ("state", "boot")];
    let path = format!("/ui/bundles/{digest}/assign");
    assert_eq!(post(&path, &to).await.0, StatusCode::SEE_OTHER);
    assert_eq!(
        server.get("machines/web-1").await.unwrap()["assigned"]["by"],
        json!({ "group": "front" })
    );
    let log = visitor.get("/ui/audit?search=assign").await.text;
    assert!(log.contains("admin") && log.contains("web-1"), "{log}");
    assert_eq!(post("/ui/machines/web-1/refuse", &[]).await.0, StatusCode::SEE_OTHER);
    assert_eq!(server.get("machines/web-1").await.unwrap()["state"], "refused");
    assert_eq!(post("/ui/machines/web-1/explode", &[]).await.0, StatusCode::NOT_FOUND);

    let given = server.post("tokens", json!({ "name": "v", "role": "viewer" })).await.unwrap();
    let viewer = Visitor::new(&server, given["token"].as_str().unwrap()).await;
    let page = viewer.get("/ui/machines/web-1").await;
    assert!(!page.text.contains("Approve"), "a viewer is not offered what it may not do");
    let refused = viewer.post("/ui/machines/web-1/approve", &[("csrf", page.csrf())]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_machines_say_is_text_on_every_page() {
    let server = TestServer::start().await;
    let machine = server.machine().await;
    let mut request = machine.boot_request(None);
    request.inventory.product = HOSTILE.into();
    request.image.kernel = HOSTILE.into();
    let _: xenoboot_wire::boot::BootReply = machine.post("boot", &request).await.unwrap();
    server.approve(&machine, "cupboard").await;
    machine.boot().await;
    let _: xenoboot_wire::boot::BootReply = machine.post("boot", &request).await.unwrap();
    let (run, id) = (Some(RunId([7; 16])), "07".repeat(16));
    let text = || HOSTILE.to_owned();
    let bundle = xenoboot_wire::Digest([3; 32]);
    let said = [
        What::Phase { name: text() },
        What::RunStarted { bundle, name: text(), serial: 1, generation: None },
        What::Progress { percent: 40, text: text() },
        What::Line { source: Source::Stdout, text: text() },
        What::Line { source: Source::Stderr, text: text() },
        What::Report { key: "k".into(), value: text() },
        What::Failure { code: xenoboot_wire::Code::NoLink, cause: text(), attempt: 1 },
        What::Console { who: text(), key: text(), lasted_ms: Some(5) },
    ];
    let events = said.into_iter().enumerate().map(|(n, what)| event(n as u64 + 1, run, what));
    machine.events(events.collect()).await.unwrap();
    let visitor = Visitor::new(&server, server.token()).await;
    let log = format!("/ui/runs/{id}/log");
    let paths = [
        "/ui",
        "/ui/machines/cupboard",
        "/ui/runs",
        &format!("/ui/runs/{id}"),
        &log,
        "/ui/bundles",
        "/ui/audit",
    ];
    for path in paths {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        assert!(
            !page.text.contains("<script>") && !page.text.contains("<img"),
            "{path}: {}",
            page.text
        );
        assert!(!page.text.contains('\u{202e}'), "{path}: writing is not turned around");
        let escaped = page.text.matches("&lt;script&gt;").count();
        assert!(escaped > 0 || path.ends_with("bundles") || path.ends_with("audit"), "{path}");
    }
    assert_eq!(visitor.get("/ui/machines/%3Cscript%3E").await.status, StatusCode::NOT_FOUND);
    let more = visitor.get(&format!("{log}?after=4")).await;
    assert_eq!(more.text.matches("data-n=").count(), 4, "{}", more.text);
}

#[tokio::test]
async fn ten_thousand_machines_are_as_quick_as_fifty() {
    let server = TestServer::start().await;
    let machine = |n: usize| json!({ "key": format!("{n:064x}"), "name": format!("m{n:05}"), "groups": [format!("rack-{}", n / 40)] });
    let machines: Vec<_> = (0..10_000).map(machine).collect();
    server.post("import", json!({ "machines": machines })).await.unwrap();
    let visitor = Visitor::new(&server, server.token()).await;
    let rows = |page: &Page| page.text.matches("data-name=\"Machine\"").count();
    let quick = async |path: &str| {
        // The best of three: other programs use the processors too.
        let (mut best, mut last) = (Duration::MAX, None);
        for _ in 0..3 {
            let begun = Instant::now();
            last = Some(visitor.get(path).await);
            best = best.min(begun.elapsed());
        }
        assert!(best < Duration::from_secs(1), "{path} took {best:?}");
        last.unwrap()
    };
    let first = quick("/ui").await;
    assert_eq!(rows(&first), 50);
    assert!(first.text.contains("10000") && first.text.contains("Page 1 of 200"));
    let last = quick("/ui?page=199").await;
    assert!(
        rows(&last) == 50 && last.text.contains("m09999") && !last.text.contains("rel=\"next\"")
    );
    let found = quick("/ui?search=m0123").await;
    assert!(rows(&found) == 10 && found.text.contains("m01239"), "{}", found.text);
    assert_eq!(rows(&quick("/ui?search=rack-249").await), 40);
    assert_eq!(rows(&quick("/ui?search=m_1").await), 0, "it is text, not a pattern");
    assert_eq!(rows(&quick("/ui?doing=failed").await), 0);
    assert_eq!(rows(&quick("/ui?doing=never&page=1").await), 50);
}
