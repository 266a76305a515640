//! Whether the initramfs arrived whole. Short of memory, the kernel unpacks as much as fits and boots
//! on; a loader may also pass only the first of two files.

use std::{fs, path::Path};

/// What our smallest supported machine has.
const NEEDED_MEMORY_MB: u64 = 256;

/// What the kernel and the firmware do not count as managed, at most.
const KERNELS_OWN_MB: u64 = 64;

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

/// What a person is told.
pub(crate) fn advice() -> String {
    let memory = memory_mb().unwrap_or(0);
    let cause = if memory + KERNELS_OWN_MB < NEEDED_MEMORY_MB {
        "too little memory"
    } else {
        "the boot loader or the medium delivered only a part"
    };
    format!("{cause}: the machine has {memory} MB, {NEEDED_MEMORY_MB} MB are needed")
}

/// What the kernel manages; the firmware and the kernel itself took some before.
fn memory_mb() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes >> 10)
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
}
