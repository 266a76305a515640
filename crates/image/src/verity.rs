//! The hash tree of dm-verity, format 1 without superblock: the kernel's
//! Documentation/admin-guide/device-mapper/verity.rst.
//!
//! SHA-256 over the salt and each block of data; these digests, 128 a block, are blocks again, and so on up
//! to one block, whose digest is the root hash. On the device the topmost level comes first.

use ring::digest::{Context, SHA256};

/// Bytes of a block of data and of digests.
pub const BLOCK: usize = 4096;

type Digest = [u8; 32];

/// The hash tree of `data`, whose last block is padded with zeros, and the root hash.
#[must_use]
pub fn tree(data: &[u8], salt: &[u8]) -> (Vec<u8>, Digest) {
    let mut levels = Vec::new();
    let mut digests = level(data, salt);
    // Of one block alone there is no tree: its digest is the root's.
    while digests.len() > 1 {
        let blocks = packed(&digests);
        digests = level(&blocks, salt);
        levels.push(blocks);
    }
    levels.reverse();
    (levels.concat(), digests.first().copied().unwrap_or_default())
}

fn level(blocks: &[u8], salt: &[u8]) -> Vec<Digest> {
    blocks.chunks(BLOCK).map(|block| digest(block, salt)).collect()
}

fn digest(block: &[u8], salt: &[u8]) -> Digest {
    let mut hash = Context::new(&SHA256);
    hash.update(salt);
    hash.update(block);
    let missing = BLOCK.saturating_sub(block.len());
    hash.update([0; BLOCK].get(..missing).unwrap_or_default());
    hash.finish().as_ref().try_into().unwrap_or_default()
}

/// Digests in blocks, the last of them filled up with zeros.
fn packed(digests: &[Digest]) -> Vec<u8> {
    let mut blocks = digests.concat();
    blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, process::Command};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Compared with veritysetup, where there is one; `cargo xtask` installs it.
    #[test]
    fn trees_are_those_of_veritysetup() {
        let folder = std::env::temp_dir().join(format!("xenoboot-verity-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // One block; one level; a full block of digests; two levels.
        for blocks in [1, 5, 128, 129, 300] {
            let data: Vec<u8> =
                (0..blocks * BLOCK).map(|n| (n % 251) as u8 ^ (n >> 12) as u8).collect();
            let (device, hashes) = (folder.join("data"), folder.join("hashes"));
            fs::write(&device, &data).unwrap();
            let _ = fs::remove_file(&hashes);
            let salt = [7; 32];
            let mut format = Command::new("veritysetup");
            format.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
            format.args(["format", "--no-superblock", "--salt", &hex(&salt)]);
            let said = format.arg(&device).arg(&hashes).output().expect("cryptsetup-bin");
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            let (tree, root) = tree(&data, &salt);
            assert!(said.contains(&hex(&root)), "{blocks} blocks: {} is not in {said}", hex(&root));
            let theirs = fs::read(&hashes).unwrap();
            assert!(theirs[..tree.len()] == tree[..], "{blocks} blocks");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_byte_counts() {
        let data = vec![1; 3 * BLOCK];
        let (_, root) = tree(&data, b"salt");
        for at in [0, BLOCK, data.len() - 1] {
            let mut other = data.clone();
            other[at] ^= 1;
            assert_ne!(tree(&other, b"salt").1, root);
        }
        assert_ne!(tree(&data, b"tlas").1, root);
        assert_eq!(
            tree(&data[..2 * BLOCK + 9], b"").1,
            tree(&[&data[..2 * BLOCK + 9], &vec![0; BLOCK - 9]].concat(), b"").1
        );
    }
}
