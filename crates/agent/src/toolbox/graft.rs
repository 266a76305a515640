//! The toolbox's files under the names where programs and scripts look for them: symbolic links beside what
//! the image has. What is there already stays: our own programs come first, and no link is ever in their way
//! when the medium fails.

use anyhow::{Context as _, Result};
use std::{fs, io, os::unix::fs::symlink, path::Path};

/// Folders in which programs write: these are made, and only their files are links.
const WRITTEN: &[&str] = &["etc", "var"];

/// Folders that packages find made.
const MADE: &[&str] = &["run/lock", "var/lib", "var/tmp"];

/// Deeper than this no package goes.
const DEPTH: usize = 24;

/// Links what is in `toolbox` below `root`; returns how many links there are.
pub(super) fn all(toolbox: &Path, root: &Path) -> Result<usize> {
    for folder in MADE {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    Graft { toolbox }.folder(toolbox, root, false, DEPTH)
}

struct Graft<'a> {
    toolbox: &'a Path,
}

impl Graft<'_> {
    fn folder(&self, from: &Path, to: &Path, written: bool, depth: usize) -> Result<usize> {
        let at = || from.display().to_string();
        let mut entries: Vec<_> =
            fs::read_dir(from).and_then(Iterator::collect::<io::Result<_>>).with_context(at)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut links = 0;
        for entry in entries {
            let (source, place) = (entry.path(), to.join(entry.file_name()));
            let folder = entry.file_type().with_context(at)?.is_dir();
            let written = written || WRITTEN.iter().any(|name| entry.file_name() == *name);
            if folder && written && fs::symlink_metadata(&place).is_err() {
                fs::create_dir(&place).with_context(|| place.display().to_string())?;
            }
            // Through links of the image: /usr/sbin is /usr/bin.
            if folder && self.is_ours(&place) && depth > 0 {
                links += self.folder(&source, &place, written, depth - 1)?;
            } else {
                links += link(&source, &place).with_context(|| place.display().to_string())?;
            }
        }
        Ok(links)
    }

    /// Whether there is a folder that is not the toolbox's own, reached by a link of an earlier time.
    fn is_ours(&self, place: &Path) -> bool {
        fs::canonicalize(place).is_ok_and(|real| real.is_dir() && !real.starts_with(self.toolbox))
    }
}

/// One link, unless the name is taken.
fn link(source: &Path, place: &Path) -> io::Result<usize> {
    match symlink(source, place) {
        Ok(()) => Ok(1),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(0),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn write(path: PathBuf, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn ours_comes_first_and_the_rest_is_linked() {
        let dir = tempfile::tempdir().unwrap();
        let (toolbox, root) = (dir.path().join("toolbox"), dir.path().join("root"));
        for file in [
            "usr/sbin/mkfs.xfs",
            "usr/bin/ls",
            "usr/lib/x86_64-linux-gnu/libc.so.6",
            "etc/lvm/lvm.conf",
            "usr/share/misc/pci.ids",
        ] {
            write(toolbox.join(file), "theirs");
        }
        symlink("usr/lib64", toolbox.join("lib64")).unwrap();
        write(root.join("usr/bin/ls"), "ours");
        write(root.join("usr/lib/xenoboot/agent"), "ours");
        symlink("bin", root.join("usr/sbin")).unwrap();
        fs::create_dir(root.join("etc")).unwrap();

        assert!(all(&toolbox, &root).unwrap() >= 5);
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        assert_eq!(read("usr/bin/ls"), "ours");
        assert_eq!(read("usr/bin/mkfs.xfs"), "theirs");
        assert_eq!(read("usr/lib/x86_64-linux-gnu/libc.so.6"), "theirs");
        assert_eq!(read("usr/lib/xenoboot/agent"), "ours");
        assert_eq!(fs::read_link(root.join("lib64")).unwrap(), toolbox.join("lib64"));
        // The folders of settings can be written to.
        assert!(!fs::symlink_metadata(root.join("etc/lvm")).unwrap().is_symlink());
        assert_eq!(read("etc/lvm/lvm.conf"), "theirs");
        write(root.join("etc/lvm/archive/a"), "new");
        // A second time nothing is added, and nothing is written into the toolbox.
        assert_eq!(all(&toolbox, &root).unwrap(), 0);
        assert!(!toolbox.join("etc/lvm/archive").exists());
    }
}
