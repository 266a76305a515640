//! Notices by e-mail, through the relay that `mail.toml` in the server's folder names.

use crate::{
    api::Notice,
    home::{HomeError, read_secret},
    text::shown,
};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::Mailbox,
    message::header::ContentType,
};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What a URL of an address begins with (RFC 6068).
const SCHEME: &str = "mailto:";
/// For each step of the exchange with the relay.
const PATIENCE: Duration = Duration::from_secs(10);

/// A mail cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailError {
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error("the server has no mail.toml in its folder")]
    NoRelay,
    /// Without what stands there: that may be the password.
    #[error("mail.toml: {0}")]
    File(String),
    #[error(
        "mail.toml: `{0}` is not a relay: smtps://USER:PASSWORD@HOST or smtp://HOST?tls=required"
    )]
    Relay(String),
    #[error("the mail cannot be written")]
    Message(#[from] lettre::error::Error),
    #[error("the relay")]
    Smtp(#[from] lettre::transport::smtp::Error),
}

/// `mail.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailFile {
    /// By whom mail is sent, as a URL; with the password, if one is needed.
    relay: String,
    /// From whom.
    from: Mailbox,
}

/// Sends mails. The file is read for each: it may be changed while the server runs.
#[derive(Clone)]
pub(crate) struct Mailer(PathBuf);

/// The address that a URL names, if it names one.
pub(crate) fn address(url: &str) -> Option<Address> {
    url.strip_prefix(SCHEME)?.parse().ok()
}

impl Mailer {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self(file)
    }

    /// Whether mail can be sent as far as the file says.
    pub(crate) fn check(&self) -> Result<(), MailError> {
        self.settings().map(drop)
    }

    fn settings(&self) -> Result<(AsyncSmtpTransport<Tokio1Executor>, Mailbox), MailError> {
        let text = read_secret(Path::new(&self.0))?.ok_or(MailError::NoRelay)?;
        let MailFile { relay, from } =
            toml::from_str(&text).map_err(|error| MailError::File(error.message().to_owned()))?;
        // Not the URL, which may have a password.
        let host = || relay.rsplit('@').next().unwrap_or_default().to_owned();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&relay);
        let transport = transport.map_err(|_| MailError::Relay(host()))?;
        Ok((transport.timeout(Some(PATIENCE)).build(), from))
    }

    /// Sends a notice to an address.
    pub(crate) async fn send(&self, to: Address, notice: &Notice) -> Result<(), MailError> {
        let (transport, from) = self.settings()?;
        let (machine, kind) = (shown(&notice.machine), notice.kind.word());
        let text = format!(
            "{machine}: {kind}\n\n{}\n\nkey fingerprint  {}\n\nxenoboot machine show {machine}\n",
            shown(&notice.text),
            notice.fingerprint
        );
        let message = Message::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .subject(format!("[xenoboot] {machine} {kind}"))
            .header(ContentType::TEXT_PLAIN)
            .body(text)?;
        transport.send(message).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn the_file_says_how_or_what_is_wrong_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mail.toml");
        let mailer = Mailer::new(path.clone());
        assert!(matches!(mailer.check(), Err(MailError::NoRelay)));
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            mailer.check()
        };
        let from = "from = \"Xenoboot <boot@example.org>\"\n";
        write(&format!("relay = \"smtps://me:secret@mail.example.org\"\n{from}")).unwrap();
        write(&format!("relay = \"smtp://127.0.0.1:25\"\n{from}")).unwrap();
        let wrong = write(&format!("relay = \"http://me:secret@mail.example.org\"\n{from}"));
        let wrong = wrong.unwrap_err().to_string();
        assert!(wrong.contains("mail.example.org") && !wrong.contains("secret"), "{wrong}");
        assert!(write("relay = \"smtp://a\"\nfrom = \"nobody\"\n").is_err());
        let unended =
            write("relay = \"smtps://me:secret@mail.example.org\nfrom = 1\n").unwrap_err();
        assert!(!format!("{unended:?} {unended}").contains("secret"), "{unended:?}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(mailer.check(), Err(MailError::Home(HomeError::Exposed { .. }))));
    }

    #[test]
    fn addresses() {
        assert!(address("mailto:ops@example.org").is_some());
        for bad in
            ["ops@example.org", "mailto:", "mailto:a@b@c", "mailto:a@b\r\nBcc: c@d", "http://a/"]
        {
            assert!(address(bad).is_none(), "{bad}");
        }
    }
}
