use super::*;
use proptest::prelude::*;
use std::{fs, os::unix::fs::FileExt as _, path::Path, process::Command};

fn all(bytes: &[u8]) -> io::Result<Vec<(Member, Vec<u8>)>> {
    let (mut archive, mut found) = (Archive::new(bytes), Vec::new());
    while let Some(member) = archive.next()? {
        let mut data = Vec::new();
        archive.read_to_end(&mut data)?;
        found.push((member, data));
    }
    Ok(found)
}

fn tar(folder: &Path, options: &[&str], names: &[&str]) -> Vec<u8> {
    let out = Command::new("tar")
        .arg("-C")
        .arg(folder)
        .args(options)
        .args(["-cf", "-"])
        .args(names)
        .output();
    let out = out.unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

#[test]
fn what_gnu_tar_writes_is_read_in_each_of_its_formats() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{}/{}", "folder".repeat(20), "name".repeat(30));
    fs::create_dir(folder.path().join("folder".repeat(20))).unwrap();
    fs::write(folder.path().join(&long), "long").unwrap();
    let holes = fs::File::create(folder.path().join("holes")).unwrap();
    holes.set_len(9 << 20).unwrap();
    for piece in 0..40 {
        holes.write_all_at(&[7; 4096], piece << 17).unwrap();
    }
    let data = fs::read(folder.path().join("holes")).unwrap();
    std::os::unix::fs::symlink("b".repeat(150), folder.path().join("link")).unwrap();
    let names = [long.as_str(), "holes", "link"];
    for options in [
        &["--format=gnu"][..],
        &["--format=gnu", "--sparse"],
        &["--format=posix"],
        &["--format=posix", "--sparse", "--sparse-version=1.0"],
        &["--format=posix", "--sparse", "--sparse-version=0.1"],
    ] {
        let bytes = tar(folder.path(), options, &names);
        let found = all(&bytes).unwrap();
        let paths: Vec<_> = found.iter().map(|(member, _)| member.path.to_str().unwrap()).collect();
        assert_eq!(paths, names, "{options:?}");
        assert_eq!(found[0].1, b"long", "{options:?}");
        assert_eq!(found[1].0.sparse, options.len() > 1, "{options:?}");
        assert!(found[1].1 == data, "{options:?}");
        assert_eq!(found[2].0.kind, Kind::Symlink("b".repeat(150).into()), "{options:?}");
        assert_eq!(found[0].0.nanos != 0, options[0] == "--format=posix");
        assert!(bytes.len() < 1 << 20 || options.len() == 1);
        // Skipped unread, they are the same.
        let mut archive = Archive::new(&bytes[..]);
        let mut count = 0;
        while let Some(member) = archive.next().unwrap() {
            assert_eq!(member.path, found[count].0.path);
            count += 1;
        }
        assert_eq!(count, 3);
        assert!(all(&bytes[..bytes.len() / 2]).is_err(), "{options:?}");
    }
    let old =
        tar(folder.path(), &["--format=posix", "--sparse", "--sparse-version=0.0"], &["holes"]);
    assert!(all(&old).unwrap_err().to_string().contains("format 0.0"));
}

/// `LENGTH KEY=VALUE\n`
fn record(text: &[u8]) -> Vec<u8> {
    let length = |digits: usize| text.len() + 2 + digits;
    let digits = (1..5).find(|digits| length(*digits).to_string().len() == *digits).unwrap();
    [length(digits).to_string().as_bytes(), b" ", text, b"\n"].concat()
}

/// A member of an extended header with these records, and an empty file.
fn with_records(records: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, data) in [(b'x', records), (b'0', &b""[..])] {
        let mut block = [0; BLOCK];
        block[..4].copy_from_slice(b"name");
        block[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
        block[156] = kind;
        block[257..263].copy_from_slice(b"ustar\0");
        block[148..156].fill(b' ');
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        block[154] = 0;
        bytes.extend(block);
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes
}

#[test]
fn an_attribute_may_have_any_bytes() {
    let records = [&b"SCHILY.xattr.security.x=\n\0=\n ;"[..], b"mtime=-1.25", b"uid=3000000"];
    let found = all(&with_records(&records.map(record).concat())).unwrap();
    let member = &found[0].0;
    assert_eq!(member.attributes, [("security.x".into(), b"\n\0=\n ;"[..].to_vec())]);
    assert_eq!((member.mtime, member.nanos), (-2, 750_000_000));
    assert_eq!(member.uid, 3_000_000);
    assert!(all(&with_records(b"6 a=b\n")).is_ok());
    let wrong =
        [&b"99 a=b\n"[..], b"6 a=b\n\n", b"x a=b\n", b"6 a:b\n", b"0 a=b\n"].map(<[u8]>::to_vec);
    let numbers = [&b"size=x"[..], b"uid=9999999999", b"mtime=.", b"GNU.sparse.size=1"].map(record);
    for wrong in wrong.iter().chain(&numbers) {
        assert!(all(&with_records(wrong)).is_err(), "{}", String::from_utf8_lossy(wrong));
    }
}

proptest! {
    #[test]
    fn anything_is_survived(hits in proptest::collection::vec((0_usize..4096, any::<u8>()), 0..8), cut in 0_usize..4096) {
        let table = [&b"GNU.sparse.major=1"[..], b"GNU.sparse.realsize=9"].map(record).concat();
        let map = [&b"GNU.sparse.map=0,1,4,2"[..], b"GNU.sparse.size=9000"].map(record).concat();
        let mut bytes = [with_records(&map), with_records(&table)].concat();
        for (at, byte) in hits {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(cut);
        let _ = all(&bytes);
    }
}
