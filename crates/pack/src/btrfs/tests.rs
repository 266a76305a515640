use super::{tree::crc32c, *};
use std::{fs, process::Command};

fn run(program: &str, args: &[&str]) -> String {
    let path = "/usr/sbin:/usr/bin:/sbin:/bin";
    let out = Command::new(program).args(args).env("PATH", path).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{program} {args:?}: {text}{errors}");
    text
}

/// Large enough for the second superblock and for doubled chunks of all kinds.
const SIZE: usize = 256 << 20;

/// A new file system on a disk full of other bytes, with files in it.
fn made(options: &[&str]) -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir_all(path("tree/folder")).unwrap();
    for number in 0..40 {
        fs::write(path(&format!("tree/folder/{number}")), content(number)).unwrap();
    }
    fs::write(path("disk"), vec![0xa5; SIZE]).unwrap();
    run("mkfs.btrfs", &[&["-q", "-K", "-r", &path("tree")], options, &[&path("disk")]].concat());
    let bytes = fs::read(path("disk")).unwrap();
    (folder, bytes)
}

/// Small ones stand in the trees, large ones have extents.
fn content(number: usize) -> Vec<u8> {
    format!("line of file {number}\n").repeat(number * number * 5 + 1).into_bytes()
}

fn opened(disk: &Vec<u8>) -> Option<(Free, Range<u64>)> {
    let head = &disk[..signatures::HEAD.min(disk.len())];
    open(disk, head, &(0..disk.len() as u64)).unwrap()
}

#[test]
fn what_is_used_is_all_that_btrfs_needs() {
    for options in [
        &["-d", "single", "-m", "dup"][..],
        &["-d", "single", "-m", "single", "-n", "4096"],
        &["-d", "dup", "-m", "dup", "--csum", "sha256"],
        &["--mixed", "-d", "dup", "-m", "dup"],
        &["-O", "^no-holes"],
    ] {
        let (folder, mut disk) = made(options);
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (free, range) = opened(&disk).unwrap();
        assert_eq!(range, 0..SIZE as u64, "{options:?}");
        // Doubled chunks take twice what is said to be used; the first MiB and the other superblock are besides.
        let told = number(&disk, 0x1_0078, 8);
        let used = SIZE as u64 - free.bytes();
        assert!((told..=2 * told + (2 << 20)).contains(&used), "{options:?}: {used} of {told}");
        let second = disk[64 << 20..][..4096].to_vec();
        assert!(free.clear(0, &mut disk));
        assert_eq!(disk[64 << 20..][..4096], second);
        fs::write(path("disk"), &disk).unwrap();
        run("btrfs", &["check", "--readonly", "--check-data-csum", &path("disk")]);
        fs::create_dir(path("restored")).unwrap();
        run("btrfs", &["restore", &path("disk"), &path("restored")]);
        for number in 0..40 {
            let restored = fs::read(path(&format!("restored/folder/{number}"))).unwrap();
            assert!(restored == content(number), "{options:?}: file {number}");
        }
    }
}

/// Both copies of what is doubled are kept: the second is as good as the first.
#[test]
fn each_copy_is_kept() {
    let (_folder, mut disk) = made(&["-d", "dup", "-m", "dup"]);
    let (free, _) = opened(&disk).unwrap();
    free.clear(0, &mut disk);
    let superblock = Superblock::parse(&disk, &(0..SIZE as u64)).unwrap();
    let chunks = Chunks::first(&superblock).unwrap();
    let reader = Reader::new(&disk, &superblock, 0, &chunks);
    let chunks = Chunks::read(&superblock, &reader).unwrap().unwrap();
    let places = chunks.places(superblock.root.place, superblock.node);
    assert_eq!(places.len(), 2);
    let (first, second) = (places[0], places[1]);
    let node = superblock.node as usize;
    let part = |at: u64| disk[at as usize..][..node].to_vec();
    assert_eq!(part(first), part(second));
    // With the first copy of it gone, the map is found by the second.
    disk[first as usize + 200] ^= 1;
    assert_eq!(opened(&disk).unwrap().0.bytes(), free.bytes());
    disk[second as usize + 200] ^= 1;
    assert!(opened(&disk).is_none());
}

/// Writes the superblock's sum anew.
fn sum(disk: &mut [u8]) {
    let sum = crc32c(&disk[0x1_0020..0x1_1000]).to_le_bytes();
    disk[0x1_0000..0x1_0004].copy_from_slice(&sum);
}

#[test]
fn what_is_not_understood_counts_as_used() {
    let (_folder, disk) = made(&[]);
    let opened = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut disk = disk.clone();
        change(&mut disk);
        opened(&disk).is_some()
    };
    let summed = |at: usize, bits: u8| {
        opened(&move |disk| {
            disk[0x1_0000 + at] ^= bits;
            sum(disk);
        })
    };
    assert!(opened(&|_| ()) && summed(0, 0));
    assert!(!opened(&|disk| disk[0x1_0078] ^= 1), "with a wrong sum");
    assert!(!summed(0x78, 1), "with another number of used bytes");
    assert!(!summed(0x60, 1), "with a log to replay");
    assert!(!summed(0x88, 3), "on several devices");
    assert!(!summed(0x3c, 1), "a seed of others");
    for bit in [7, 11, 12, 13, 14, 15, 17] {
        assert!(!summed(0xbc + bit / 8, 1 << (bit % 8)), "with the feature {bit}");
    }
    assert!(!summed(0xb4, 0x10), "with a feature that forbids writing");
    assert!(!summed(0xc4, 1), "with sums of another kind");
    assert!(!summed(0x94, 1), "with blocks of a strange size");
    assert!(!summed(0x32b + 17 + 24, 8), "with stripes");
    assert!(!summed(0x20, 1), "with blocks of another file system");
    assert!(!opened(&|disk| disk[512..520].copy_from_slice(b"LABELONE")), "something else too");
    assert!(!opened(&|disk| disk.truncate(SIZE - 4096)), "cut");
}

#[test]
fn damage_is_survived() {
    let (_folder, mut disk) = made(&["-m", "single", "-n", "4096"]);
    let superblock = Superblock::parse(&disk, &(0..SIZE as u64)).unwrap();
    let first = Chunks::first(&superblock).unwrap();
    let reader = Reader::new(&disk, &superblock, 0, &first);
    let chunks = Chunks::read(&superblock, &reader).unwrap().unwrap();
    let reader = Reader::new(&disk, &superblock, 0, &chunks);
    let extents = extent_tree(&superblock, &reader).unwrap().unwrap();
    let place = |logical| chunks.places(logical, superblock.node)[0] as usize;
    let blocks = [superblock.root.place, superblock.chunk_root.place, extents.place].map(place);
    let mut state = 1_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let mut understood = 0;
    for _ in 0..400 {
        let at = blocks[random(3)];
        let before = disk[at..at + 4096].to_vec();
        for _ in 0..1 + random(3) {
            disk[at + 32 + random(600)] = random(256) as u8;
        }
        // With a right sum, so that what is wrong is looked at.
        let right = crc32c(&disk[at + 32..at + 4096]).to_le_bytes();
        disk[at..at + 4].copy_from_slice(&right);
        if let Some((free, _)) = opened(&disk) {
            understood += 1;
            assert!(free.bytes() < SIZE as u64);
        }
        disk[at..at + 4096].copy_from_slice(&before);
    }
    assert!(understood < 400);
    assert!(opened(&disk).is_some());
}

#[test]
fn the_sum_is_the_known_one() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}
