//! `oidc.toml` in the server's folder: which provider, and whom it may bring.

use super::rules::{Rule, Rules};
use crate::{
    home::{HomeError, read_secret},
    outgoing::Trust,
};
use hyper::Uri;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde::Deserialize;
use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use xenoboot_wire::Pin;

/// Where the provider sends the browser back to.
pub(super) const CALLBACK: &str = "/ui/login/callback";
/// Most rules, and longest name of a button, characters.
const MAX_RULES: usize = 1000;
const MAX_NAME: usize = 40;

/// `oidc.toml` cannot be used. No error has a line of the file in it, which may be the one with the secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    File(#[from] HomeError),
    #[error("{}: {why}", path.display())]
    Invalid { path: PathBuf, why: String },
    #[error("the key for log-ins that are pending cannot be made")]
    Sealer,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The provider, as it calls itself.
    issuer: String,
    client_id: String,
    client_secret: Secret,
    /// This server, as browsers reach it: `https://HOST[:PORT]`.
    url: String,
    /// What people call the provider: `Log in with NAME`.
    name: Option<String>,
    /// What is asked for beside `openid`.
    scopes: Option<Vec<String>>,
    /// The key by which the provider is known, in place of a public authority's word.
    pin: Option<String>,
    /// Certificates of authorities (PEM) in place of the public ones, or a file with them, in the server's folder if not absolute.
    ca: Option<String>,
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

/// Whatever stands there, it is in no message.
#[derive(Deserialize)]
#[serde(try_from = "toml::Value")]
struct Secret(String);

impl TryFrom<toml::Value> for Secret {
    type Error = &'static str;
    fn try_from(value: toml::Value) -> Result<Self, &'static str> {
        let toml::Value::String(text) = value else { return Err("`client_secret` is no text") };
        Ok(Self(text))
    }
}

/// What it says.
pub(super) struct Settings {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) name: String,
    pub(super) rules: Rules,
    pub(super) trust: Trust,
    url: String,
    scopes: Vec<String>,
}

impl Settings {
    /// Reads the file; `None` when it is not there.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, SettingsError> {
        let Some(text) = read_secret(path)? else { return Ok(None) };
        let invalid = |why| SettingsError::Invalid { path: path.to_owned(), why };
        let file: File = toml::from_str(&text).map_err(|error| {
            let line = |span: std::ops::Range<usize>| {
                let before = text.as_bytes().get(..span.start).unwrap_or_default();
                let line = before.iter().filter(|b| **b == b'\n').count() + 1;
                format!("line {line}: ")
            };
            invalid(error.span().map(line).unwrap_or_default() + error.message())
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::check(file, folder).map(Some).map_err(invalid)
    }

    fn check(file: File, folder: &Path) -> Result<Self, String> {
        let File { issuer, client_id, url, name, scopes, pin, ca, rules, .. } = file;
        let Secret(client_secret) = file.client_secret;
        endpoint(&issuer).map_err(|why| format!("`issuer` {why}"))?;
        if issuer.contains(['?', '#']) {
            return Err("`issuer` is a URL without query".to_owned());
        }
        for (key, value) in [("client_id", &client_id), ("client_secret", &client_secret)] {
            if value.is_empty() || value.contains(char::is_control) {
                return Err(format!("`{key}` is empty, or not text"));
            }
        }
        let url = server(&url).ok_or("`url` is not https://HOST or https://HOST:PORT")?;
        let name = name.unwrap_or_else(|| host(&issuer));
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(format!("`name` has 1 to {MAX_NAME} characters"));
        }
        let scopes = scopes.unwrap_or_else(|| ["email", "profile"].map(str::to_owned).into());
        // RFC 6749, 3.3.
        let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
        if let Some(bad) = scopes.iter().find(|s| s.is_empty() || !s.bytes().all(plain)) {
            return Err(format!("`scopes` has {bad:?}, which is none"));
        }
        if !(1..=MAX_RULES).contains(&rules.len()) {
            return Err(format!(
                "there are 1 to {MAX_RULES} rules, [[rule]]: without one nobody may log in"
            ));
        }
        let rules = Rules::new(rules)?;
        let trust = trust(pin, ca, folder)?;
        Ok(Self { issuer, client_id, client_secret, name, rules, trust, url, scopes })
    }

    /// Where the provider sends the browser back to.
    pub(super) fn redirect_uri(&self) -> String {
        format!("{}{CALLBACK}", self.url)
    }

    /// What is asked for.
    pub(super) fn scopes(&self) -> String {
        let more = self.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid");
        std::iter::once("openid").chain(more).collect::<Vec<_>>().join(" ")
    }
}

fn trust(pin: Option<String>, ca: Option<String>, folder: &Path) -> Result<Trust, String> {
    match (pin, ca) {
        (None, None) => Ok(Trust::Public),
        (Some(_), Some(_)) => Err("`pin` and `ca` exclude each other".to_owned()),
        (Some(pin), None) => {
            let pin: Pin = pin.parse().map_err(|_| "`pin` is not `sha256//…`")?;
            Ok(Trust::Pin(pin))
        }
        (None, Some(ca)) => {
            let roots = authorities(&ca, folder).map_err(|why| format!("`ca`: {why}"))?;
            Ok(Trust::Authorities(Arc::new(roots)))
        }
    }
}

/// The certificates in a text, or in the file that it names.
fn authorities(ca: &str, folder: &Path) -> Result<RootCertStore, String> {
    let text = if ca.contains("-----BEGIN ") {
        ca.as_bytes().to_vec()
    } else {
        let path = folder.join(ca);
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(roots) }
}

/// Whether a URL is one that secrets may be sent to: of `https`, or on this computer.
pub(super) fn endpoint(url: &str) -> Result<(), &'static str> {
    let uri: Uri = url.parse().map_err(|_| "is no URL")?;
    let local = |host: &str| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    let authority = uri.authority().ok_or("is no URL")?;
    if authority.as_str().contains('@') || url.contains('#') {
        return Err("is a URL with a user or a fragment");
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if local(authority.host()) => Ok(()),
        _ => Err("is no URL of https"),
    }
}

/// The server's URL without a slash at its end.
fn server(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let whole = uri.scheme_str() == Some("https") && uri.path() == "/" && uri.query().is_none();
    let plain = !authority.contains('@') && !url.contains('#');
    (whole && plain).then(|| format!("https://{authority}"))
}

fn host(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    host.chars().take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const GOOD: &str = "issuer = \"https://id.example.org/realms/ops\"\nclient_id = \"xenoboot\"\n\
        client_secret = \"verysecret\"\nurl = \"https://boot.example.org:7443/\"\n";
    const RULE: &str = "[[rule]]\nrole = \"viewer\"\nclaim = \"groups\"\nis = \"ops\"\n";

    fn read(dir: &Path, text: &str) -> Result<Option<Settings>, SettingsError> {
        let path = dir.join("oidc.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Settings::read(&path)
    }

    #[test]
    fn the_file_says_all_or_what_is_wrong_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert!(Settings::read(&dir.join("oidc.toml")).unwrap().is_none());
        let good = read(dir, &format!("{GOOD}{RULE}")).unwrap().unwrap();
        assert_eq!(good.redirect_uri(), "https://boot.example.org:7443/ui/login/callback");
        assert_eq!((good.scopes(), &*good.name), ("openid email profile".into(), "id.example.org"));
        assert!(matches!(good.trust, Trust::Public));
        let more = "name = \"Ours\"\nscopes = [\"openid\", \"groups\"]\n";
        let good = read(dir, &format!("{GOOD}{more}{RULE}")).unwrap().unwrap();
        assert_eq!((good.scopes(), &*good.name), ("openid groups".into(), "Ours"));
        for (more, why) in [
            ("colour = \"red\"\n", "line 5: unknown field `colour`"),
            ("pin = \"sha256//x\"\n", "`pin` is not"),
            ("ca = \"none.pem\"\n", "none.pem"),
            ("ca = \"oidc.toml\"\n", "no certificate in it"),
            ("name = \"\"\n", "`name` has"),
            ("scopes = [\"a b\"]\n", "\"a b\""),
            ("client_secret = \"verysecret\n", "line 5"),
        ] {
            let error = read(dir, &format!("{GOOD}{more}{RULE}")).map(drop).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(why) && text.contains("oidc.toml"), "{text}");
            assert!(!text.contains("verysecret"), "{text}");
        }
        for (from, to, why) in [
            ("https://id", "http://id", "`issuer` is no URL of https"),
            ("https://id", "https://user:pw@id", "`issuer` is a URL with a user"),
            ("/realms/ops", "/?a", "without query"),
            ("https://boot", "http://boot", "`url` is not https"),
            (":7443/", "/ui", "`url` is not https"),
            ("verysecret", "", "`client_secret` is empty"),
            ("[[rule]]", "[[rules]]", "unknown field `rules`"),
            ("viewer", "owner", "unknown variant `owner`"),
            (RULE, "", "without one nobody may log in"),
            ("\"verysecret\"", "12345678", "`client_secret` is no text"),
            ("\"ops\"", "7", "a text, or a list of texts"),
        ] {
            let text = format!("{GOOD}{RULE}").replace(from, to);
            let error = read(dir, &text).map(drop).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("12345678"), "{error}");
        }
        let path = dir.join("oidc.toml");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = Settings::read(&path).map(drop).unwrap_err();
        assert!(matches!(exposed, SettingsError::File(HomeError::Exposed { .. })));
    }

    #[test]
    fn secrets_go_by_https_or_stay_on_this_computer() {
        for good in ["https://a/b?c", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost"]
        {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a/",
            "ftp://a/",
            "/a",
            "",
            "https://",
            "http://127.0.0.1.evil.org/",
            "https://a/#b",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
