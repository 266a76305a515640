//! Tokens by keys of our own: each fault alone is refused, and for what it is.

use super::*;
use crate::oidc::keys;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

const NOW: fn() -> i64 = || crate::time::now_ms() / 1000;

/// A provider's key of either kind.
enum Key {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
}

impl Key {
    fn ed(seed: u8) -> Self {
        Self::Ed(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn ec() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap())
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Ed(key) => {
                let x = BASE64.encode(key.public_key());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig" })
            }
            Self::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                let (x, y) = (BASE64.encode(x), BASE64.encode(y));
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": "ES256" })
            }
        }
    }

    fn alg(&self) -> &'static str {
        match self {
            Self::Ed(_) => "EdDSA",
            Self::Ec(_) => "ES256",
        }
    }

    fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.alg(), "kid": "one" }), claims)
    }

    fn token_with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = match self {
            Self::Ed(key) => key.sign(text.as_bytes()).as_ref().to_vec(),
            Self::Ec(key) => {
                key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec()
            }
        };
        format!("{text}.{}", BASE64.encode(signature))
    }
}

fn keys_of(keys: &[Value]) -> JwkSet {
    serde_json::from_value(json!({ "keys": keys })).unwrap()
}

/// What a good token says, but for this.
fn claims(but: Value) -> Value {
    let now = NOW();
    let mut claims = json!({
        "iss": "https://id.example.org", "aud": "xenoboot", "sub": "0815", "nonce": "n",
        "iat": now, "exp": now + 300,
    });
    for (name, value) in but.as_object().unwrap() {
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
    }
    claims
}

fn read(token: &str, keys: &JwkSet) -> Result<Option<Claims>, Refused> {
    keys::install();
    let expected = Expected {
        issuer: "https://id.example.org",
        client: "xenoboot",
        nonce: "n",
        begun_s: NOW() - 30,
        now_s: NOW(),
    };
    verify(token, &header(token)?, keys, &expected)
}

#[test]
fn a_good_token_of_each_kind_is_read() {
    for key in [Key::ed(1), Key::ec()] {
        let keys = keys_of(&[Key::ed(2).jwk("one"), key.jwk("one"), Key::ec().jwk("two")]);
        let claims = claims(json!({ "groups": ["ops"] }));
        let found = read(&key.token(&claims), &keys).unwrap().unwrap();
        assert_eq!((subject(&found).unwrap(), &found["groups"]), ("0815", &json!(["ops"])));
        // Without a name all of that kind are tried.
        let token = key.token_with(&json!({ "alg": key.alg() }), &claims);
        assert!(read(&token, &keys).unwrap().is_some());
        let list = self::claims(json!({ "aud": ["xenoboot", "other"], "azp": "xenoboot" }));
        assert!(read(&key.token(&list), &keys).unwrap().is_some());
    }
}

#[test]
fn each_fault_alone_is_refused() {
    let key = Key::ed(1);
    let keys = keys_of(&[key.jwk("one")]);
    let now = NOW();
    for (but, why) in [
        (json!({ "nonce": "m" }), "another log-in"),
        (json!({ "nonce": null }), "another log-in"),
        (json!({ "nonce": ["n"] }), "another log-in"),
        (json!({ "aud": "other" }), "another client"),
        (json!({ "aud": ["xenoboot", "other"] }), "another client"),
        (json!({ "aud": null }), "aud"),
        (json!({ "azp": "other" }), "another client"),
        (json!({ "azp": 7 }), "another client"),
        (json!({ "iss": "https://id.example.org/" }), "another issuer"),
        (json!({ "iss": ["https://id.example.org"] }), "another issuer"),
        (json!({ "iss": null }), "iss"),
        (json!({ "exp": now - 61 }), "expired"),
        (json!({ "exp": "never" }), "exp"),
        (json!({ "exp": null }), "exp"),
        (json!({ "nbf": now + 120 }), "ImmatureSignature"),
        (json!({ "iat": now - 100 }), "clock"),
        (json!({ "iat": now + 100 }), "clock"),
        (json!({ "iat": null }), "when it was made"),
        (json!({ "sub": "" }), "of whom"),
        (json!({ "sub": "a\nb" }), "of whom"),
        (json!({ "sub": "x".repeat(256) }), "of whom"),
        (json!({ "sub": null }), "sub"),
    ] {
        let refused = read(&key.token(&claims(but.clone())), &keys).expect_err(&but.to_string());
        assert!(refused.to_string().contains(why), "{but}: {refused}");
    }
}

#[test]
fn what_no_key_of_the_providers_has_signed_is_not_read() {
    let (key, other, curve) = (Key::ed(1), Key::ed(2), Key::ec());
    let keys = keys_of(&[key.jwk("one"), curve.jwk("curve")]);
    let claims = claims(json!({}));
    assert!(read(&key.token(&claims), &keys).unwrap().is_some());
    assert!(read(&other.token(&claims), &keys).unwrap().is_none(), "another key of that name");
    let named = key.token_with(&json!({ "alg": "EdDSA", "kid": "two" }), &claims);
    assert!(read(&named, &keys).unwrap().is_none(), "a name that is not there");
    let good = key.token(&claims);
    let (text, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = text.split_once('.').unwrap();
    let forged = self::claims(json!({ "sub": "root" })).to_string();
    let forged = format!("{head}.{}.{signature}", BASE64.encode(forged));
    assert!(read(&forged, &keys).unwrap().is_none(), "other words under the signature");
    assert!(read(&format!("{text}."), &keys).unwrap().is_none(), "no signature");
    let not_for_that = |name: &str, value: &str| {
        let mut jwk = key.jwk("one");
        jwk[name] = json!(value);
        read(&good, &keys_of(&[jwk])).unwrap().is_none()
    };
    assert!(not_for_that("use", "enc") && not_for_that("alg", "ES256"));
    assert!(not_for_that("crv", "P-256") && not_for_that("kty", "oct"));
}

#[test]
fn algorithms_that_prove_nothing_are_not_understood() {
    let key = Key::ed(1);
    let keys = keys_of(&[key.jwk("one")]);
    let claims = claims(json!({}));
    for alg in ["none", "None", "HS256", "RS512", "ES384", ""] {
        let token = key.token_with(&json!({ "alg": alg, "kid": "one" }), &claims);
        assert!(read(&token, &keys).is_err(), "{alg}");
    }
    // The public key as a secret.
    let Key::Ed(pair) = &key else { unreachable!() };
    let head = BASE64.encode(json!({ "alg": "HS256", "kid": "one" }).to_string());
    let text = format!("{head}.{}", BASE64.encode(claims.to_string()));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, pair.public_key().as_ref());
    let tag = BASE64.encode(hmac::sign(&secret, text.as_bytes()));
    assert!(read(&format!("{text}.{tag}"), &keys).is_err());
    // RS256 with a key of another kind.
    let token = key.token_with(&json!({ "alg": "RS256", "kid": "one" }), &claims);
    assert!(read(&token, &keys).unwrap().is_none());
    let wants = json!({ "alg": "EdDSA", "kid": "one", "crit": ["b64"], "b64": false });
    assert!(read(&key.token_with(&wants, &claims), &keys).is_err());
    for bad in ["", ".", "..", "a.b.c", "a.b.c.d", &"a".repeat(100_000)] {
        assert!(read(bad, &keys).is_err(), "{bad}");
    }
}
