//! The vectors: what each is about and what must come of it.

mod encodings;
mod envelopes;
mod fields;
mod files;
mod good;
mod signatures;

use crate::build::{Case, FLEET, Map, Parts, cbor, int, manifest, set, text};
use ciborium::Value;

/// All vectors.
pub(crate) fn all() -> Vec<Case> {
    [
        good::good(),
        good::subjects(),
        signatures::signatures(),
        envelopes::envelopes(),
        encodings::encodings(),
        fields::fields(),
        files::files(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A manifest after `change`, signed by seed 1.
fn changed(change: impl FnOnce(&mut Map)) -> Vec<u8> {
    let mut map = manifest();
    change(&mut map);
    signed(&cbor(&Value::Map(map)))
}

/// Arbitrary payload bytes, signed by seed 1.
fn signed(payload: &[u8]) -> Vec<u8> {
    Parts::signed(payload, &FLEET, &[1]).bytes()
}

fn payload() -> Vec<u8> {
    cbor(&Value::Map(manifest()))
}

/// An envelope after `change`.
fn parts(change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = Parts::signed(&payload(), &FLEET, &[1]);
    change(&mut parts);
    parts.bytes()
}

fn with_files(files: Vec<Value>) -> Vec<u8> {
    changed(|m| set(m, 15, Value::Array(files)))
}

fn listed(keys: &[[u8; 32]], groups: &[&str]) -> Value {
    let mut map = Vec::new();
    if !keys.is_empty() {
        map.push((int(1), Value::Array(keys.iter().map(|k| Value::Bytes(k.to_vec())).collect())));
    }
    if !groups.is_empty() {
        map.push((int(2), Value::Array(groups.iter().map(|g| text(g)).collect())));
    }
    Value::Map(map)
}

/// Replaces the one occurrence of `from`.
fn patch(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let found: Vec<usize> =
        (0..bytes.len()).filter(|i| bytes.get(*i..).is_some_and(|b| b.starts_with(from))).collect();
    assert_eq!(found.len(), 1, "what is to be replaced occurs once");
    let (before, after) = (&bytes[..found[0]], &bytes[found[0] + from.len()..]);
    [before, to, after].concat()
}
