//! `xb image` against servers that break, lie and stop, onto files in place of disks.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test may panic"
)]

mod imaging;
mod web;

use imaging::{LIMIT, Said, image, noise, number, start};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};
use web::{Reply, Server};
use xenoboot_pack::{
    Index, Options, Page, Run, Sum, Usage,
    chunk::Packer,
    pack,
    store::{Kind, Store},
};
use xenoboot_wire::Digest;

const CHUNK: usize = 64 << 10;

/// A disk of `chunks` chunks with a boot sector; every fourth chunk is zeros.
fn disk(chunks: usize, seed: u64) -> Vec<u8> {
    let mut disk = noise(chunks * CHUNK, seed);
    for number in (3..chunks).step_by(4) {
        disk[number * CHUNK..(number + 1) * CHUNK].fill(0);
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// Packs a disk into a folder; the root index's digest.
fn packed(disk: &Vec<u8>, folder: &Path) -> Digest {
    let store = Store::create(folder).unwrap();
    let options = Options { chunk: CHUNK as u64, sector: 512, level: 1, threads: 2 };
    let packed = pack(disk, &Usage::default(), &store, &options, &|_| ()).unwrap();
    let bytes = packed.index.encode();
    store.finish("image.xbi", &bytes).unwrap();
    Digest::of(&bytes)
}

/// A folder with an image and a file of other bytes to write it to.
struct Desk {
    folder: tempfile::TempDir,
    disk: Vec<u8>,
    digest: String,
}

impl Desk {
    fn new(chunks: usize, room: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(chunks, 1);
        let digest = packed(&disk, &folder.path().join("www")).to_string();
        fs::write(folder.path().join("target"), noise(room, 77)).unwrap();
        Self { folder, disk, digest }
    }

    fn www(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    fn target(&self) -> String {
        self.folder.path().join("target").display().to_string()
    }

    fn content(&self) -> Vec<u8> {
        fs::read(self.target()).unwrap()
    }

    fn write(&self, sources: &[String], more: &[&str]) -> Said {
        let target = self.target();
        let mut args = vec!["write", "-q", "--json", "--sha256", &self.digest, "--disk", &target];
        args.extend(sources.iter().map(String::as_str));
        args.extend(more);
        image(&args)
    }

    /// No firmware would boot it, and it says why.
    fn is_marked(&self) -> bool {
        let content = self.content();
        let text = String::from_utf8_lossy(&content[..512]).into_owned();
        let ends = content[512..CHUNK].iter().all(|b| *b == 0)
            && content[content.len() - (64 << 10)..].iter().all(|b| *b == 0);
        text.contains("has not finished") && text.contains(&self.digest) && ends
    }
}

#[test]
fn an_image_is_written_and_only_what_changed_is_fetched_again() {
    // The disk is larger than the image, and not by whole chunks.
    let desk = Desk::new(400, 500 * CHUNK + 4096);
    let server = Server::start(desk.www(), |_, _| Reply::File);
    let url = server.url("image.xbi");
    let said = desk.write(std::slice::from_ref(&url), &["--verify"]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert!(desk.content()[..desk.disk.len()] == desk.disk);
    let whole = number(&said, "fetched");
    assert!(whole > (300 * CHUNK) as u64);
    assert_eq!(number(&said, "written"), (300 * CHUNK) as u64);
    assert!(said.memory < 128 << 10, "{} KiB", said.memory);
    // Few connections for many files.
    assert!(server.connections() < 20, "{}", server.connections());

    let same = desk.write(std::slice::from_ref(&url), &[]);
    assert_eq!((same.status, number(&same, "written")), (Some(0), 0), "{}", same.err);
    assert!(number(&same, "fetched") < whole / 50);
    let verified =
        image(&["verify", "-q", "--sha256", &desk.digest, "--disk", &desk.target(), &url]);
    assert_eq!(verified.status, Some(0), "{}", verified.out);

    // Two chunks with data and one of zeros are damaged.
    let mut content = desk.content();
    for chunk in [8, 9, 11] {
        content[chunk * CHUNK + 5] ^= 1;
    }
    fs::write(desk.target(), &content).unwrap();
    let verified =
        image(&["verify", "-q", "--sha256", &desk.digest, "--disk", &desk.target(), &url]);
    assert_eq!(verified.status, Some(1));
    let target = desk.target();
    let range = |from: usize, to: usize| {
        format!("{target} differs from byte {} to {}\n", from * CHUNK, to * CHUNK)
    };
    assert_eq!(verified.out, range(8, 10) + &range(11, 12));
    let healed = desk.write(&[url], &[]);
    // Both, and the first and the last, which are written when everything else is right.
    assert_eq!(number(&healed, "written"), 3 * CHUNK as u64, "{}", healed.out);
    assert!(desk.content()[..desk.disk.len()] == desk.disk);
}

#[test]
fn a_mirror_that_lies_or_cuts_is_left_for_another() {
    let desk = Desk::new(40, 40 * CHUNK);
    for reply in [Reply::Flipped, Reply::Cut(1000), Reply::Short, Reply::Status(404), Reply::Long] {
        fs::write(desk.target(), noise(40 * CHUNK, 5)).unwrap();
        let liar =
            Server::start(
                desk.www(),
                move |name, _| {
                    if name.ends_with(".zst") { reply } else { Reply::File }
                },
            );
        let honest = Server::start(desk.www(), |_, _| Reply::File);
        let said = desk.write(&[liar.url("image.xbi"), honest.url("")], &[]);
        assert_eq!(said.status, Some(0), "{reply:?}: {}", said.err);
        assert!(desk.content() == desk.disk, "{reply:?}");
        // Once for each thread, and not for each chunk.
        assert!(liar.asked(".zst") <= 16, "{reply:?}: {}", liar.asked(".zst"));
    }
}

#[test]
fn a_wrong_chunk_never_reaches_the_disk() {
    let desk = Desk::new(12, 12 * CHUNK);
    let index = Index::decode(&fs::read(desk.www().join("image.xbi")).unwrap()).unwrap();
    assert_eq!(index.data, 9);
    let liar = Server::start(desk.www(), |name, _| {
        if name.ends_with(".zst") { Reply::Flipped } else { Reply::File }
    });
    let said = desk.write(&[liar.url("image.xbi")], &[]);
    assert_eq!(said.status, Some(1), "{}", said.err);
    assert!(
        said.err.contains("its SHA-512/256 is") && said.err.contains("is not finished"),
        "{}",
        said.err
    );
    assert!(desk.is_marked());
    // A wrong root index changes nothing at all.
    let before = desk.content();
    let liar = Server::start(desk.www(), |_, _| Reply::Flipped);
    let said = desk.write(&[liar.url("image.xbi")], &[]);
    assert_eq!(said.status, Some(3), "{}", said.err);
    assert!(desk.content() == before);
}

#[test]
fn a_connection_that_is_cut_is_made_again() {
    let desk = Desk::new(60, 60 * CHUNK);
    let server = Server::start(desk.www(), |name, count| {
        if name.ends_with(".zst") && count % 7 == 3 { Reply::Cut(5000) } else { Reply::File }
    });
    let said = desk.write(&[server.url("image.xbi")], &[]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert!(desk.content() == desk.disk);
}

#[test]
fn what_was_killed_goes_on_with_the_rest() {
    let desk = Desk::new(80, 80 * CHUNK);
    let (target, digest) = (desk.target(), desk.digest.clone());
    // After 30 chunks the server says nothing more.
    let server = Server::start(desk.www(), |name, count| {
        if name.ends_with(".zst") && count >= 30 { Reply::Silence } else { Reply::File }
    });
    let url = server.url("image.xbi");
    let mut child = start(&["write", "-q", "--sha256", &digest, "--disk", &target, &url]);
    let began = Instant::now();
    while server.asked(".zst") < 32 {
        assert!(began.elapsed() < LIMIT && child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(desk.is_marked());
    let there = (0..80)
        .filter(|n| n % 4 != 3)
        .filter(|n| desk.content()[n * CHUNK..][..CHUNK] == desk.disk[n * CHUNK..][..CHUNK])
        .count();
    assert!(there >= 20, "{there}");

    let honest = Server::start(desk.www(), |_, _| Reply::File);
    let said = desk.write(&[honest.url("image.xbi")], &[]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert!(said.out.contains("\"resumed\":true"), "{}", said.out);
    assert_eq!(honest.asked(".zst"), 60 - there);
    assert!(number(&said, "fetched") < ((61 - there) * CHUNK + 20_000) as u64);
    assert!(desk.content() == desk.disk);
}

#[test]
fn what_must_not_be_written_is_not() {
    let desk = Desk::new(12, 11 * CHUNK);
    let before = desk.content();
    let source = desk.www().join("image.xbi").display().to_string();
    let target = desk.target();
    for (args, status, words) in [
        (&["write", "--disk", &target, &source][..], 3, "is smaller than the image"),
        (&["write", "--disk", "/nonexistent", &source], 3, "no disk /nonexistent"),
        (&["write", "--disk", "serial=none", &source], 3, "no disk fits \"serial=none\""),
        (&["write", &source], 2, "which --disk?"),
        (&["write", "--disk", &target, "http://127.0.0.1:1/image.xbi"], 2, "needs its --sha256"),
        (&["write", "--disk", &target, "http://127.0.0.1:1/image.raw"], 2, "needs its --sha256"),
        (&["write", "--disk", &target], 2, "which image?"),
        (&["frob"], 2, "unknown command"),
    ] {
        let said = image(args);
        assert_eq!(said.status, Some(status), "{args:?}: {}", said.err);
        assert!(said.err.contains(words), "{args:?}: {}", said.err);
    }
    fs::write(&target, noise(12 * CHUNK, 3)).unwrap();
    let said = image(&["write", "--dry-run", "--disk", &target, &source]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert!(said.out.starts_with("would write image"), "{}", said.out);
    assert!(desk.content() == noise(12 * CHUNK, 3));
    assert_ne!(before.len(), desk.content().len());
}

#[test]
fn a_raw_image_is_believed_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let disk = disk(50, 9);
    fs::write(path("image.raw"), &disk).unwrap();
    for (name, command) in [
        ("image.raw", "true"),
        ("image.raw.gz", "gzip -k image.raw"),
        ("image.raw.xz", "xz -0 -k image.raw"),
        ("image.raw.bz2", "bzip2 -k image.raw"),
        ("image.raw.zst", "zstd -q image.raw"),
        ("image.qcow2", "qemu-img convert -c -f raw -O qcow2 image.raw image.qcow2"),
    ] {
        let sh = Command::new("sh").args(["-c", command]).current_dir(folder.path()).status();
        assert!(sh.unwrap().success(), "{command}");
        let file = fs::read(path(name)).unwrap();
        let digest = Digest::of(&file).to_string();
        fs::write(path("target"), noise(130 * CHUNK, 2)).unwrap();
        // The connection breaks once, in the middle.
        let server = Server::start(folder.path().to_owned(), |_, count| {
            if count == 0 { Reply::Cut(400_000) } else { Reply::File }
        });
        let (target, url) = (path("target"), server.url(name));
        let said = image(&["write", "-q", "--sha256", &digest, "--disk", &target, &url]);
        assert_eq!(said.status, Some(0), "{name}: {}", said.err);
        assert!(fs::read(&target).unwrap()[..disk.len()] == disk, "{name}");

        fs::write(&target, noise(60 * CHUNK, 2)).unwrap();
        let wrong = Digest::of(b"other").to_string();
        let file = path(name);
        let said = image(&["write", "-q", "--sha256", &wrong, "--disk", &target, &file]);
        assert_eq!(said.status, Some(1), "{name}: {}", said.err);
        let content = fs::read(&target).unwrap();
        assert!(content[510..512] != [0x55, 0xaa] && content[5..].starts_with(b"\nXenoboot"));
        fs::write(&target, noise(49 * CHUNK, 2)).unwrap();
        let said = image(&["write", "-q", "--sha256", &digest, "--disk", &target, &file]);
        let words =
            if name.ends_with("qcow2") { "is too small" } else { "is smaller than the image" };
        assert!(said.err.contains(words), "{}", said.err);
    }
}

#[test]
fn the_last_partition_grows() {
    let desk = Desk::new(1, 1);
    let table = "label: gpt\nstart=2048,size=2048\nstart=4096,size=4096\n";
    let (image_path, target) = (desk.folder.path().join("disk"), desk.target());
    let file = fs::File::create(&image_path).unwrap();
    file.set_len(8 << 20).unwrap();
    sfdisk(&image_path, table);
    let digest = packed(&fs::read(&image_path).unwrap(), &desk.www()).to_string();
    fs::write(&target, noise(20 << 20, 8)).unwrap();
    let source = desk.www().join("image.xbi").display().to_string();
    let said = image(&["write", "-q", "--grow", "--sha256", &digest, "--disk", &target, &source]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert!(said.out.contains("partition 2 of"), "{}", said.out);
    let shown = Command::new("/usr/sbin/sfdisk").args(["-d", &target]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let last = (20 << 11) - 34;
    assert!(
        shown.contains(&format!("start=        4096, size=       {}", last + 1 - 4096)),
        "{shown}"
    );
    let verified = Command::new("/usr/sbin/sfdisk").args(["--verify", &target]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
}

fn sfdisk(path: &Path, table: &str) {
    use std::io::Write as _;
    let mut child =
        Command::new("/usr/sbin/sfdisk").arg("-q").arg(path).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// What is unused or zeros at the ends of a disk takes the mark away as well.
#[test]
fn ends_without_data_are_no_longer_marked() {
    let desk = Desk::new(1, 10 * CHUNK);
    let plain = noise(CHUNK, 4);
    let (chunk, file) = Packer::new(3).unwrap().pack(&plain).unwrap();
    for (first, last) in [(Run::Unused(4), Run::Zeros(5)), (Run::Zeros(4), Run::Unused(5))] {
        let mut page = Page::default();
        [first, Run::Data(chunk), last].into_iter().for_each(|run| page.push(run));
        let store = Store::create(&desk.www()).unwrap();
        let digest = Sum::of(&page.encode());
        store.keep(Kind::Chunk, &chunk.packed, &file).unwrap();
        store.keep(Kind::Page, &digest, &page.encode()).unwrap();
        let (size, chunk_size) = ((10 * CHUNK) as u64, CHUNK as u64);
        let (data, packed, pages) = (1, chunk.size, vec![digest]);
        let index = Index { size, chunk: chunk_size, sector: 512, data, packed, pages };
        store.finish("other.xbi", &index.encode()).unwrap();
        let source = desk.www().join("other.xbi").display().to_string();
        let before = noise(10 * CHUNK, 6);
        for more in [&["--fresh"][..], &[]] {
            let mut there = before.clone();
            if more.is_empty() {
                // Enough is as it should be that the rest is compared.
                there[4 * CHUNK..][..CHUNK].copy_from_slice(&plain);
            }
            fs::write(desk.target(), &there).unwrap();
            let target = desk.target();
            let said = image(&[&["write", "-q", "--disk", &target, &source], more].concat());
            assert_eq!(said.status, Some(0), "{}", said.err);
            let content = desk.content();
            assert!(content[4 * CHUNK..][..CHUNK] == plain);
            let (zeros, unused) = match first {
                Run::Zeros(_) => (0..4, 5..9),
                _ => (5..10, 1..4),
            };
            assert!(content[zeros.start * CHUNK..zeros.end * CHUNK].iter().all(|b| *b == 0));
            assert!(content[..512].iter().all(|b| *b == 0), "the mark");
            let range = unused.start * CHUNK..unused.end * CHUNK;
            let is_kept = content[range.clone()] == before[range];
            assert_eq!(is_kept, more.is_empty(), "what is unused goes only from a fresh disk");
        }
    }
}

#[test]
fn what_was_captured_is_written() {
    let desk = Desk::new(30, 30 * CHUNK);
    let (source, folder) = (desk.folder.path().join("disk"), desk.folder.path().join("captured"));
    fs::write(&source, &desk.disk).unwrap();
    let (source, folder) = (source.display().to_string(), folder.display().to_string());
    let said = image(&["capture", "-q", "--chunk-size", "64", &source, &folder]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    let digest = said.out.trim().rsplit(' ').next().unwrap().to_owned();
    let (index, target) = (format!("{folder}/image.xbi"), desk.target());
    let said = image(&["write", "-q", "--verify", "--sha256", &digest, "--disk", &target, &index]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert!(desk.content() == desk.disk);
}

#[test]
fn the_agent_is_told_how_far_it_is() {
    use std::{
        io::{Read as _, Write as _},
        os::unix::net::UnixListener,
    };
    let desk = Desk::new(8, 8 * CHUNK);
    let socket = desk.folder.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    // The server answers when the agent was told, so that there is something to tell.
    let (told, wait) = std::sync::mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let server = Server::start(desk.www(), move |name, count| {
        if name.ends_with(".zst") && count == 0 {
            wait.lock().unwrap().recv_timeout(LIMIT).unwrap();
        }
        Reply::File
    });
    let agent = std::thread::spawn(move || {
        let (mut stream, mut length) = (listener.accept().unwrap().0, [0; 4]);
        stream.read_exact(&mut length).unwrap();
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request).unwrap();
        let answer = xenoboot_wire::encode(&xenoboot_wire::script::Response::Done);
        stream.write_all(&u32::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(&answer).unwrap();
        told.send(()).unwrap();
        xenoboot_wire::decode(&request).unwrap()
    });
    let socket = socket.display().to_string();
    let said = desk.write(&[server.url("image.xbi")], &["--socket", &socket]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    let xenoboot_wire::script::Request::Progress { percent, text } = agent.join().unwrap() else {
        panic!("another request");
    };
    assert!(percent < 100 && text.starts_with("writing: ") && text.ends_with(" left"), "{text}");
}
