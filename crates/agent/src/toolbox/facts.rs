//! What the image knows of its toolbox: `[toolbox]` in image.toml.

use crate::{failure::Failure, layout::Layout};
use serde::Deserialize;
use std::fs;
use xenoboot_wire::{Code, Digest};

/// Bytes of a block, of data and of digests.
pub(super) const BLOCK: u64 = 4096;

/// Largest image.toml that is read, bytes.
const MAX_FILE: u64 = 1 << 20;

/// By this what is read of the toolbox is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Bytes of the file.
    pub(super) size: u64,
    /// SHA-256 of the file.
    pub(super) sha256: Digest,
    /// Blocks of the file system; the hash tree begins after them.
    pub(super) data_blocks: u64,
    /// Digest of the hash tree's top, hexadecimal.
    pub(super) root_hash: String,
    /// Hashed before each block, hexadecimal.
    pub(super) salt: String,
}

/// As much of the file as matters here.
#[derive(Deserialize)]
struct Image {
    toolbox: Option<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    size: u64,
    sha256: String,
    data_blocks: u64,
    root_hash: String,
    salt: String,
}

impl Facts {
    /// Of the image that booted.
    pub(super) fn of(layout: &Layout) -> Result<Self, Failure> {
        let path = layout.image();
        let bad = |cause: &str| Failure::new(Code::BoxNone, format!("{}: {cause}", path.display()));
        let meta = fs::metadata(&path).map_err(|e| bad(&e.to_string()))?;
        if meta.len() > MAX_FILE {
            return Err(bad("it is too large"));
        }
        let text = fs::read_to_string(&path).map_err(|e| bad(&e.to_string()))?;
        Self::parse(&text)
            .map_err(bad)?
            .ok_or_else(|| Failure::new(Code::BoxNone, "it was built with --no-toolbox"))
    }

    fn parse(text: &str) -> Result<Option<Self>, &'static str> {
        let image: Image = toml::from_str(text).map_err(|_| "it is not valid TOML")?;
        let Some(Written { size, sha256, data_blocks, root_hash, salt }) = image.toolbox else {
            return Ok(None);
        };
        // They become words of a table that the kernel reads.
        let hex = |text: &str| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let whole = data_blocks.checked_mul(BLOCK).is_some_and(|data| data <= size);
        if root_hash.len() != 64 || !hex(&root_hash) || !hex(&salt) || data_blocks == 0 || !whole {
            return Err("what it says of the toolbox is not valid");
        }
        let sha256 = sha256.parse().map_err(|_| "the toolbox's SHA-256 is none")?;
        Ok(Some(Self { size, sha256, data_blocks, root_hash, salt }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(size: u64, root: &str, salt: &str) -> String {
        let digest = "0f".repeat(32);
        format!(
            "version = \"0.1.0\"\n[toolbox]\nsize = {size}\nsha256 = \"{digest}\"\ndata-blocks = 2\n\
             root-hash = \"{root}\"\nsalt = \"{salt}\"\n[[package]]\nname = \"x\"\n"
        )
    }

    #[test]
    fn what_is_not_sound_is_refused() {
        let root = "ab".repeat(32);
        let facts = Facts::parse(&image(12288, &root, "0f")).unwrap().unwrap();
        assert_eq!((facts.data_blocks, facts.salt.as_str()), (2, "0f"));
        assert_eq!(Facts::parse("version = \"0.1.0\"").unwrap(), None);
        assert!(Facts::parse(&image(8191, &root, "0f")).is_err());
        assert!(Facts::parse(&image(12288, &root, "0f 1 ignore_corruption")).is_err());
        assert!(Facts::parse(&image(12288, "ab", "0f")).is_err());
        assert!(Facts::parse("toolbox = 1").is_err());
    }
}
