//! The ID token: who it is from, for whom, of which log-in, and how old (OpenID Connect Core 1.0, 3.1.3.7).

use super::{Claims, Refused, keys::ALGORITHMS};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use serde_json::Value;

/// Longest token that is read, bytes.
const MAX_TOKEN: usize = 64 << 10;
/// Longest name of somebody at a provider, bytes, which the specification says.
const MAX_SUBJECT: usize = 255;
/// By how much clocks may differ, seconds.
const TOLERANCE_S: u32 = 60;

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) nonce: &'a str,
    /// When the log-in began; the token is made later.
    pub(super) begun_s: i64,
    pub(super) now_s: i64,
}

/// Its header, if it is of a kind that is understood. Nothing of it is believed yet.
pub(super) fn header(token: &str) -> Result<Header, Refused> {
    if token.len() > MAX_TOKEN {
        return Err(Refused::token(format!("it has more than {MAX_TOKEN} bytes")));
    }
    let header = decode_header(token).map_err(|error| Refused::token(error.to_string()))?;
    if !ALGORITHMS.contains(&header.alg) {
        let error = format!("it is signed by {:?}, not RS256, ES256 or EdDSA", header.alg);
        return Err(Refused::token(error));
    }
    if header.crit.is_some() {
        return Err(Refused::token("it wants something to be understood that is not"));
    }
    Ok(header)
}

/// What it says, when one of the keys has signed it and everything is as expected; `None` when none of them has.
pub(super) fn verify(
    token: &str,
    header: &Header,
    keys: &JwkSet,
    expected: &Expected<'_>,
) -> Result<Option<Claims>, Refused> {
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    validation.validate_nbf = true;
    validation.leeway = u64::from(TOLERANCE_S);
    for key in keys.keys.iter().filter(|key| may_have_signed(key, header)) {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match decode::<Claims>(token, &key, &validation) {
            Ok(data) => {
                check(&data.claims, expected)?;
                return Ok(Some(data.claims));
            }
            Err(error) => match error.kind() {
                ErrorKind::InvalidSignature => {}
                ErrorKind::ExpiredSignature => {
                    return Err(Refused::token("it has expired, or this server's clock is wrong"));
                }
                ErrorKind::InvalidAudience => {
                    return Err(Refused::token("it is for another client"));
                }
                ErrorKind::InvalidIssuer => return Err(Refused::token("it is of another issuer")),
                _ => return Err(Refused::token(error.to_string())),
            },
        }
    }
    Ok(None)
}

/// Whether a key is for such signatures.
fn may_have_signed(key: &Jwk, header: &Header) -> bool {
    let common = &key.common;
    let kind = match (&key.algorithm, header.alg) {
        (AlgorithmParameters::RSA(_), Algorithm::RS256) => true,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => {
            key.curve == EllipticCurve::P256
        }
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => {
            key.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    kind && (header.kid.is_none() || header.kid == common.key_id)
        && common.public_key_use.as_ref().is_none_or(|us| *us == PublicKeyUse::Signature)
        && common.key_algorithm.is_none_or(|alg| alg == KeyAlgorithm::from(header.alg))
}

/// What `jsonwebtoken` does not look at, or not as strictly.
fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), Refused> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(Refused::token("it is of another issuer"));
    }
    let alone = match claims.get("aud") {
        Some(Value::Array(clients)) => clients.len() == 1,
        _ => true,
    };
    if !(text("azp") == Some(expected.client) || (alone && !claims.contains_key("azp"))) {
        return Err(Refused::token("it was made for another client"));
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(Refused::token("it belongs to another log-in"));
    }
    let made = claims.get("iat").and_then(Value::as_f64);
    let made = made.ok_or_else(|| Refused::token("it does not say when it was made"))?;
    let tolerance = f64::from(TOLERANCE_S);
    // Seconds since 1970 are exact in a double for some million years.
    let (begun, now) = (expected.begun_s as f64, expected.now_s as f64);
    if !(begun - tolerance..=now + tolerance).contains(&made) {
        let error = format!(
            "it was made {made} s after 1970, which is not while this log-in lasted ({begun} to {now}): is this server's clock right?"
        );
        return Err(Refused::token(error));
    }
    subject(claims).map(drop)
}

/// His name at the provider.
pub(super) fn subject(claims: &Claims) -> Result<&str, Refused> {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let good = (1..=MAX_SUBJECT).contains(&subject.len());
    if good && subject.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(subject)
    } else {
        Err(Refused::token("it does not say of whom it is"))
    }
}

#[cfg(test)]
mod tests;
