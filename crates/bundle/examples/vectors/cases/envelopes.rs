//! Envelopes that are no envelopes.

use super::{parts, patch, payload, signed};
use crate::build::{Case, FLEET, Parts, Seed, aad, array, cbor, int, signature, text, with_header};
use ciborium::Value;

pub(super) fn envelopes() -> Vec<Case> {
    let header = |alg: i64, kid: Vec<u8>| {
        vec![(int(1), Value::Integer(alg.into())), (int(4), Value::Bytes(kid))]
    };
    let kid = Seed(1).kid();
    let with = |signature: Value| parts(|p| p.signatures = vec![signature]);
    let mut critical = header(-8, kid.clone());
    critical.insert(1, (int(2), Value::Array(vec![int(99)])));
    let mut extra = header(-8, kid.clone());
    extra.push((int(5), Value::Bytes(vec![0])));
    let mut short = signature(&payload(), &aad(&FLEET), Seed(1));
    array(&mut short)[2] = Value::Bytes(vec![0; 63]);
    let mut unprotected = signature(&payload(), &aad(&FLEET), Seed(1));
    array(&mut unprotected)[1] = Value::Map(vec![(int(4), Value::Bytes(kid.clone()))]);
    let many: Vec<u8> = (1..=33).collect();
    let case = |name: &str, description: &str, expect: &str, envelope| {
        Case::new(&format!("envelope-{name}"), description, expect, envelope)
    };
    vec![
        case("empty", "No bytes.", "Envelope.Cbor.Truncated", vec![]),
        case("cut", "The last byte is missing.", "Envelope.Cbor.Truncated", {
            let mut e = signed(&payload());
            e.pop();
            e
        }),
        case(
            "trailing",
            "A byte follows.",
            "Envelope.Cbor.Trailing",
            [signed(&payload()), vec![0]].concat(),
        ),
        case(
            "untagged",
            "The tag of COSE_Sign is missing.",
            "Envelope.Cbor.Type",
            parts(|p| p.tag = None),
        ),
        case(
            "sign1-tag",
            "The tag of COSE_Sign1.",
            "Envelope.Structure",
            parts(|p| p.tag = Some(18)),
        ),
        case(
            "long-tag",
            "The tag is not in its shortest form.",
            "Envelope.Cbor.NonCanonical",
            patch(&signed(&payload()), &[0xd8, 98, 0x84], &[0xd9, 0, 98, 0x84]),
        ),
        case(
            "indefinite",
            "The outer array has no definite length.",
            "Envelope.Cbor.Indefinite",
            [patch(&signed(&payload()), &[0xd8, 98, 0x84], &[0xd8, 98, 0x9f]), vec![0xff]].concat(),
        ),
        case(
            "detached",
            "The payload is elsewhere (nil).",
            "Envelope.Cbor.Type",
            parts(|p| p.payload = Value::Null),
        ),
        case(
            "body-header-empty",
            "The body has no content type.",
            "Envelope.BodyHeader",
            parts(|p| p.body = vec![]),
        ),
        case(
            "body-header-other",
            "Another content type.",
            "Envelope.BodyHeader",
            parts(|p| p.body = cbor(&Value::Map(vec![(int(3), text("text/plain"))]))),
        ),
        case(
            "body-header-critical",
            "A critical header in the body.",
            "Envelope.BodyHeader",
            parts(|p| {
                p.body = cbor(&Value::Map(vec![
                    (int(2), Value::Array(vec![int(99)])),
                    (int(3), text(crate::build::MEDIA_TYPE)),
                ]));
            }),
        ),
        case(
            "body-unprotected",
            "An unprotected header in the body.",
            "Envelope.BodyHeader",
            parts(|p| p.body_unprotected = Value::Map(vec![(int(99), int(0))])),
        ),
        case(
            "algorithm",
            "A signature that says ES256.",
            "Envelope.Algorithm",
            with(with_header(header(-7, kid.clone()))),
        ),
        case(
            "algorithm-none",
            "A signature without algorithm.",
            "Envelope.SignatureHeader",
            with(with_header(vec![(int(4), Value::Bytes(kid.clone()))])),
        ),
        case(
            "signature-extra",
            "A signature with one header more (an initialisation vector).",
            "Envelope.SignatureHeader",
            with(with_header(extra)),
        ),
        case(
            "signature-critical",
            "A signature with a critical header.",
            "Envelope.SignatureHeader",
            with(with_header(critical)),
        ),
        case(
            "signature-unprotected",
            "A signature with an unprotected header.",
            "Envelope.SignatureHeader",
            with(unprotected),
        ),
        case(
            "signature-short",
            "A signature of 63 bytes.",
            "Envelope.SignatureLength",
            with(short),
        ),
        case(
            "key-id-short",
            "A key id of 8 bytes.",
            "Envelope.SignatureLength",
            with(with_header(header(-8, kid[..8].to_vec()))),
        ),
        case(
            "signer-twice",
            "Two signatures by one key.",
            "Envelope.DuplicateSigner",
            parts(|p| p.signatures.push(p.signatures[0].clone())),
        ),
        case(
            "signature-order",
            "Signatures are not in the order of their key ids.",
            "Envelope.SignatureOrder",
            {
                let mut p = Parts::signed(&payload(), &FLEET, &[1, 2]);
                p.signatures.reverse();
                p.bytes()
            },
        ),
        case(
            "too-many-signatures",
            "33 signatures.",
            "Envelope.TooManySignatures",
            Parts::signed(&payload(), &FLEET, &many).bytes(),
        ),
    ]
}
