//! Signing, verifying and unpacking as their users do it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

use proptest::prelude::*;
use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};
use xenoboot_bundle::{
    Bundle, Envelope, EnvelopeError, File, FilePath, Machines, Manifest, ManifestError, Need,
    SignError, SigningKey, Subject, Then, TrustedSigners, UnpackError, Verified, VerifyError,
    inspect, limits, manifest::Extension, sign, verify,
};
use xenoboot_wire::{Code, Digest, FleetId, MachineKey, Version};

const FLEET: FleetId = FleetId([9; 16]);
const NOW: u64 = 1_800_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

fn trust(threshold: usize, seeds: &[u8]) -> TrustedSigners {
    let keys = seeds.iter().map(|s| key(*s).public()).collect();
    TrustedSigners { fleet: FLEET, threshold, keys }
}

fn subject() -> Subject<'static> {
    let image = Version { major: 0, minor: 1, patch: 0 };
    Subject { machine: MachineKey([1; 32]), groups: &[], image, now_s: NOW, last_serial: None }
}

fn manifest() -> Manifest {
    Manifest::of_script("test", FLEET, NOW, b"#!/bin/sh\n")
}

fn with_blobs(contents: &[(&str, &[u8])]) -> Manifest {
    let mut m = manifest();
    for (path, content) in contents {
        let (size, digest) = (content.len() as u64, Digest::of(content));
        let path = path.parse().unwrap();
        m.files.push(File { path, mode: 0o640, size, digest, content: None });
    }
    m.files.sort_by(|a, b| a.path.cmp(&b.path));
    m
}

fn verified(m: &Manifest) -> Verified<Manifest> {
    verify(&sign(m, &[key(1)]).unwrap(), &trust(1, &[1]), &subject()).unwrap()
}

fn unpack(m: &Manifest, dir: &Path, content: &[u8]) -> Result<Verified<Bundle>, UnpackError> {
    verified(m).unpack(dir, |_, _| Ok(content))
}

#[test]
fn a_bundle_from_making_to_files() {
    let m = with_blobs(&[("data/a", b"blob"), ("data/b", b"blob")]);
    let verified = verified(&m);
    assert_eq!(verified.blobs().collect::<Vec<_>>(), [(Digest::of(b"blob"), 4)]);
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("run");
    let bundle = verified.unpack(&target, |_, _| Ok(&b"blob"[..])).unwrap();
    assert_eq!(fs::read(bundle.entry()).unwrap(), b"#!/bin/sh\n");
    assert_eq!(fs::read(target.join("data/b")).unwrap(), b"blob");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&bundle.entry()), 0o755);
    assert_eq!(mode(&target.join("data/a")), 0o640);
    assert_eq!(mode(&target), 0o700);
}

#[test]
fn a_blob_that_is_not_what_was_signed_is_not_left_behind() {
    let m = with_blobs(&[("data", b"blob")]);
    for (content, code) in [
        (&b"blo"[..], Code::BlobShort),
        (b"", Code::BlobShort),
        (b"blub", Code::BlobDigest),
        (b"blob and more", Code::BlobDigest),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let error = unpack(&m, dir.path(), content).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!dir.path().join("data").exists());
    }
}

#[test]
fn a_blob_without_end_is_read_to_one_byte_past_its_size() {
    struct Counting(u64);
    impl io::Read for Counting {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += buffer.len() as u64;
            assert!(self.0 <= 5, "read beyond what was signed");
            Ok(buffer.len())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let m = with_blobs(&[("data", b"blob")]);
    let result = verified(&m).unpack(dir.path(), |_, _| Ok(Counting(0)));
    assert!(matches!(result, Err(UnpackError::Long { size: 4, .. })), "{result:?}");
}

#[test]
fn a_blob_that_is_missing_or_breaks_off() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let m = with_blobs(&[("data", b"blob")]);
    let dir = tempfile::tempdir().unwrap();
    let missing =
        verified(&m).unpack(dir.path(), |_, _| Err::<&[u8], _>(io::ErrorKind::NotFound.into()));
    assert_eq!(missing.unwrap_err().code(), Code::BlobMissing);
    let dir = tempfile::tempdir().unwrap();
    let broken = verified(&m).unpack(dir.path(), |_, _| Ok(Broken));
    assert_eq!(broken.unwrap_err().code(), Code::BlobShort);
}

#[test]
fn only_an_empty_folder_is_unpacked_into() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    assert!(matches!(unpack(&manifest(), &link, b""), Err(UnpackError::NotEmpty(_))));
    // What lies there already, a link that leads elsewhere say, is never written through.
    symlink("/dev/null", real.join("run")).unwrap();
    assert!(matches!(unpack(&manifest(), &real, b""), Err(UnpackError::NotEmpty(_))));
    assert!(unpack(&manifest(), Path::new("/dev/null/x"), b"").is_err());
}

#[test]
fn signatures_are_the_same_in_whatever_order_they_are_added() {
    let m = manifest();
    let both = sign(&m, &[key(1), key(2)]).unwrap();
    assert_eq!(both, sign(&m, &[key(2), key(1), key(2)]).unwrap());
    let mut draft = Envelope::decode(&sign(&m, &[]).unwrap()).unwrap();
    assert!(matches!(
        verify(&draft.encode(), &trust(1, &[1]), &subject()),
        Err(VerifyError::Threshold { have: 0, need: 1 })
    ));
    draft.add(&key(2)).unwrap();
    draft.add(&key(1)).unwrap();
    assert_eq!(draft.encode(), both);
    assert_eq!(inspect(&both).unwrap().signers.len(), 2);
    assert!(verify(&both, &trust(2, &[1, 2]), &subject()).is_ok());
    // A threshold of zero is no licence to run what nobody signed.
    let unsigned = sign(&m, &[]).unwrap();
    assert!(verify(&unsigned, &trust(0, &[1]), &subject()).is_err());
}

#[test]
fn limits_on_both_sides() {
    assert_eq!(Envelope::decode(&vec![0; limits::ENVELOPE + 1]), Err(EnvelopeError::TooLarge));
    let mut large = manifest();
    let content = vec![0; limits::INLINE];
    for i in 0..64 {
        let path: FilePath = format!("f{i:02}").parse().unwrap();
        large.files.push(File::inline(path, 0o644, content.clone()));
    }
    large.files.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(sign(&large, &[key(1)]), Err(SignError::TooLarge));
    large.files.remove(0);
    assert!(sign(&large, &[key(1)]).is_ok());
    let mut many = manifest();
    many.files = (0..=limits::FILES)
        .map(|i| File::inline(format!("{i:05}").parse().unwrap(), 0o755, vec![]))
        .collect();
    many.entry = "00000".parse().unwrap();
    assert!(matches!(many.encode(), Err(ManifestError::TooMany { .. })));
    many.files.pop();
    assert!(Manifest::decode(&many.encode().unwrap()).is_ok());
}

#[test]
fn a_manifest_that_breaks_a_rule_is_not_signed() {
    let mut m = manifest();
    m.entry = "other".parse().unwrap();
    assert_eq!(sign(&m, &[key(1)]), Err(SignError::Manifest(ManifestError::EntryMissing)));
}

#[test]
fn every_flipped_bit_is_refused() {
    let envelope = sign(&manifest(), &[key(1)]).unwrap();
    for at in 0..envelope.len() * 8 {
        let mut bytes = envelope.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(verify(&bytes, &trust(1, &[1]), &subject()).is_err(), "bit {at}");
    }
}

#[test]
fn secrets_do_not_show() {
    let shown = format!("{:?}", key(0x5a));
    assert!(!shown.contains("5a5a") && shown.contains(&key(0x5a).id().to_string()));
}

prop_compose! {
    fn any_then()(which in 0..4, after_s in 1..=limits::SECONDS) -> Then {
        match which {
            0 => Then::Reboot,
            1 => Then::PowerOff,
            2 => Then::RunAgain { after_s },
            _ => Then::Wait,
        }
    }
}

prop_compose! {
    fn any_files()(
        files in prop::collection::btree_map(
            "[a-z]{1,8}", (0u32..0o1000, any::<Vec<u8>>(), any::<bool>()), 0..6)
    ) -> Vec<File> {
        let files = files.into_iter().map(|(name, (mode, content, inline))| {
            let mut file = File::inline(format!("d/{name}").parse().unwrap(), mode, content);
            if !inline {
                file.content = None;
            }
            file
        });
        files.chain([File::inline("run".parse().unwrap(), 0o700, vec![1])]).collect()
    }
}

prop_compose! {
    fn any_machines()(
        keys in prop::collection::btree_set(any::<[u8; 32]>(), 0..4),
        groups in prop::collection::btree_set("[a-z0-9][a-z._-]{0,8}", 0..4),
    ) -> Machines {
        if keys.is_empty() && groups.is_empty() {
            return Machines::Any;
        }
        let keys = keys.into_iter().map(MachineKey).collect();
        Machines::Listed { keys, groups: groups.into_iter().collect() }
    }
}

prop_compose! {
    fn any_manifest()(
        name in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", serial in any::<u64>(), created in 0u64..1 << 32,
        valid in 1u64..1 << 32, fleet in any::<[u8; 16]>(), machines in any_machines(),
        image in any::<(u16, u16, u16)>(), args in prop::collection::vec("[^\0]{0,9}", 0..4),
        numbers in (1..=limits::SECONDS, prop::option::of(limits::MEMORY..)),
        then in (any_then(), any_then()), files in any_files(), toolbox in any::<bool>(), note in prop::option::of("[ -~]{0,23}"),
    ) -> Manifest {
        let extensions = note.iter().map(|text| {
            let value = [&[0x60 | text.len() as u8], text.as_bytes()].concat();
            Extension { key: -5, value }
        });
        Manifest {
            name, serial, created, not_after: created + valid, fleet: FleetId(fleet), machines,
            min_image: Version { major: image.0, minor: image.1, patch: image.2 },
            entry: "run".parse().unwrap(), args, time_limit_s: numbers.0, memory_limit: numbers.1,
            on_success: then.0, on_failure: then.1, files,
            needs: toolbox.then_some(Need::Toolbox).into_iter().collect(), extensions: extensions.collect(),
        }
    }
}

proptest! {
    #[test]
    fn a_manifest_is_read_as_it_was_written(m in any_manifest()) {
        let bytes = m.encode().unwrap();
        prop_assert_eq!(Manifest::decode(&bytes).unwrap(), m);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in any::<Vec<u8>>()) {
        let _ = (Envelope::decode(&bytes), Manifest::decode(&bytes));
    }

    /// What is accepted after damage is again exactly what it encodes to.
    #[test]
    fn one_encoding_for_what_is_accepted(
        m in any_manifest(), at in any::<prop::sample::Index>(), byte in any::<u8>(), insert in any::<bool>()
    ) {
        let mut bytes = m.encode().unwrap();
        let at = at.index(bytes.len());
        if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
        if let Ok(read) = Manifest::decode(&bytes) {
            prop_assert_eq!(read.encode().unwrap(), bytes);
        }
    }
}
