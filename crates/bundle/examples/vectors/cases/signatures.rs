//! Wrong, missing and foreign signatures; other fleets.

use super::{parts, payload, signed};
use crate::build::{
    Case, FLEET, OTHER_FLEET, Parts, Seed, aad, array, cbor, manifest, set, signature,
};
use ciborium::Value;

pub(super) fn signatures() -> Vec<Case> {
    let flip = |mut bytes: Vec<u8>, at: usize| {
        bytes[at] ^= 1;
        bytes
    };
    let envelope = signed(&payload());
    let name = envelope.windows(6).position(|w| w == b"repair").expect("the name is there");
    let script = envelope.windows(9).position(|w| w == b"#!/bin/sh").expect("the script is there");
    let fleet = envelope.windows(16).position(|w| w == FLEET).expect("the fleet is there");
    let end = envelope.len() - 1;
    let count = Parts::signed(&payload(), &FLEET, &[1, 2]);
    let swapped = parts(|p| {
        // The signature by seed 2 under the key id of seed 1.
        let other = array(&mut signature(&payload(), &aad(&FLEET), Seed(2)))[2].clone();
        array(&mut p.signatures[0])[2] = other;
    });
    let one_wrong = {
        let mut p = Parts::signed(&payload(), &FLEET, &[1, 2]);
        let Value::Bytes(bytes) = &mut array(&mut p.signatures[1])[2] else {
            panic!("a signature")
        };
        bytes[0] ^= 1;
        p.bytes()
    };
    let with_aad = |aad: &[u8]| parts(|p| p.signatures = vec![signature(&payload(), aad, Seed(1))]);
    let other = {
        let mut m = manifest();
        set(&mut m, 6, Value::Bytes(OTHER_FLEET.to_vec()));
        cbor(&Value::Map(m))
    };
    let pinned_twice = Case::new(
        "threshold-key-pinned-twice",
        "One key, pinned twice, counts once.",
        "Threshold",
        signed(&payload()),
    );
    vec![
        Case::new(
            "signature-flipped-bit",
            "A bit of the signature is flipped.",
            "Signature",
            flip(envelope.clone(), end),
        ),
        Case::new(
            "signature-name-bit",
            "A bit of the manifest's name is flipped.",
            "Signature",
            flip(envelope.clone(), name),
        ),
        Case::new(
            "signature-script-bit",
            "A bit of an inline file is flipped.",
            "Signature",
            flip(envelope.clone(), script),
        ),
        Case::new(
            "signature-fleet-bit",
            "A bit of the fleet's id is flipped: damage, not another fleet's bundle.",
            "Signature",
            flip(envelope, fleet),
        ),
        Case::new(
            "signature-swapped",
            "Another pinned key's signature under this key's id.",
            "Signature",
            swapped,
        )
        .trust(1, &[1, 2]),
        Case::new(
            "signature-one-wrong",
            "One of two is wrong; the other alone would be enough.",
            "Signature",
            one_wrong,
        )
        .trust(1, &[1, 2]),
        Case::new(
            "signature-no-domain",
            "Signed without the domain string.",
            "Signature",
            with_aad(&FLEET),
        ),
        Case::new("signature-no-aad", "Signed without external data.", "Signature", with_aad(b"")),
        Case::new(
            "signature-other-domain",
            "Signed for another purpose.",
            "Signature",
            with_aad(&[b"xenoboot bundle v2\0", &FLEET[..]].concat()),
        ),
        Case::new(
            "signature-aad-of-other-fleet",
            "The manifest names this fleet, but the signature is for another.",
            "Signature",
            with_aad(&aad(&OTHER_FLEET)),
        ),
        Case::new(
            "signer-unpinned",
            "Signed by one key, which is not pinned.",
            "Signer",
            Parts::signed(&payload(), &FLEET, &[2]).bytes(),
        ),
        Case::new(
            "signer-all-unpinned",
            "Signed by two keys, none of them pinned, threshold 2.",
            "Signer",
            Parts::signed(&payload(), &FLEET, &[3, 4]).bytes(),
        )
        .trust(2, &[1, 2]),
        Case::new(
            "threshold-one-of-two",
            "One of the pinned signers, threshold 2.",
            "Threshold",
            signed(&payload()),
        )
        .trust(2, &[1, 2]),
        Case::new(
            "threshold-unpinned-does-not-count",
            "One pinned and one unpinned signer, threshold 2.",
            "Threshold",
            count.bytes(),
        )
        .trust(2, &[1, 3]),
        Case::new(
            "threshold-unsigned",
            "A draft without any signature.",
            "Threshold",
            parts(|p| p.signatures.clear()),
        ),
        pinned_twice.trust(2, &[1, 1]),
        Case::new(
            "fleet-other",
            "A bundle of another fleet with other signers.",
            "Fleet",
            Parts::signed(&other, &OTHER_FLEET, &[4]).bytes(),
        ),
        Case::new(
            "fleet-same-signer",
            "A bundle of another fleet by a signer who is pinned here too.",
            "Fleet",
            Parts::signed(&other, &OTHER_FLEET, &[1]).bytes(),
        ),
        Case::new(
            "fleet-contradiction",
            "Signed for this fleet, but the manifest names another.",
            "Fleet",
            Parts::signed(&other, &FLEET, &[1]).bytes(),
        ),
    ]
}
