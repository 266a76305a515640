use super::*;
use std::{fs, process::Command};

fn run(program: &str, args: &[&str]) -> String {
    let out = Command::new(format!("/usr/sbin/{program}")).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{program} {args:?}: {text}{errors}");
    text
}

/// A new file system on a disk full of other bytes, with files in it.
fn made(options: &[&str]) -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("file"), vec![b'x'; 3 << 20]).unwrap();
    let names = (0..20).map(|number| format!("file{number} ---644 0 0 {}\n", path("file")));
    let prototype = format!("boot 0 0\nd--755 0 0\n{}$\n", names.collect::<String>());
    fs::write(path("prototype"), prototype).unwrap();
    fs::write(path("disk"), vec![0xa5; SIZE]).unwrap();
    run("mkfs.xfs", &[&["-q", "-K", "-p", &path("prototype")], options, &[&path("disk")]].concat());
    let bytes = fs::read(path("disk")).unwrap();
    (folder, bytes)
}

const SIZE: usize = 320 << 20;

fn opened(disk: &Vec<u8>) -> Option<(Free, Range<u64>)> {
    let head = &disk[..signatures::HEAD.min(disk.len())];
    open(disk, head, &(0..disk.len() as u64)).unwrap()
}

#[test]
fn the_free_blocks_are_those_that_xfs_db_lists() {
    for options in
        [&["-b", "size=4096"][..], &["-m", "crc=0,finobt=0,reflink=0", "-b", "size=1024"]]
    {
        let (folder, mut disk) = made(options);
        let path = folder.path().join("disk").display().to_string();
        let (free, range) = opened(&disk).unwrap();
        assert_eq!(range, 0..SIZE as u64);
        let number = |text: &str| text.parse::<u64>().unwrap();
        let (block, group) = (big(&disk, 4, 4), big(&disk, 84, 4));
        let said = run("xfs_db", &["-r", "-c", "freesp -d", &path]);
        let mut listed = Free::default();
        let mut lines: Vec<[u64; 3]> = said
            .lines()
            .take_while(|line| !line.contains("from"))
            .filter_map(|line| {
                let words: Vec<u64> =
                    line.split_whitespace().map_while(|word| word.parse().ok()).collect();
                words.try_into().ok()
            })
            .collect();
        lines.sort_unstable();
        for [of, from, length] in lines {
            let at = (of * group + from) * block;
            assert!(listed.add(at..at + length * block));
        }
        assert!(!listed.ranges().is_empty(), "{said}");
        // What waits on the list of blocks for the trees themselves counts as used with us.
        let extra: u64 = listed.bytes() - free.bytes();
        assert!(extra < 100 * block, "{extra}");
        for range in free.ranges() {
            let within = |other: &&Range<u64>| other.start <= range.start && range.end <= other.end;
            assert!(listed.ranges().iter().any(|other| within(&other)), "{range:?}");
        }
        assert!(free.clear(0, &mut disk));
        fs::write(&path, &disk).unwrap();
        run("xfs_repair", &["-n", "-f", &path]);
        let inode = run("xfs_db", &["-r", "-c", "ls /", &path]);
        let inode = inode.lines().find(|line| line.contains("file7")).unwrap();
        let inode = inode.split_whitespace().nth(1).unwrap();
        let map = run("xfs_db", &["-r", "-c", &format!("inode {inode}"), "-c", "bmap", &path]);
        // `data offset 0 startblock 100 (0/100) count 768 flag 0`
        let words: Vec<&str> = map.split_whitespace().collect();
        let place = words[5].trim_matches(['(', ')']).split_once('/').unwrap();
        let at = ((number(place.0) * group + number(place.1)) * block) as usize;
        let length = number(words[7]) * block;
        assert!(disk[at..at + length as usize].iter().all(|byte| *byte == b'x'), "{map}");
    }
}

#[test]
fn what_is_not_clean_counts_as_used() {
    let (_folder, disk) = made(&[]);
    let opened = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut disk = disk.clone();
        change(&mut disk);
        opened(&disk).is_some()
    };
    assert!(opened(&|_| ()));
    let sector = big(&disk, 102, 2) as usize;
    let xfs = Xfs::parse(&disk[..512], &(0..SIZE as u64)).unwrap();
    let log = xfs.place(xfs.log_start) as usize;
    assert!(!opened(&|disk| disk[log + 512 + 9] = 0), "with a log to replay");
    let later = |disk: &mut Vec<u8>| {
        let record = disk[log..log + 512].to_vec();
        disk[log + 4096..log + 4096 + 512].copy_from_slice(&record);
        disk[log + 4096 + 23] += 8;
    };
    assert!(!opened(&later), "with a later record");
    assert!(!opened(&|disk| disk[126] = 1), "not made to its end");
    assert!(!opened(&|disk| disk[219] |= 0x10), "in need of repair");
    assert!(!opened(&|disk| disk[sector + 55] ^= 1), "with another sum of free blocks");
    assert!(!opened(&|disk| disk[sector + 15] ^= 1), "with a group of another size");
    assert!(!opened(&|disk| disk[4086..4096].copy_from_slice(b"SWAPSPACE2")), "something else too");
    assert!(!opened(&|disk| disk.truncate(SIZE - (1 << 20))), "cut");
}

#[test]
fn damage_is_survived() {
    let (_folder, mut disk) = made(&[]);
    let whole = disk[..8 * 4096].to_vec();
    let mut state = 1_u32;
    for _ in 0..60 {
        disk[..whole.len()].copy_from_slice(&whole);
        for _ in 0..3 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // The superblock, the headers of a group, the roots of its trees.
            let at = (state >> 8) as usize % whole.len();
            disk[at] = (state >> 3) as u8;
        }
        if let Some((free, _)) = opened(&disk) {
            assert!(free.bytes() < SIZE as u64);
        }
    }
}
