use super::*;
use proptest::prelude::*;
use xenoboot_wire::event::Source;

const BOOT: BootId = BootId([1; 16]);

fn line(text: &str) -> Draft {
    Draft { at_ms: 7, run: None, what: What::Line { source: Source::Stdout, text: text.into() } }
}

fn phase(name: &str) -> Draft {
    Draft { at_ms: 7, run: None, what: What::Phase { name: name.into() } }
}

fn reopen(dir: &tempfile::TempDir) -> Spool {
    Spool::open(dir.path(), &BOOT, Bounds::DEFAULT).unwrap()
}

fn numbers(spool: &Spool) -> Vec<u64> {
    spool.batch().unwrap().iter().map(|e| e.number).collect()
}

#[test]
fn an_agent_that_was_killed_leaves_its_events_with_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = reopen(&dir);
    assert_eq!((spool.last(), numbers(&spool)), (0, vec![]));
    assert_eq!(spool.append(line("a")), Some(1));
    assert_eq!(spool.append(line("b")), Some(2));
    assert_eq!(spool.append(line("c")), Some(3));
    spool.acknowledge(1);
    let before = spool.batch().unwrap();
    drop(spool);
    let mut spool = reopen(&dir);
    assert_eq!(spool.batch().unwrap(), before);
    assert_eq!(numbers(&spool), [2, 3]);
    assert_eq!(spool.append(line("d")), Some(4));
    spool.acknowledge(4);
    drop(spool);
    let mut spool = reopen(&dir);
    assert_eq!((spool.last(), spool.acked(), numbers(&spool)), (4, 4, vec![]));
    assert_eq!(spool.append(line("e")), Some(5));
}

#[test]
fn an_event_cut_in_the_middle_is_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = reopen(&dir);
    spool.append(line("whole"));
    spool.append(line("cut"));
    let path = dir.path().join(name(1));
    let size = fs::metadata(&path).unwrap().len();
    for lost in 1..15 {
        File::options().write(true).open(&path).unwrap().set_len(size - lost).unwrap();
        let spool = reopen(&dir);
        assert_eq!(spool.last(), 1, "{lost}");
    }
    let mut spool = reopen(&dir);
    assert_eq!(spool.append(line("again")), Some(2));
    assert_eq!(numbers(&reopen(&dir)), [1, 2]);
}

#[test]
fn another_power_on_begins_at_one() {
    let dir = tempfile::tempdir().unwrap();
    reopen(&dir).append(line("old"));
    let spool = Spool::open(dir.path(), &BootId([2; 16]), Bounds::DEFAULT).unwrap();
    assert_eq!((spool.last(), numbers(&spool)), (0, vec![]));
}

#[test]
fn acknowledged_segments_are_removed_and_the_count_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = reopen(&dir);
    let long = "x".repeat(4000);
    for _ in 0..1000 {
        spool.append(line(&long));
    }
    let files = || fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files(), 4 + 2);
    // What was never sent cannot be acknowledged.
    spool.acknowledge(u64::MAX);
    assert_eq!((spool.acked(), files()), (1000, 1 + 2));
    drop(spool);
    let mut spool = reopen(&dir);
    assert_eq!((spool.acked(), spool.append(line("next"))), (1000, Some(1001)));
}

#[test]
fn a_batch_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = reopen(&dir);
    (0..1500).for_each(|_| assert!(spool.append(line("short")).is_some()));
    assert_eq!(numbers(&spool), (1..=1000).collect::<Vec<_>>());
    spool.acknowledge(1500);
    let long = "x".repeat(4000);
    (0..500).for_each(|_| assert!(spool.append(line(&long)).is_some()));
    let batch = spool.batch().unwrap();
    assert!((120..=131).contains(&batch.len()), "{}", batch.len());
    assert!(encode(&batch).len() < xenoboot_wire::MAX_MESSAGE);
}

#[test]
fn a_full_spool_gives_up_lines_before_results_and_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds { lines: 4000, others: 5000, results: 6000 };
    let mut spool = Spool::open(dir.path(), &BOOT, bounds).unwrap();
    let mut kept = 0;
    while spool.append(line("a line of text")).is_some() {
        kept += 1;
    }
    assert!((30..80).contains(&kept), "{kept}");
    assert_eq!(spool.append(line("another")), None);
    let ended = spool.append(phase("run")).expect("room is kept for what is not a line");
    spool.acknowledge(ended);
    assert_eq!(numbers(&spool), Vec::<u64>::new());
    let said: Vec<What> = {
        // The segment is not full, so its room comes back only when it is left.
        let mut spool = Spool::open(dir.path(), &BOOT, Bounds::DEFAULT).unwrap();
        spool.dropped = 2;
        spool.append(line("room again"));
        spool.batch().unwrap().into_iter().map(|e| e.what).collect()
    };
    assert_eq!(said[0], What::Dropped { count: 2 });
    assert_eq!(said.len(), 2);
}

proptest! {
    #[test]
    fn any_bytes_on_disk_are_survived(bytes: Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        drop(reopen(&dir));
        fs::write(dir.path().join(name(1)), &bytes).unwrap();
        let mut spool = reopen(&dir);
        let last = spool.last();
        prop_assert_eq!(spool.append(line("on")), Some(last + 1));
    }
}
