//! File systems are mounted so that nothing is written, not even a journal that waits to be replayed.

use super::volumes::within;
use crate::{block::Block, mounts};
use anyhow::Context as _;
use rustix::{
    fs::OFlags,
    io::Errno,
    mount::{MountFlags, UnmountFlags},
};
use std::{
    ffi::CString,
    fs::{self, File},
    path::{Path, PathBuf},
};

/// Where they are mounted.
const FOLDER: &str = "/run/xenoboot/local";

/// In which subvolumes of btrfs distributions put their root, besides that which is mounted by default.
const SUBVOLUMES: [&str; 3] = ["@", "root", "@rootfs"];

/// What was mounted; unmounted when dropped.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<PathBuf>);

/// The kernel's driver for a file system, and what keeps it from writing.
fn driver(kind: &str) -> Option<(&'static str, &'static [&'static str])> {
    Some(match kind {
        "ext2" | "ext3" | "ext4" => ("ext4", &["noload"]),
        "xfs" => ("xfs", &["norecovery"]),
        "btrfs" => ("btrfs", &["rescue=nologreplay", "nologreplay", ""]),
        "f2fs" => ("f2fs", &["norecovery", ""]),
        "reiserfs" => ("reiserfs", &["nolog"]),
        "jfs" => ("jfs", &[""]),
        "vfat" => ("vfat", &[""]),
        "exfat" => ("exfat", &[""]),
        "ntfs" => ("ntfs3", &[""]),
        "iso9660" => ("iso9660", &[""]),
        "squashfs" => ("squashfs", &[""]),
        "erofs" => ("erofs", &[""]),
        _ => return None,
    })
}

/// Whether this is a file system that is looked at.
pub(super) fn is_known(kind: &str) -> bool {
    driver(kind).is_some()
}

impl Mounts {
    /// The folders in which paths of a device may begin.
    pub(super) fn roots(&mut self, block: &Block, kind: &str) -> anyhow::Result<Vec<File>> {
        if let Some(target) = mounted(block) {
            return Ok(vec![File::open(target)?]);
        }
        let plain = self.mount(block, kind, &block.name, "")?;
        let mut roots = vec![File::open(plain)?];
        if kind == "btrfs" {
            let name = format!("{}.top", block.name);
            // Where it fails, the default subvolume is all that there is.
            if let Ok(top) = self.mount(block, kind, &name, "subvolid=5") {
                let top = File::open(top)?;
                let folder = OFlags::RDONLY | OFlags::DIRECTORY;
                let within = SUBVOLUMES.iter().map(|name| within(&top, Path::new(name), folder));
                let within: Vec<File> = within.filter_map(Result::ok).collect();
                roots.push(top);
                roots.extend(within);
            }
        }
        Ok(roots)
    }

    fn mount(
        &mut self,
        block: &Block,
        kind: &str,
        name: &str,
        more: &str,
    ) -> anyhow::Result<PathBuf> {
        let (driver, ways) = driver(kind).context("a file system that is not known")?;
        let target = Path::new(FOLDER).join(name);
        fs::create_dir_all(&target).with_context(|| target.display().to_string())?;
        let flags = MountFlags::RDONLY
            | MountFlags::NOSUID
            | MountFlags::NODEV
            | MountFlags::NOEXEC
            | MountFlags::NOATIME;
        let mut last = Errno::INVAL;
        for way in ways {
            let options = [*way, more].into_iter().filter(|o| !o.is_empty()).collect::<Vec<_>>();
            let data = CString::new(options.join(","))?;
            match rustix::mount::mount(block.path(), &target, driver, flags, data.as_c_str()) {
                Ok(()) => {
                    self.0.push(target.clone());
                    return Ok(target);
                }
                Err(error) => last = error,
            }
        }
        let _ = fs::remove_dir(&target);
        let error = std::io::Error::from(last);
        anyhow::bail!(
            "cannot mount {} ({kind}): {}",
            block.path().display(),
            crate::partitions::plain(&error)
        )
    }
}

/// Where a device is mounted already.
fn mounted(block: &Block) -> Option<PathBuf> {
    let (major, minor) = block.device;
    let device = format!("{major}:{minor}");
    let mounts = mounts::all().ok()?;
    let whole = |mount: &&mounts::Mount| mount.root == Path::new("/");
    let here = |mount: &&mounts::Mount| mount.device == device || mount.source == block.path();
    mounts.iter().filter(here).find(whole).map(|mount| mount.target.clone())
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for target in self.0.drain(..).rev() {
            let unmounted = rustix::mount::unmount(&target, UnmountFlags::NOFOLLOW);
            if unmounted.is_err() {
                // A file of it is still open: it goes when that is closed.
                let _ = rustix::mount::unmount(&target, UnmountFlags::DETACH);
            }
            let _ = fs::remove_dir(&target);
        }
    }
}
