//! Parts of an image that take long to make, kept between builds under a name for what they are made from.

use crate::tools::sha256;
use anyhow::{Context, Result};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// How many are kept; the ones used longest ago go first.
const KEPT: usize = 24;

/// Characters of the digest that stands before the content.
const DIGEST: usize = 64;

/// The kept parts.
pub(crate) struct Parts {
    folder: PathBuf,
}

impl Parts {
    /// Those in `parts` below the cache.
    pub(crate) fn open(cache: &Path) -> Result<Self> {
        let folder = cache.join("parts");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self { folder })
    }

    /// The part that is made from what `inputs` names: the kept one, or what `make` makes. A kept one that
    /// was damaged is made again.
    pub(crate) fn get(
        &self,
        inputs: &[&str],
        make: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let path = self.folder.join(sha256(inputs.join("\n").as_bytes()));
        if let Some(content) = read(&path) {
            return Ok(content);
        }
        let content = make()?;
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        fs::write(&partial, [sha256(&content).as_bytes(), &content].concat())
            .and_then(|()| fs::rename(&partial, &path))
            .with_context(|| path.display().to_string())?;
        self.forget();
        Ok(content)
    }

    /// Removes what has not been used for longest.
    fn forget(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut kept: Vec<_> = entries
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        kept.sort();
        let surplus = kept.len().saturating_sub(KEPT);
        kept.iter().take(surplus).for_each(|(_, path)| drop(fs::remove_file(path)));
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut content = fs::read(path).ok()?;
    let digest = content.get(..DIGEST)?.to_vec();
    content.drain(..DIGEST);
    if sha256(&content).as_bytes() != digest {
        return None;
    }
    // Its last use; a cache on a read-only medium serves all the same.
    let _ = File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::now()));
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xenoboot-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_part_is_made_once_and_again_when_damaged() {
        let cache = folder("parts");
        let parts = Parts::open(&cache).unwrap();
        let mut made = 0;
        let mut get = |inputs: &[&str]| {
            parts.get(inputs, || {
                made += 1;
                Ok(b"content".to_vec())
            })
        };
        assert_eq!(get(&["a", "b"]).unwrap(), b"content");
        assert_eq!(get(&["a", "b"]).unwrap(), b"content");
        assert_eq!(get(&["a"]).unwrap(), b"content");
        for entry in fs::read_dir(cache.join("parts")).unwrap() {
            fs::write(entry.unwrap().path(), [b'0'; 80]).unwrap();
        }
        assert_eq!(get(&["a", "b"]).unwrap(), b"content");
        assert_eq!(made, 3);
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn the_number_kept_is_bounded() {
        let cache = folder("parts-bound");
        let parts = Parts::open(&cache).unwrap();
        for n in 0..KEPT + 5 {
            parts.get(&[&n.to_string()], || Ok(vec![1])).unwrap();
        }
        assert_eq!(fs::read_dir(cache.join("parts")).unwrap().count(), KEPT);
        fs::remove_dir_all(cache).unwrap();
    }
}
