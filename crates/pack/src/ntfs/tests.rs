use super::*;
use std::{fs, process::Command};

fn run(program: &str, args: &[&str]) -> String {
    let path = "/usr/sbin:/usr/bin:/sbin:/bin";
    let out = Command::new(program).args(args).env("PATH", path).output().unwrap();
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert!(out.status.success(), "{program} {args:?}: {text}");
    text
}

/// A new file system on a disk full of other bytes, with files in it.
fn made(options: &[&str], size: usize) -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("disk"), vec![0xa5; size]).unwrap();
    run("mkntfs", &[&["-q", "-F", "-Q"], options, &[&path("disk")]].concat());
    for number in 0..9 {
        fs::write(path("file"), vec![number; 700_000]).unwrap();
        run("ntfscp", &["-q", "-f", &path("disk"), &path("file"), &format!("file{number}")]);
    }
    let bytes = fs::read(path("disk")).unwrap();
    (folder, bytes)
}

fn opened(disk: &Vec<u8>) -> Option<(Free, Range<u64>)> {
    let head = &disk[..signatures::HEAD.min(disk.len())];
    open(disk, head, &(0..disk.len() as u64)).unwrap()
}

#[test]
fn the_free_clusters_are_those_that_ntfsinfo_counts() {
    for options in [&["-c", "4096"][..], &["-c", "512"], &["-c", "65536"]] {
        let (folder, mut disk) = made(options, 60 << 20);
        let (free, range) = opened(&disk).unwrap();
        assert!(range.end <= disk.len() as u64 && range.end > disk.len() as u64 - (1 << 17));
        let path = folder.path().join("disk").display().to_string();
        // `Free Clusters: 12345 (80.5%)`
        let said = run("ntfsinfo", &["-m", &path]);
        let count =
            said.lines().find_map(|line| line.trim().strip_prefix("Free Clusters: ")).unwrap();
        let count: u64 = count.split(' ').next().unwrap().parse().unwrap();
        let cluster: u64 = options[1].parse().unwrap();
        assert_eq!(free.bytes(), count * cluster, "{options:?}");
        assert!(free.clear(0, &mut disk));
        fs::write(&path, &disk).unwrap();
        run("ntfsfix", &["-n", &path]);
        for number in 0..9 {
            let out =
                Command::new("ntfscat").arg(&path).arg(format!("file{number}")).output().unwrap();
            assert!(out.stdout == vec![number; 700_000], "{options:?}: file {number}");
        }
    }
}

#[test]
fn what_is_not_clean_counts_as_used() {
    let (_folder, disk) = made(&["-c", "4096"], 30 << 20);
    let opened = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut disk = disk.clone();
        change(&mut disk);
        opened(&disk).is_some()
    };
    assert!(opened(&|_| ()));
    let ntfs = Ntfs::parse(&disk, &(0..disk.len() as u64)).unwrap();
    let record = |number: u64| (ntfs.table * ntfs.cluster + number * ntfs.record) as usize;
    let volume = record(VOLUME);
    let text = &disk[volume..volume + 1024];
    let flags =
        volume + text.windows(4).position(|four| four == [0x70, 0, 0, 0]).unwrap() + 24 + 10;
    assert!(!opened(&|disk| disk[flags] |= 1), "dirty");
    let log = ntfs.record(&disk, LOG_FILE).unwrap().unwrap().data(ntfs.clusters).unwrap().0[0];
    let log = (log.at * ntfs.cluster) as usize;
    let page = |users: u8, flags: u8| {
        move |disk: &mut Vec<u8>| {
            for at in [log, log + 4096] {
                disk[at..at + 4096].fill(0);
                disk[at..at + 4].copy_from_slice(b"RSTR");
                disk[at + 24] = 48;
                disk[at + 48 + 12..at + 48 + 15].copy_from_slice(&[users, users, flags]);
            }
        }
    };
    assert!(opened(&page(0xff, 0)) && opened(&page(0, 2)), "closed");
    assert!(!opened(&page(0, 0)), "with an open log");
    assert!(!opened(&|disk| disk[log] = 0), "with a log of another sort");
    assert!(!opened(&|disk| disk[record(BITMAP) + 22] = 0), "without a map");
    assert!(!opened(&|disk| disk[record(BITMAP) + 510] ^= 1), "with a torn record");
    assert!(!opened(&|disk| disk[4086..4096].copy_from_slice(b"SWAPSPACE2")), "something else too");
    assert!(!opened(&|disk| disk.truncate(29 << 20)), "cut");
}
