//! Files below a folder, whatever names and links say that others chose.

use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
};
use std::{fs, os::fd::OwnedFd, path::Path};

/// Opens what is below `top`, which is `root` by its name. The kernel resolves the path (`RESOLVE_BENEATH` of
/// openat2(2)): no link, whenever it was put there, leads anything out, which is `EXDEV`.
pub(crate) fn open(
    top: &OwnedFd,
    root: &Path,
    path: &Path,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let beneath = |path: &Path, resolve| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        rustix::fs::openat2(top, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    };
    match beneath(path, ResolveFlags::BENEATH) {
        // A link that begins with / may lead to what is below all the same; then without it there is none.
        Err(Errno::XDEV) => {
            let real = |path: &Path| fs::canonicalize(path).map_err(|_| Errno::XDEV);
            let (file, root) = (real(&root.join(path))?, real(root)?);
            let below = file.strip_prefix(root).map_err(|_| Errno::XDEV)?;
            beneath(below, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
        }
        opened => opened,
    }
}
