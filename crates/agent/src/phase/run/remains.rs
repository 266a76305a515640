//! What a script leaves behind in files: removed, but never by way of a mount. A script that mounted a disk
//! below its own folder and ended must not lose what is on the disk.

use std::{fs, io, path::Path};
use xenoboot_sys::mount::Mounts;

/// Removes a folder with all that is in it.
///
/// # Errors
/// When something is mounted below it and stays so; nothing is removed then. Or when a file cannot be removed.
pub(super) fn remove(mounts: &impl Mounts, folder: &Path) -> io::Result<()> {
    release(mounts, folder)?;
    fs::remove_dir_all(folder)
}

/// Removes all that is in a folder; what cannot be removed stays.
///
/// # Errors
/// As [`remove`]; the last one.
pub(super) fn empty(mounts: &impl Mounts, folder: &Path) -> io::Result<()> {
    release(mounts, folder)?;
    let mut result = Ok(());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        result = removed.and(result);
    }
    result
}

/// Unmounts all that is mounted below a folder, the last one first.
fn release(mounts: &impl Mounts, folder: &Path) -> io::Result<()> {
    let below = || -> io::Result<Vec<_>> {
        let all = mounts.mounted()?.into_iter().map(|mounted| mounted.target);
        Ok(all.filter(|target| target.starts_with(folder) && target != folder).collect())
    };
    for target in below()?.iter().rev() {
        // What is still in use is let go when it no longer is.
        if mounts.unmount(target, false).is_err() {
            let _ = mounts.unmount(target, true);
        }
    }
    match below()?.first() {
        None => Ok(()),
        Some(target) => {
            Err(io::Error::other(format!("{} is mounted and stays so", target.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::mount::MountFlags;
    use xenoboot_sys::{fake::MountTable, mount::Mount};

    fn mount(table: &MountTable, target: &Path) {
        let (kind, flags, options) = ("ext4", MountFlags::empty(), "");
        table.mount(&Mount { source: "/dev/sda1", target, kind, flags, options }).unwrap();
    }

    /// A mount table that never lets go.
    struct Stuck(MountTable);

    impl Mounts for Stuck {
        fn mount(&self, mount: &Mount<'_>) -> io::Result<()> {
            self.0.mount(mount)
        }
        fn unmount(&self, _: &Path, _: bool) -> io::Result<()> {
            Err(io::Error::other("no"))
        }
        fn make_read_only(&self, target: &Path) -> io::Result<()> {
            self.0.make_read_only(target)
        }
        fn mounted(&self) -> io::Result<Vec<xenoboot_sys::mount::Mounted>> {
            self.0.mounted()
        }
    }

    #[test]
    fn what_is_mounted_below_is_unmounted_first() {
        let folder = tempfile::tempdir().unwrap();
        let (run, disk) = (folder.path().join("run"), folder.path().join("run/disk"));
        fs::create_dir_all(disk.join("deep")).unwrap();
        let table = MountTable::default();
        let beside = folder.path().join("run-2");
        for target in [&disk, &disk.join("deep"), &beside] {
            mount(&table, target);
        }
        table.busy.borrow_mut().insert(disk.clone());
        remove(&table, &run).unwrap();
        assert!(!run.exists());
        let left: Vec<_> = table.mounted().unwrap().into_iter().map(|m| m.target).collect();
        assert_eq!(left, [beside]);
    }

    #[test]
    fn nothing_is_removed_by_way_of_a_mount_that_stays() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::create_dir_all(&disk).unwrap();
        fs::write(disk.join("precious"), "").unwrap();
        let table = MountTable::default();
        mount(&table, &disk);
        let table = Stuck(table);
        assert!(remove(&table, folder.path()).is_err());
        assert!(empty(&table, folder.path()).is_err());
        assert!(disk.join("precious").exists());
    }

    #[test]
    fn a_folder_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("link")).unwrap();
        empty(&MountTable::default(), folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Path::new("/etc").exists());
    }
}
