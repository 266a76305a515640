//! Runs the vectors in `vectors/`: each names what must come of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

#[path = "../examples/vectors/build.rs"]
mod build;
#[path = "../examples/vectors/cases/mod.rs"]
mod cases;

use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};
use xenoboot_bundle::{Envelope, Manifest, Subject, TrustedSigners, VerifyError, verify};
use xenoboot_wire::MachineKey;

fn checked_in() -> BTreeMap<String, String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// The names of an error's variants from the outside in, `Manifest.Cbor.Truncated`.
fn name(error: &VerifyError) -> String {
    let debug = format!("{error:?}");
    let names = debug.split('(').map_while(|part| {
        let word: String = part.chars().take_while(char::is_ascii_alphanumeric).collect();
        let is_variant = word.starts_with(|c: char| c.is_ascii_uppercase()) && word != "KeyId";
        is_variant.then_some(word)
    });
    names.collect::<Vec<_>>().join(".")
}

fn outcome(vector: &Value) -> Result<Manifest, VerifyError> {
    let (trust, subject) = (&vector["trust"], &vector["subject"]);
    let trust = TrustedSigners {
        fleet: unhex(&trust["fleet"])[..].try_into().unwrap(),
        threshold: trust["threshold"].as_u64().unwrap().try_into().unwrap(),
        keys: trust["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|k| unhex(k).try_into().unwrap())
            .collect(),
    };
    let groups = subject["groups"].as_array().unwrap();
    let groups: Vec<String> = groups.iter().map(|g| g.as_str().unwrap().to_owned()).collect();
    let subject = Subject {
        machine: MachineKey(unhex(&subject["machine"]).try_into().unwrap()),
        groups: &groups,
        image: subject["image"].as_str().unwrap().parse().unwrap(),
        now_s: subject["now"].as_u64().unwrap(),
        last_serial: subject["last_serial"].as_u64(),
    };
    verify(&unhex(&vector["envelope"]), &trust, &subject).map(|manifest| (*manifest).clone())
}

#[test]
fn every_vector_comes_out_as_it_says() {
    let vectors = checked_in();
    assert!(vectors.len() >= 40, "{} vectors", vectors.len());
    for (file, text) in &vectors {
        let vector: Value = serde_json::from_str(text).unwrap();
        let result = outcome(&vector);
        let found = result.as_ref().map_or_else(name, |_| "ok".to_owned());
        assert_eq!(found, vector["expect"].as_str().unwrap(), "{file}: {result:?}");
        let code = result.as_ref().err().map(|e| e.code().id());
        assert_eq!(code, vector["code"].as_str(), "{file}");
        if let Ok(manifest) = result {
            let bytes = unhex(&vector["envelope"]);
            let envelope = Envelope::decode(&bytes).unwrap();
            assert_eq!(envelope.encode(), bytes, "{file}: encoded again");
            assert_eq!(manifest.encode().unwrap(), envelope.payload(), "{file}: encoded again");
        }
    }
}

#[test]
fn the_vectors_are_those_that_the_generator_makes() {
    let made: BTreeMap<String, String> =
        cases::all().iter().map(|case| (case.file_name(), case.to_json())).collect();
    assert_eq!(made.len(), cases::all().len(), "each vector has its own name");
    let found = checked_in();
    let differ: Vec<_> =
        made.iter().filter(|(name, text)| found.get(*name) != Some(text)).collect();
    assert!(differ.is_empty(), "run `cargo run -p xenoboot-bundle --example vectors`: {differ:?}");
    assert_eq!(made.len(), found.len(), "files in vectors/ that the generator does not make");
}
