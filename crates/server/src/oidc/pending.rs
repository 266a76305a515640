//! A log-in between the way to the provider and the way back.

use super::Refused;
use crate::{home, power::Sealer, time::now_ms};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use xenoboot_wire::Digest;

/// The cookie. The way back comes from another site, so it cannot be `SameSite=Strict`, as the session's is.
pub(crate) const COOKIE: &str = "__Host-xenoboot-login";
/// How long a log-in may take, seconds.
pub(crate) const LASTS_S: u32 = 600;
/// Longest cookie that is opened, bytes; browsers keep no longer ones.
pub(crate) const MAX_COOKIE: usize = 4096;
/// Longest path of the page that was wanted: more of it is forgotten than that the cookie is.
const MAX_BACK: usize = 512;

/// What is known again on the way back.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    /// What ties the answer to this browser.
    pub(super) state: String,
    /// What ties the ID token to this log-in.
    pub(super) nonce: String,
    /// What ties the code to this log-in (RFC 7636).
    pub(super) verifier: String,
    /// The page that was wanted.
    pub(super) back: String,
    pub(super) begun_ms: i64,
}

impl Pending {
    pub(super) fn new(back: &str) -> Result<Self, Refused> {
        let secret = || home::new_token().map_err(|_| Refused::Random);
        let back = if back.len() > MAX_BACK { "/ui" } else { back }.to_owned();
        let (state, nonce, verifier) = (secret()?, secret()?, secret()?);
        Ok(Self { state, nonce, verifier, back, begun_ms: now_ms() })
    }

    /// What the provider is told of the verifier.
    pub(super) fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()))
    }

    /// Whether an answer is to this log-in; of digests, so that the time it takes says nothing.
    pub(super) fn is_for(&self, state: &str) -> bool {
        Digest::of(state.as_bytes()) == Digest::of(self.state.as_bytes())
    }

    /// The cookie's value: when it began, and the rest so that nobody reads or changes it.
    pub(super) fn seal(&self, sealer: &Sealer) -> Result<String, Refused> {
        // Texts and a number: nothing of this can fail.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let sealed = sealer.seal(self.begun_ms, &text).map_err(|_| Refused::Random)?;
        Ok(format!("{}.{sealed}", self.begun_ms))
    }

    /// A cookie of ours that is not too old.
    pub(super) fn open(sealer: &Sealer, cookie: &str, now_ms: i64) -> Option<Self> {
        let (begun, sealed) = cookie.split_once('.')?;
        let begun_ms = begun.parse().ok()?;
        let lasts_ms = i64::from(LASTS_S) * 1000;
        let age_ms = now_ms.checked_sub(begun_ms)?;
        // Another server's clock may be a little ahead of this one's.
        if !(-60_000..lasts_ms).contains(&age_ms) {
            return None;
        }
        serde_json::from_slice(&sealer.open(begun_ms, sealed)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_is_good_for_ten_minutes_and_as_it_was_begun() {
        let sealer = Sealer::new(&[7; 32]).unwrap();
        let pending = Pending::new("/ui/runs").unwrap();
        let begun = pending.begun_ms;
        let cookie = pending.seal(&sealer).unwrap();
        assert!(!cookie.contains(&pending.verifier) && cookie.len() < MAX_COOKIE);
        let found = Pending::open(&sealer, &cookie, begun + 1000).unwrap();
        assert_eq!((&found.nonce, &*found.back), (&pending.nonce, "/ui/runs"));
        assert!(found.is_for(&pending.state) && !found.is_for(""));
        assert!(Pending::open(&sealer, &cookie, begun + 600_000).is_none(), "too late");
        assert!(Pending::open(&sealer, &cookie, begun - 61_000).is_none(), "not begun yet");
        assert!(Pending::open(&Sealer::new(&[8; 32]).unwrap(), &cookie, begun).is_none());
        let longer = cookie.replacen(&begun.to_string(), &(begun + 500_000).to_string(), 1);
        assert!(Pending::open(&sealer, &longer, begun + 600_000).is_none(), "made younger");
        for bad in ["", ".", "1.", "x.00", "9223372036854775807.00", &cookie[..cookie.len() - 2]] {
            assert!(Pending::open(&sealer, bad, begun).is_none(), "{bad}");
        }
        let long = Pending::new(&"/ui/".repeat(1000)).unwrap();
        assert_eq!(long.back, "/ui");
        let full = Pending::new(&"x".repeat(MAX_BACK)).unwrap().seal(&sealer).unwrap();
        assert!(full.len() + COOKIE.len() < MAX_COOKIE - 128, "a browser keeps it");
    }

    #[test]
    fn the_challenge_is_that_of_the_specification() {
        // RFC 7636, appendix B.
        let mut pending = Pending::new("/ui").unwrap();
        pending.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into();
        assert_eq!(pending.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
