//! The index code against indices that `depmod` wrote (`testdata/modules`, made by `make.sh` there).
use super::*;
use crate::fake::ModuleTable;
use proptest::prelude::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/modules")
}

fn modules() -> Modules {
    Modules::open(&folder()).unwrap()
}

fn names(paths: &[PathBuf]) -> Vec<&str> {
    paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect()
}

#[test]
fn devices_find_their_drivers() {
    let modules = modules();
    let found = |alias: &str| modules.resolve(alias).unwrap();
    assert_eq!(found("virtio:d00000001v00001AF4"), ["virtio_net"]);
    assert_eq!(found("virtio:d00000002v00001AF4"), [] as [&str; 0]);
    // Both match; the order is that of modules.order.
    let e1000e = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00";
    assert_eq!(found(e1000e), ["e1000e", "generic"]);
    assert_eq!(found("usb:v0B95p772Bd0001dc00dsc00dp00icFFiscFFip00in00"), ["asix"]);
    assert_eq!(found("usb:v0B95p772Dd0001dc00dsc00dp00icFFiscFFip00in00"), [] as [&str; 0]);
    assert_eq!(found("fs-testfs"), ["testfs"]);
    assert_eq!(found("virtio-net"), ["virtio_net"], "a module's own name, in either spelling");
    assert_eq!(found(""), [] as [&str; 0]);
}

#[test]
fn what_is_needed_comes_first() {
    let kernel = ModuleTable::default();
    assert_eq!(modules().load(&kernel, "virtio:d00000001v00001AF4").unwrap(), ["virtio_net"]);
    let inserted = kernel.inserted.into_inner().unwrap();
    assert_eq!(names(&inserted), ["failover.ko", "net-failover.ko", "virtio-net.ko"]);
    assert!(inserted.iter().all(|p| p.starts_with(folder().join("kernel"))));
}

#[test]
fn soft_dependencies_surround_and_may_fail() {
    let testfs = folder().join("kernel/fs/testfs.ko");
    let kernel = ModuleTable::default();
    modules().load(&kernel, "fs-testfs").unwrap();
    let inserted = kernel.inserted.into_inner().unwrap();
    assert_eq!(names(&inserted), ["crc-test.ko", "testfs.ko", "late.ko"]);

    let refused = [folder().join("kernel/lib/crc-test.ko")].into();
    let kernel = ModuleTable { refused, ..ModuleTable::default() };
    modules().load(&kernel, "testfs").unwrap();
    assert!(kernel.inserted.into_inner().unwrap().contains(&testfs));
}

#[test]
fn nothing_is_inserted_twice_and_a_refusal_is_told() {
    let (modules, kernel) = (modules(), ModuleTable::default());
    modules.load(&kernel, "e1000e").unwrap();
    modules.load(&kernel, "e1000e").unwrap();
    assert_eq!(kernel.inserted.into_inner().unwrap().len(), 1);

    let refused = [folder().join("kernel/net/asix.ko")].into();
    let kernel = ModuleTable { refused, ..ModuleTable::default() };
    let refusal = modules.load(&kernel, "asix").unwrap_err();
    assert!(matches!(refusal, LoadError::Insert(file, _) if file.ends_with("asix.ko")));
}

#[test]
fn built_in_and_unknown() {
    let (modules, kernel) = (modules(), ModuleTable::default());
    assert_eq!(modules.load(&kernel, "loopback-test").unwrap(), [] as [&str; 0]);
    assert!(matches!(modules.load(&kernel, "no-such"), Err(LoadError::Unknown(_))));
}

#[test]
fn parameters_come_from_the_command_line() {
    let line = "quiet e1000e.debug=16 e1000e.InterruptThrottleRate=1 x.y root=a.b";
    let modules = modules().with_command_line(line.split(' '));
    assert_eq!(modules.parameters["e1000e"], "debug=16 InterruptThrottleRate=1");
    assert_eq!(modules.parameters["x"], "y");
    assert!(!modules.parameters.contains_key("root=a"));
}

#[test]
fn a_damaged_index_is_refused() {
    let bytes = fs::read(folder().join("modules.alias.bin")).unwrap();
    assert_eq!(Index::parse(vec![]).unwrap_err(), IndexError::Magic);
    let mut other = bytes.clone();
    other[7] = 9;
    assert_eq!(Index::parse(other).unwrap_err(), IndexError::Version(0x0002_0009));
    // The root is written last: without it there is nothing to find.
    let cut = Index::parse(bytes[..bytes.len() - 8].to_vec()).unwrap();
    assert!(matches!(cut.matching("virtio:d00000001v00001AF4"), Err(IndexError::Damaged(_))));
    // A root that is its own child: node at 12 with the child 'a' at 12.
    let cycle = [&bytes[..8], &[0x20, 0, 0, 12, b'a', b'a', 0x20, 0, 0, 12]].concat();
    assert_eq!(Index::parse(cycle).unwrap().exact("aa").unwrap_err(), IndexError::Cycle(12));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever is written over a good index, a search ends, with an answer or an error.
    #[test]
    fn any_damage_is_survived(at in 0usize..1200, with in any::<[u8; 4]>(), key in "[a-z:0-9*]{0,40}") {
        let mut bytes = fs::read(folder().join("modules.alias.bin")).unwrap();
        let at = at % (bytes.len() - 4);
        bytes[at..at + 4].copy_from_slice(&with);
        if let Ok(index) = Index::parse(bytes) {
            let _ = index.matching(&key);
            let _ = index.matching("pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00");
            let _ = index.exact(&key);
        }
    }
}
