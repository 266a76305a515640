//! Whether the initramfs arrived whole, in a machine that has memory for it. Short of memory, the kernel unpacks as
//! much as fits and boots on; a loader may also pass only the first of two files.

use std::{fs, path::Path};

/// What every PC's firmware keeps for itself, in MB, rounded up: it is not among what the kernel finds.
const FIRMWARES_OWN: u64 = 2;

/// Checks that the end marker is there and every file of the manifest has its size. The digests are
/// not computed: what unpacking leaves out is whole files or their ends.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn check(root: &Path, manifest: &str, end: &str) -> Result<(), String> {
    let inside = |path: &str| root.join(path.trim_start_matches('/'));
    let text = fs::read_to_string(inside(manifest)).map_err(|e| format!("{manifest}: {e}"))?;
    for line in text.lines().filter(|l| !l.is_empty()) {
        let (size, path) = entry(line).ok_or_else(|| format!("{manifest}: bad line"))?;
        let found = fs::symlink_metadata(inside(path)).map_err(|e| format!("{path}: {e}"))?;
        if found.len() != size {
            return Err(format!("{path}: {} bytes instead of {size}", found.len()));
        }
    }
    fs::symlink_metadata(inside(end)).map(drop).map_err(|e| format!("{end}: {e}"))
}

/// `SHA-256 size path`; the path may hold blanks.
fn entry(line: &str) -> Option<(u64, &str)> {
    let mut fields = line.splitn(3, ' ');
    let digest = fields.next()?;
    let hex = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    let size = fields.next()?.parse().ok()?;
    let path = fields.next()?.trim();
    (hex && !path.is_empty()).then_some((size, path))
}

/// Checks that the machine has the memory that the image `needed`, both in MB. With a little less, the boot would come to
/// some place and die there, each time at another.
///
/// # Errors
/// What a person is told.
pub(crate) fn check_memory(found: Option<u64>, needed: Option<u64>) -> Result<(), String> {
    let (Some(found), Some(needed)) = (found, needed) else { return Ok(()) };
    if found + FIRMWARES_OWN >= needed {
        return Ok(());
    }
    Err(format!("too little memory: the machine has {found} MB, {needed} MB are needed"))
}

/// The machine's memory in MB, as far as the firmware leaves it to the kernel.
pub(crate) fn memory() -> Option<u64> {
    memory_in(&fs::read_to_string("/proc/iomem").ok()?)
}

/// The sum of the ranges that are memory: `00100000-07fdffff : System RAM`; what is within one is indented.
fn memory_in(iomem: &str) -> Option<u64> {
    let range = |line: &str| {
        let (range, _) = line.split_once(" : System RAM")?;
        let (first, last) = range.split_once('-')?;
        let (first, last) =
            (u64::from_str_radix(first, 16).ok()?, u64::from_str_radix(last, 16).ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    let bytes: u64 = iomem.lines().filter_map(range).fold(0, u64::saturating_add);
    // Whole numbers of MB with the part that the firmware of each PC keeps.
    (bytes > 0).then(|| bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_cut_and_missing() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| fs::write(dir.path().join(name), content).unwrap();
        let check = || check(dir.path(), "/manifest", "/end");
        let digest = "0".repeat(64);
        assert_eq!(check().unwrap_err().split(':').next(), Some("/manifest"));
        file("manifest", &format!("{digest} 4 agent\n{digest} 2 /a b\n"));
        file("agent", "1234");
        file("a b", "12");
        assert_eq!(check().unwrap_err().split(':').next(), Some("/end"));
        file("end", "");
        assert_eq!(check(), Ok(()));
        file("agent", "123");
        assert_eq!(check(), Err("agent: 3 bytes instead of 4".into()));
        file("manifest", "what\n");
        assert_eq!(check(), Err("/manifest: bad line".into()));
    }

    #[test]
    fn memory_is_the_sum_of_its_ranges() {
        let text = "00000000-00000fff : Reserved\n00001000-0009fbff : System RAM\n\
                    00100000-06fdffff : System RAM\n  01000000-01ffffff : Kernel code\n\
                    b0000000-bfffffff : PCI ECAM 0000 [bus 00-ff]\n";
        assert_eq!(memory_in(text), Some(112));
        // What those who may not know are told.
        assert_eq!(memory_in("00000000-00000000 : System RAM\n"), Some(1));
        assert_eq!(memory_in(""), None);
        assert_eq!(memory_in("f-0 : System RAM\nx : System RAM\n"), None);
    }

    #[test]
    fn too_little_memory_is_said() {
        assert_eq!(check_memory(Some(112), Some(112)), Ok(()));
        assert_eq!(check_memory(Some(110), Some(112)), Ok(()), "a firmware's share");
        assert_eq!(check_memory(None, Some(112)), Ok(()));
        assert_eq!(check_memory(Some(1), None), Ok(()));
        assert_eq!(
            check_memory(Some(96), Some(112)).unwrap_err(),
            "too little memory: the machine has 96 MB, 112 MB are needed"
        );
    }
}
