//! `xb image unpack`: archives of root file systems that come over bad connections, and what they must keep.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]

mod imaging;
mod web;

use imaging::{LIMIT, Said, image, noise, number, start};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lgetxattr, lsetxattr, makedev, mknodat};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, chown, lchown, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};
use web::{Reply, Server};
use xenoboot_wire::Digest;

/// A capability set (capabilities(7)) with a byte that is a line's end.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0x0a, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Where nothing is done as root, there are no devices, owners and capabilities.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder with an archive to be served, and an empty folder.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tree", "www", "root"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self) -> String {
        self.path("root").display().to_string()
    }

    /// Makes an archive of the tree with these options; its digest.
    fn pack(&self, name: &str, options: &[&str]) -> String {
        let mut tar = Command::new("tar");
        tar.args(["--numeric-owner", "--xattrs", "--xattrs-include=*", "-c", "-f"]);
        tar.arg(self.path("www").join(name))
            .args(options)
            .arg("-C")
            .arg(self.path("tree"))
            .arg(".");
        assert!(tar.status().unwrap().success());
        self.digest(name)
    }

    fn digest(&self, name: &str) -> String {
        Digest::of(&fs::read(self.path("www").join(name)).unwrap()).to_string()
    }

    fn serve(&self, rule: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Server {
        Server::start(self.path("www"), rule)
    }

    fn unpack(&self, digest: &str, sources: &[&str]) -> Said {
        let root = self.root();
        image(&[&["unpack", "-q", "--json", "--sha256", digest], sources, &[&root]].concat())
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.root()).unwrap();
        names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// Something of each sort.
fn plant(tree: &Path) {
    let at = |name: &str| tree.join(name);
    fs::create_dir_all(at("usr/bin")).unwrap();
    symlink("usr/bin", at("bin")).unwrap();
    fs::write(at("usr/bin/ping"), "ping").unwrap();
    fs::hard_link(at("usr/bin/ping"), at("usr/bin/ping6")).unwrap();
    fs::write(at("usr/bin/su"), noise(70_000, 3)).unwrap();
    fs::create_dir(at("tmp")).unwrap();
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    let sparse = fs::File::create(at("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    sparse.write_all_at(&[1; 4096], 20 << 20).unwrap();
    lsetxattr(at("usr"), "user.note", b"a\nb", XattrFlags::empty()).unwrap();
    if is_root() {
        lchown(at("bin"), Some(7), Some(8)).unwrap();
        chown(at("usr/bin/su"), Some(12), Some(99_999)).unwrap();
        mknodat(
            CWD,
            at("null"),
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            makedev(1, 3),
        )
        .unwrap();
        let name = "security.capability";
        lsetxattr(at("usr/bin/ping"), name, &CAPABILITY, XattrFlags::empty()).unwrap();
    }
    for (name, mode) in [("usr/bin/su", 0o4755), ("tmp", 0o1777), ("usr", 0o500)] {
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Everything that must be kept of a tree, by path.
fn facts(tree: &Path) -> BTreeMap<PathBuf, String> {
    let (mut facts, mut todo) = (BTreeMap::new(), vec![tree.to_owned()]);
    while let Some(path) = todo.pop() {
        let meta = path.symlink_metadata().unwrap();
        let content = if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        } else if meta.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else if meta.is_file() {
            Digest::of(&fs::read(&path).unwrap()).to_string()
        } else {
            meta.rdev().to_string()
        };
        let attribute = |name: &str| {
            let mut value = Vec::with_capacity(100);
            lgetxattr(&path, name, rustix::buffer::spare_capacity(&mut value)).ok().map(|_| value)
        };
        let attributes = ["user.note", "security.capability"].map(attribute);
        let times = (meta.mtime(), meta.mtime_nsec());
        let links = if meta.is_dir() { 0 } else { meta.nlink() };
        let said = format!(
            "{:o} {}:{} {times:?} {links} {attributes:?} {content}",
            meta.mode(),
            meta.uid(),
            meta.gid()
        );
        facts.insert(path.strip_prefix(tree).unwrap().to_owned(), said);
    }
    facts
}

#[test]
fn everything_is_kept() {
    let desk = Desk::new();
    plant(&desk.path("tree"));
    let planted = facts(&desk.path("tree"));
    let server = desk.serve(|_, _| Reply::File);
    for (name, options) in [
        ("root.tar", &["--format=posix", "--sparse"][..]),
        ("root.tar.gz", &["--format=posix", "--sparse", "-z"]),
        ("root.tar.xz", &["--format=posix", "--sparse", "-J"]),
        ("root.tar.bz2", &["--format=posix", "--sparse", "-j"]),
        ("root.tar.zst", &["--format=posix", "--sparse", "--zstd"]),
    ] {
        fs::remove_dir_all(desk.root()).unwrap();
        fs::create_dir_all(desk.path("root/lost+found")).unwrap();
        let digest = desk.pack(name, options);
        let said = desk.unpack(&digest, &[&server.url(name)]);
        assert_eq!(said.status, Some(0), "{name}: {}", said.err);
        assert_eq!(number(&said, "members"), planted.len() as u64);
        fs::remove_dir(desk.path("root/lost+found")).unwrap();
        // The top's own time is that of its last change.
        let (mut found, mut planted) = (facts(&desk.path("root")), planted.clone());
        for facts in [&mut found, &mut planted] {
            facts.remove(Path::new(""));
        }
        assert_eq!(found, planted, "{name}");
        let blocks = fs::metadata(desk.path("root/sparse")).unwrap().blocks();
        assert!(blocks < 1000, "{name}: {blocks}");
        assert!(said.memory < 128 << 10, "{name}: {} KiB", said.memory);
    }
}

#[test]
fn nothing_is_unpacked_before_all_of_it_is_right() {
    let desk = Desk::new();
    plant(&desk.path("tree"));
    let digest = desk.pack("root.tar.zst", &["--zstd"]);
    for reply in [Reply::Flipped, Reply::Short, Reply::Status(404)] {
        let liar = desk.serve(move |_, _| reply);
        let said = desk.unpack(&digest, &["--retry=1", &liar.url("root.tar.zst")]);
        assert_eq!(said.status, Some(1), "{reply:?}: {}", said.err);
        assert!(said.err.contains("is not finished"), "{}", said.err);
        assert_eq!(desk.names(), [".xenoboot-unfinished"], "{reply:?}");
    }
    // Another archive does not go on with it; another source does.
    let honest = desk.serve(|_, _| Reply::File);
    let said = desk.unpack(&Digest::of(b"").to_string(), &[&honest.url("root.tar.zst")]);
    assert_eq!(said.status, Some(3), "{}", said.err);
    assert!(said.err.contains("another archive"), "{}", said.err);
    let said = desk.unpack(&digest, &[&honest.url("none"), &honest.url("root.tar.zst")]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert!(said.err.contains("error: 404; the next source"), "{}", said.err);
    assert!(!desk.names().contains(&".xenoboot-unfinished".to_owned()));
}

#[test]
fn a_connection_that_breaks_and_a_process_that_dies_lose_nothing() {
    let desk = Desk::new();
    fs::write(desk.path("tree/large"), noise(3 << 20, 5)).unwrap();
    let digest = desk.pack("root.tar", &[]);
    let whole = fs::metadata(desk.path("www/root.tar")).unwrap().len();
    // One third, then a third of the whole more; then the process dies waiting.
    let server = desk.serve(|_, count| match count {
        0 => Reply::Cut(1 << 20),
        1 => Reply::Cut(1 << 20),
        _ => Reply::Silence,
    });
    let (root, url) = (desk.root(), server.url("root.tar"));
    let mut child = start(&["unpack", "-q", "--sha256", &digest, &url, &root]);
    let began = Instant::now();
    while server.asked("root.tar") < 3 {
        assert!(began.elapsed() < LIMIT && child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let honest = desk.serve(|_, _| Reply::File);
    let said = desk.unpack(&digest, &[&honest.url("root.tar")]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert!(said.out.contains("\"resumed\":true"), "{}", said.out);
    assert_eq!(number(&said, "fetched"), whole - (2 << 20));
    assert_eq!(fs::read(desk.path("root/large")).unwrap(), noise(3 << 20, 5));
    // What was kept of something else is not gone on with.
    let (mark, root) = (desk.path("root/.xenoboot-unfinished"), desk.path("root"));
    fs::remove_dir_all(&root).unwrap();
    fs::create_dir_all(&mark).unwrap();
    fs::write(mark.join("sha256"), &digest).unwrap();
    fs::write(mark.join("archive"), noise(5000, 9)).unwrap();
    let said = desk.unpack(&digest, &[&honest.url("root.tar")]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert_eq!(number(&said, "fetched"), 2 * whole - 5000);
}

#[test]
fn what_cannot_be_unpacked_is_refused_or_stays_marked() {
    let desk = Desk::new();
    fs::write(desk.path("tree/file"), noise(1 << 20, 5)).unwrap();
    let digest = desk.pack("root.tar", &[]);
    let source = desk.path("www/root.tar").display().to_string();
    let root = desk.root();
    for (args, status, words) in [
        (&["unpack", &source, &root][..], 2, "needs its --sha256"),
        (&["unpack", &root], 2, "needs a SOURCE and a FOLDER"),
        (&["unpack", "--sha256", &digest, "--grow", &source, &root], 2, "--grow is not for unpack"),
        (&["unpack", "--sha256", &digest, &source, "/nonexistent"], 3, "no folder /nonexistent"),
        (&["unpack", "--sha256", &digest, &source, "/proc"], 3, "is not empty"),
    ] {
        let said = image(args);
        assert_eq!(said.status, Some(status), "{args:?}: {}", said.err);
        assert!(said.err.contains(words), "{args:?}: {}", said.err);
    }
    let said = image(&["unpack", "--dry-run", "--sha256", &digest, &source, &root]);
    assert_eq!((said.status, desk.names().len()), (Some(0), 0), "{}", said.err);
    // Whole, of the right digest, and yet not good.
    let good = fs::read(&source).unwrap();
    let evil = |bytes: &[u8], words: &str| {
        fs::write(&source, bytes).unwrap();
        fs::remove_dir_all(&root).unwrap();
        fs::create_dir(&root).unwrap();
        let said = desk.unpack(&desk.digest("root.tar"), &[&source]);
        assert_eq!(said.status, Some(1), "{}", said.err);
        assert!(said.err.contains(words), "{}", said.err);
        assert!(desk.names().contains(&".xenoboot-unfinished".to_owned()));
    };
    evil(&good[..500_000], "unexpected end of archive");
    evil(b"", "nothing in the archive");
    evil(&noise(2000, 3), "the archive cannot be read");
    for (name, words) in [("../file", "'..'"), (".xenoboot-unfinished/x", "of its own")] {
        let transform = format!("--transform=s,^./file,{name},");
        desk.pack("root.tar", &[&transform, "-P"]);
        evil(&fs::read(&source).unwrap(), words);
    }
}
