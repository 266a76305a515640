//! Logging in to the dashboard by OpenID Connect: a provider says who somebody is, and rules of ours say what he may.
//!
//! The authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636). What must be known again when the browser
//! comes back from the provider stands in a cookie, sealed (`pending`): strangers who begin log-ins fill no table, and any
//! server of the same folder's keys can finish what another has begun. That each is used once, the database sees to.

mod error;
mod id_token;
mod keys;
mod pending;
mod provider;
mod rules;
mod settings;

pub(crate) use error::Refused;
pub(crate) use pending::{COOKIE, LASTS_S, MAX_COOKIE};
pub(crate) use settings::SettingsError;

use crate::{api::Role, home::Home, power::Sealer, time::now_ms, turns::Turns};
use id_token::Expected;
use pending::Pending;
use provider::Provider;
use serde::Deserialize;
use serde_json::{Map, Value};
use settings::Settings;
use std::time::Duration;

/// Log-ins that are asked about at the provider at a time, and how long one waits for its turn.
const AT_A_TIME: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);

/// What a provider says of somebody.
pub(crate) type Claims = Map<String, Value>;

/// The log-in by a provider.
pub(crate) struct Oidc {
    settings: Settings,
    provider: Provider,
    sealer: Sealer,
    turns: Turns,
}

/// A log-in that has begun: where the browser goes, and what it keeps meanwhile.
pub(crate) struct Begun {
    pub(crate) location: String,
    pub(crate) cookie: String,
}

/// Who somebody is, and what he may.
#[derive(Debug)]
pub(crate) struct Person {
    /// Who says so.
    pub(crate) issuer: String,
    /// His name at the provider, which is never another's.
    pub(crate) subject: String,
    /// What the audit log calls him.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// What this log-in is known by: it is good once.
    pub(crate) once: String,
    /// The page that he wanted.
    pub(crate) back: String,
}

/// What a browser comes back with (RFC 6749, 4.1.2; RFC 9207).
#[derive(Deserialize)]
pub(crate) struct Returned {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

impl Oidc {
    /// As `oidc.toml` in the server's folder says; `None` when there is no such file. The provider is not asked yet.
    pub(crate) fn open(home: &Home, sealer: &Sealer) -> Result<Option<Self>, SettingsError> {
        let Some(settings) = Settings::read(&home.oidc())? else { return Ok(None) };
        keys::install();
        let sealer = sealer.derive("xenoboot: log-ins that are pending");
        let sealer = sealer.map_err(|_| SettingsError::Sealer)?;
        let provider = Provider::new(&settings);
        Ok(Some(Self { settings, provider, sealer, turns: Turns::new(AT_A_TIME, PATIENCE) }))
    }

    /// What people call the provider.
    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Who the provider is.
    pub(crate) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Begins a log-in that leads to the page `back`.
    pub(crate) async fn begin(&self, back: &str) -> Result<Begun, Refused> {
        let _turn = self.turns.wait().await.ok_or(Refused::Busy)?;
        let endpoint = self.provider.authorization_endpoint().await?;
        let pending = Pending::new(back)?;
        let scopes = self.settings.scopes();
        let query = [
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", &self.settings.redirect_uri()),
            ("scope", &scopes),
            ("state", &pending.state),
            ("nonce", &pending.nonce),
            ("code_challenge", &pending.challenge()),
            ("code_challenge_method", "S256"),
        ];
        let query = serde_urlencoded::to_string(query).map_err(|_| Refused::Random)?;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        let cookie = pending.seal(&self.sealer)?;
        Ok(Begun { location: format!("{endpoint}{joint}{query}"), cookie })
    }

    /// Finishes a log-in: `cookie` is what the browser kept.
    pub(crate) async fn finish(
        &self,
        returned: &Returned,
        cookie: Option<&str>,
    ) -> Result<Person, Refused> {
        let pending = cookie.and_then(|cookie| Pending::open(&self.sealer, cookie, now_ms()));
        let pending = pending.ok_or(Refused::NotBegun)?;
        if !pending.is_for(returned.state.as_deref().unwrap_or_default()) {
            return Err(Refused::State);
        }
        let _turn = self.turns.wait().await.ok_or(Refused::Busy)?;
        self.provider.check_issuer(returned.iss.as_deref()).await?;
        if let Some(error) = &returned.error {
            return Err(Refused::Provider(error.clone()));
        }
        let code = returned.code.as_deref().ok_or(Refused::NoCode)?;
        let tokens = self.provider.exchange(&self.settings, code, &pending.verifier).await?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client: &self.settings.client_id,
            nonce: &pending.nonce,
            begun_s: pending.begun_ms / 1000,
            now_s: now_ms() / 1000,
        };
        let mut claims = self.provider.verify(&tokens.id_token, &expected).await?;
        if self.settings.rules.want_more_than(&claims) {
            self.provider.add_info(&tokens, &mut claims).await?;
        }
        self.person(&claims, pending)
    }

    fn person(&self, claims: &Claims, pending: Pending) -> Result<Person, Refused> {
        let subject = id_token::subject(claims)?.to_owned();
        let name = format!("oidc:{}", rules::verified_email(claims).unwrap_or(&subject));
        let Some(role) = self.settings.rules.role(claims) else {
            return Err(Refused::NoRule { subject, name });
        };
        let (issuer, once) = (self.settings.issuer.clone(), pending.nonce);
        Ok(Person { issuer, subject, name, role, once, back: pending.back })
    }
}
