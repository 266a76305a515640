//! Manifests that are not deterministic CBOR.

use super::{patch, payload, signed};
use crate::build::{Case, cbor, int, manifest, set, text};
use ciborium::Value;

pub(super) fn encodings() -> Vec<Case> {
    let case = |name: &str, description: &str, expect: &str, payload: &[u8]| {
        Case::new(
            &format!("cbor-{name}"),
            description,
            &format!("Manifest.{expect}"),
            signed(payload),
        )
    };
    let plain = payload();
    let reordered = {
        let mut m = manifest();
        m.swap(2, 3);
        cbor(&Value::Map(m))
    };
    let twice = {
        let mut m = manifest();
        let third = m[2].clone();
        m.insert(3, third);
        cbor(&Value::Map(m))
    };
    let extension = |value: Value| {
        let mut m = manifest();
        set(&mut m, -1, value);
        cbor(&Value::Map(m))
    };
    let deep = (0..9).fold(int(0), |inner, _| Value::Array(vec![inner]));
    let key_order = {
        let mut m = manifest();
        m.insert(0, (Value::Integer((-1).into()), int(0)));
        cbor(&Value::Map(m))
    };
    vec![
        case("not-a-map", "The payload is a text.", "Cbor.Type", &cbor(&text("manifest"))),
        case("empty", "The payload is empty.", "Cbor.Truncated", b""),
        case(
            "trailing",
            "A byte follows the manifest.",
            "Cbor.Trailing",
            &[&plain[..], &[0]].concat(),
        ),
        case("key-twice", "The serial is there twice.", "Cbor.DuplicateKey", &twice),
        case("key-order", "Serial and making are in the wrong order.", "Cbor.KeyOrder", &reordered),
        case("negative-key-first", "A negative key before the others.", "Missing", &key_order),
        case(
            "long-integer",
            "The serial is not in its shortest form.",
            "Cbor.NonCanonical",
            &patch(&plain, &[0x03, 0x07, 0x04], &[0x03, 0x18, 0x07, 0x04]),
        ),
        case(
            "long-length",
            "A text's length is not in its shortest form.",
            "Cbor.NonCanonical",
            &patch(&plain, b"\x66repair", b"\x78\x06repair"),
        ),
        case(
            "indefinite-map",
            "The map has no definite length.",
            "Cbor.Indefinite",
            &[&[0xbf], &plain[1..], &[0xff]].concat(),
        ),
        case(
            "indefinite-text",
            "A text in pieces.",
            "Cbor.Indefinite",
            &patch(&plain, b"\x66repair", b"\x7f\x66repair\xff"),
        ),
        case(
            "float",
            "The serial is a floating-point number.",
            "Cbor.IllFormed",
            &patch(&plain, &[0x03, 0x07, 0x04], &[0x03, 0xf9, 0x47, 0x00, 0x04]),
        ),
        case(
            "text-not-utf8",
            "The name is not UTF-8.",
            "Cbor.Utf8",
            &patch(&plain, b"repair", b"rep\xffir"),
        ),
        case(
            "extension-deep",
            "An extension nests ten levels deep.",
            "Cbor.Depth",
            &extension(deep),
        ),
        case(
            "extension-large",
            "An extension is larger than 4096 bytes.",
            "Extension",
            &extension(Value::Bytes(vec![0; 4097])),
        ),
        case(
            "map-count-lies",
            "The map claims 2^60 pairs.",
            "Cbor.Truncated",
            &[&[0xbb, 0x10, 0, 0, 0, 0, 0, 0, 0], &plain[1..]].concat(),
        ),
    ]
}
