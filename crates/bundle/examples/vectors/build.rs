//! Envelopes made with other libraries than the crate's own encoder (ciborium and coset), so that what the
//! crate reads was not written by itself; and the means to make them wrong.

use ciborium::Value;
use coset::{CoseSignatureBuilder, HeaderBuilder, ProtectedHeader, iana};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;
use xenoboot_wire::Digest;

pub(crate) const FLEET: [u8; 16] = [0xf1; 16];
pub(crate) const OTHER_FLEET: [u8; 16] = [0xf2; 16];
pub(crate) const MACHINE: [u8; 32] = [0xaa; 32];
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const SCRIPT: &[u8] = b"#!/bin/sh\nxb report ok=yes\n";
pub(crate) const MEDIA_TYPE: &str = "application/vnd.xenoboot.manifest+cbor";

/// A signer of the vectors: the key whose seed is 32 times this byte.
#[derive(Clone, Copy)]
pub(crate) struct Seed(pub(crate) u8);

impl Seed {
    pub(crate) fn pair(self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[self.0; 32]).expect("32 bytes are a seed")
    }

    pub(crate) fn public(self) -> Vec<u8> {
        self.pair().public_key().as_ref().to_vec()
    }

    pub(crate) fn kid(self) -> Vec<u8> {
        Digest::of(&self.public()).0.to_vec()
    }
}

/// One vector.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) envelope: Vec<u8>,
    pub(crate) threshold: usize,
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) groups: Vec<String>,
    pub(crate) now: u64,
    pub(crate) last_serial: Option<u64>,
    pub(crate) image: String,
    pub(crate) expect: String,
    pub(crate) code: Option<String>,
}

impl Case {
    /// A case for the usual trust (the signer of seed 1, one signature) and the usual machine.
    pub(crate) fn new(name: &str, description: &str, expect: &str, envelope: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            envelope,
            threshold: 1,
            keys: vec![Seed(1).public()],
            groups: vec!["web".to_owned()],
            now: NOW,
            last_serial: None,
            image: "0.1.0".to_owned(),
            expect: expect.to_owned(),
            code: code(expect).map(str::to_owned),
        }
    }

    pub(crate) fn trust(mut self, threshold: usize, signers: &[u8]) -> Self {
        self.threshold = threshold;
        self.keys = signers.iter().map(|s| Seed(*s).public()).collect();
        self
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{}.json", self.name)
    }

    pub(crate) fn to_json(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(|k| hex(k)).collect();
        let value = json!({
            "description": self.description,
            "envelope": hex(&self.envelope),
            "trust": { "fleet": hex(&FLEET), "threshold": self.threshold, "keys": keys },
            "subject": {
                "machine": hex(&MACHINE), "groups": self.groups, "image": self.image,
                "now": self.now, "last_serial": self.last_serial,
            },
            "expect": self.expect,
            "code": self.code,
        });
        format!("{value:#}\n")
    }
}

/// The code that goes with an error, written down here a second time.
fn code(expect: &str) -> Option<&'static str> {
    Some(match expect.split('.').next()? {
        "ok" => return None,
        "Envelope" | "Manifest" => "XB-BUN-01",
        "Signature" => "XB-BUN-02",
        "Threshold" => "XB-BUN-03",
        "Signer" => "XB-BUN-04",
        "Expired" => "XB-BUN-05",
        "Fleet" => "XB-BUN-06",
        "Machine" => "XB-BUN-07",
        "Image" => "XB-BUN-08",
        "Serial" => "XB-BUN-09",
        "NotYet" => "XB-BUN-11",
        other => panic!("no code for {other}"),
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) fn cbor(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("writing to a Vec");
    out
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn int(n: u64) -> Value {
    Value::Integer(n.into())
}

/// A map under construction, in the order in which it is written.
pub(crate) type Map = Vec<(Value, Value)>;

/// Sets a key that is there, or adds it at the end.
pub(crate) fn set(map: &mut Map, key: i64, value: Value) {
    let key = Value::Integer(key.into());
    match map.iter_mut().find(|(k, _)| *k == key) {
        Some(slot) => slot.1 = value,
        None => map.push((key, value)),
    }
}

pub(crate) fn file(path: &str, mode: u64, content: &[u8]) -> Value {
    let fields = [
        text(path),
        int(mode),
        int(content.len() as u64),
        Value::Bytes(Digest::of(content).0.to_vec()),
        Value::Bytes(content.to_vec()),
    ];
    Value::Map((1u64..).map(int).zip(fields).collect())
}

pub(crate) fn blob(path: &str, size: u64, digest: u8) -> Value {
    let fields = [text(path), int(0o644), int(size), Value::Bytes(vec![digest; 32])];
    Value::Map((1u64..).map(int).zip(fields).collect())
}

/// A manifest that is right for the usual machine.
pub(crate) fn manifest() -> Map {
    let fields = [
        (1, int(1)),
        (2, text("repair")),
        (3, int(7)),
        (4, int(NOW - 60)),
        (5, int(NOW + 86_400)),
        (6, Value::Bytes(FLEET.to_vec())),
        (7, text("any")),
        (8, Value::Array(vec![int(0), int(1), int(0)])),
        (9, text("run")),
        (10, Value::Array(vec![])),
        (11, int(3600)),
        (13, Value::Array(vec![int(4)])),
        (14, Value::Array(vec![int(4)])),
        (15, Value::Array(vec![file("run", 0o755, SCRIPT)])),
    ];
    fields.into_iter().map(|(k, v)| (int(k), v)).collect()
}

/// The parts of an envelope that a case may change.
pub(crate) struct Parts {
    pub(crate) tag: Option<u64>,
    pub(crate) body: Vec<u8>,
    pub(crate) body_unprotected: Value,
    pub(crate) payload: Value,
    pub(crate) signatures: Vec<Value>,
}

impl Parts {
    /// An envelope of `payload`, signed by each seed for `fleet`, in the order that the format asks.
    pub(crate) fn signed(payload: &[u8], fleet: &[u8], seeds: &[u8]) -> Self {
        let mut seeds: Vec<Seed> = seeds.iter().map(|s| Seed(*s)).collect();
        seeds.sort_by_key(|s| s.kid());
        let aad = aad(fleet);
        Self {
            tag: Some(98),
            body: body(),
            body_unprotected: Value::Map(vec![]),
            payload: Value::Bytes(payload.to_vec()),
            signatures: seeds.iter().map(|s| signature(payload, &aad, *s)).collect(),
        }
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let array = Value::Array(vec![
            Value::Bytes(self.body),
            self.body_unprotected,
            self.payload,
            Value::Array(self.signatures),
        ]);
        cbor(&match self.tag {
            Some(tag) => Value::Tag(tag, Box::new(array)),
            None => array,
        })
    }
}

pub(crate) fn aad(fleet: &[u8]) -> Vec<u8> {
    [b"xenoboot bundle v1\0", fleet].concat()
}

pub(crate) fn body() -> Vec<u8> {
    cbor(&Value::Map(vec![(int(3), text(MEDIA_TYPE))]))
}

/// A COSE_Signature, its Sig_structure made by coset.
pub(crate) fn signature(payload: &[u8], aad: &[u8], seed: Seed) -> Value {
    let header = HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(seed.kid()).build();
    let body = ProtectedHeader::from_cbor_bstr(Value::Bytes(body())).expect("a header");
    let protected = ProtectedHeader { original_data: None, header: header.clone() };
    let tbs = coset::sig_structure_data(
        coset::SignatureContext::CoseSignature,
        body,
        Some(protected),
        aad,
        payload,
    );
    let made = CoseSignatureBuilder::new()
        .protected(header)
        .signature(seed.pair().sign(&tbs).as_ref().to_vec())
        .build();
    coset::AsCborValue::to_cbor_value(made).expect("a signature has a CBOR form")
}

/// A COSE_Signature of which only the protected header matters, because it is refused.
pub(crate) fn with_header(header: Map) -> Value {
    let header = cbor(&Value::Map(header));
    Value::Array(vec![Value::Bytes(header), Value::Map(vec![]), Value::Bytes(vec![0; 64])])
}

/// The parts of a signature.
pub(crate) fn array(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().expect("an array")
}
