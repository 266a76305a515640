//! The list of what a backup holds: strict, since a backup may come from anywhere.

use super::BackupError;
use crate::home;
use serde::{Deserialize, Serialize};
use xenoboot_wire::Digest;

/// The format that is written, and the only one known.
pub(super) const FORMAT: u32 = 1;

/// Largest list that is read, bytes: about a million blobs.
pub(super) const MAX_LIST: u64 = 256 << 20;

/// The folder of the member that is the list; its name is its SHA-256.
pub(super) const FOLDER: &str = "xenoboot-backup/";

/// All of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) format: u32,
    /// The release that made it, for people.
    pub(super) version: String,
    pub(super) made_ms: i64,
    pub(super) files: Vec<Entry>,
}

/// A list of whatever format.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// In the server's folder.
    pub(super) path: String,
    /// Bytes.
    pub(super) size: u64,
    /// Permissions.
    pub(super) mode: u32,
    pub(super) sha256: Digest,
}

impl List {
    /// Reads a list whose digest was right.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BackupError> {
        let bad = |e: serde_json::Error| BackupError::Damaged(format!("its list: {e}"));
        let any: AnyFormat = serde_json::from_slice(bytes).map_err(bad)?;
        if any.format != FORMAT {
            return Err(BackupError::Format(any.format));
        }
        let list: Self = serde_json::from_slice(bytes).map_err(bad)?;
        let refused = |entry: &Entry| BackupError::Damaged(format!("it lists {:?}", entry.path));
        let mut paths = std::collections::BTreeSet::new();
        for entry in &list.files {
            if !belongs(entry) || !paths.insert(&entry.path) {
                return Err(refused(entry));
            }
        }
        for needed in [home::DATABASE, home::KEY] {
            if !paths.iter().any(|path| *path == needed) {
                return Err(BackupError::Damaged(format!("it has no {needed}")));
            }
        }
        Ok(list)
    }
}

/// Whether a server's folder has such a file; nothing else is ever written.
fn belongs(entry: &Entry) -> bool {
    let Entry { path, mode, sha256, .. } = entry;
    let plain = |name: &str| {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(good)
    };
    let secret = *mode == 0o600;
    match path.split_once('/') {
        None => secret && (path == home::DATABASE || home::SECRETS.contains(&path.as_str())),
        Some((home::BLOBS, name)) => secret && name == sha256.to_string(),
        Some((home::PROGRAMS, name)) => mode & !0o777 == 0 && plain(name),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_folder() {
        let digest = Digest::of(b"x");
        let good = |path: &str, mode| {
            belongs(&Entry { path: path.to_owned(), size: 1, mode, sha256: digest })
        };
        let blob = format!("blobs/{digest}");
        assert!(good("xenoboot.sqlite", 0o600) && good("server.key", 0o600) && good(&blob, 0o600));
        assert!(good("power.d/switch", 0o755));
        for (path, mode) in [
            ("server.key", 0o644),
            ("server.key", 0o4600),
            ("/etc/passwd", 0o600),
            ("../x", 0o600),
            ("power.d/../../x", 0o755),
            ("power.d/..", 0o755),
            ("power.d/a/b", 0o755),
            ("power.d/x", 0o4755),
            ("blobs/../server.key", 0o600),
            ("blobs/half", 0o600),
            ("lock", 0o600),
            ("", 0o600),
        ] {
            assert!(!good(path, mode), "{path} {mode:o}");
        }
    }
}
