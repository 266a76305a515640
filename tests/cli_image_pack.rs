//! `xenoboot image-pack`, as a person or a script uses it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]

use serde_json::Value;
use std::{fs, path::Path, process::Command};
use xenoboot_pack::{Index, Run};
use xenoboot_wire::Digest;

fn pack(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xenoboot"))
        .arg("image-pack")
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_disk_with_a_file_system_becomes_its_used_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    // An MBR with one partition from 1 MiB on; what the file system does not use is noise.
    let noise: Vec<u8> = (0..64_u64 << 20).map(|n| ((n * n) >> 11) as u8 | 1).collect();
    fs::write(folder.path().join("part"), &noise[..63 << 20]).unwrap();
    let made = Command::new("/usr/sbin/mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-E", "nodiscard", "part"])
        .current_dir(folder.path())
        .status();
    assert!(made.unwrap().success());
    let part = fs::read(folder.path().join("part")).unwrap();
    let mut bytes = [vec![0; 1 << 20], part].concat();
    bytes[446..462].copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0xf8, 1, 0]);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    fs::write(&disk, &bytes).unwrap();

    let (status, out, err) = pack(folder.path(), &["disk", "out", "--json"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    let said: Value = serde_json::from_str(&out).unwrap();
    let root = fs::read(folder.path().join("out/image.xbi")).unwrap();
    assert_eq!(said["sha256"], Digest::of(&root).to_string());
    let index = Index::decode(&root).unwrap();
    assert_eq!((index.size, index.sector), (64 << 20, 512));
    let page = folder
        .path()
        .join("out")
        .join(xenoboot_pack::store::path(xenoboot_pack::store::Kind::Page, &index.pages[0]));
    let page = xenoboot_pack::index::File::verify(fs::read(page).unwrap(), index.pages[0]).unwrap();
    let page = index.page(0, &page).unwrap();
    let unused: u64 =
        page.runs().iter().map(|run| if let Run::Unused(n) = run { *n } else { 0 }).sum();
    assert!(unused > 40, "{page:?}");
    assert_eq!(said["chunks"]["unused"], unused);

    let (_, out, _) = pack(folder.path(), &["disk", "whole", "--whole", "--json"]);
    let whole: Value = serde_json::from_str(&out).unwrap();
    // The journal's zeros are no data either way.
    assert_eq!(whole["chunks"]["unused"], 0);
    assert!(whole["chunks"]["data"].as_u64().unwrap() > 55, "{whole}");

    let (status, out, _) = pack(folder.path(), &["disk", "out"]);
    assert_eq!(status, Some(0));
    assert!(out.contains("; 0 bytes written\nsha256 "), "{out}");
}

#[test]
fn what_cannot_be_packed_is_said() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("odd"), vec![1; 1000]).unwrap();
    fs::write(folder.path().join("disk"), vec![1; 4096]).unwrap();
    for (args, words) in [
        (&["missing", "out"][..], "cannot open missing"),
        (&["odd", "out"], "no whole sectors of 512"),
        (&["disk", "out", "--chunk-size", "100"], "no power of two"),
        (&["disk", "out", "--name", "../x"], "no name for a file"),
    ] {
        let (status, _, err) = pack(folder.path(), args);
        assert_eq!(status, Some(1), "{err}");
        assert!(err.contains(words), "{err}");
    }
    assert!(!folder.path().join("out/image.xbi").exists());
}
