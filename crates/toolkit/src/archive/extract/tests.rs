use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

fn member(path: &str, kind: Kind) -> Member {
    Member {
        path: path.into(),
        kind,
        mode: 0o644,
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        size: 1,
        ..Member::default()
    }
}

#[test]
fn nothing_leaves_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let mut to = Extractor::new(root.clone()).unwrap();
    let mut put = |path: &str, kind| to.extract(&member(path, kind), &mut &b"x"[..]);
    assert!(put("../a", Kind::File).is_err());
    assert!(put("out", Kind::Symlink("..".into())).is_ok());
    assert!(put("out/a", Kind::File).is_err());
    assert!(put("hard", Kind::Hardlink("out/b".into())).is_err());
    assert!(put("/etc/a", Kind::File).is_ok());
    assert!(root.join("etc/a").exists() && !folder.path().join("a").exists());
    // A link in a file's place is replaced, not followed.
    assert!(put("link", Kind::Symlink("/dev/null".into())).is_ok());
    assert!(put("link", Kind::File).is_ok());
    assert!(root.join("link").symlink_metadata().unwrap().is_file());
}

#[test]
fn what_took_the_place_of_a_folder_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&outside).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let before = mode(&outside);
    let mut to = Extractor::new(root.clone()).unwrap();
    let mut put = |path: &str, kind, mode| {
        let member = Member { mode, ..member(path, kind) };
        to.extract(&member, &mut &b"x"[..])
    };
    put("link", Kind::Folder, 0o700).unwrap();
    put("file", Kind::Folder, 0o700).unwrap();
    put("link", Kind::Symlink(outside.clone().into()), 0o777).unwrap();
    put("file", Kind::File, 0o640).unwrap();
    // A folder behind a link that stays inside is meant; one outside is not.
    put("real", Kind::Folder, 0o755).unwrap();
    put("alias", Kind::Symlink(root.join("real").into()), 0o777).unwrap();
    put("alias", Kind::Folder, 0o711).unwrap();
    put("alias/a", Kind::File, 0o644).unwrap();
    put("away", Kind::Symlink(outside.clone().into()), 0o777).unwrap();
    put("away", Kind::Folder, 0o750).unwrap();
    put("away/a", Kind::File, 0o644).unwrap();
    to.finish().unwrap();
    assert_eq!(mode(&outside), before);
    assert!(fs::read_dir(&outside).unwrap().next().is_none());
    assert_eq!(mode(&root.join("file")), 0o640);
    assert!(root.join("link").symlink_metadata().unwrap().is_symlink());
    assert!(root.join("real/a").is_file());
    assert!(root.join("alias").symlink_metadata().unwrap().is_symlink());
    assert!(root.join("away").symlink_metadata().unwrap().is_dir());
    assert_eq!(mode(&root.join("away")), 0o750);
}

#[test]
fn hard_links_are_made_again_and_one_to_itself_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut to = Extractor::new(folder.path().to_owned()).unwrap();
    let mut put = |path: &str, kind| to.extract(&member(path, kind), &mut &b"x"[..]);
    put("a/b/one", Kind::File).unwrap();
    for _ in 0..2 {
        put("two", Kind::Hardlink("a/b/one".into())).unwrap();
        put("a/b/one", Kind::Hardlink("a/b/one".into())).unwrap();
    }
    assert_eq!(fs::read(folder.path().join("two")).unwrap(), b"x");
    assert!(put("three", Kind::Hardlink("none".into())).is_err());
    put("two", Kind::File).unwrap();
    assert_eq!(fs::metadata(folder.path().join("a/b/one")).unwrap().nlink(), 1);
}
