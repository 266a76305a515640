//! Settings of the kernel's network under /proc/sys/net.

use std::{fs, path::Path};

/// Sets one; a kernel without it is no failure, but said.
pub(crate) fn set(path: &str, value: &str) {
    let file = Path::new("/proc/sys/net").join(path);
    if let Err(error) = fs::write(&file, value) {
        log::debug!("{}: {error}", file.display());
    }
}

/// The same for one link's settings; the name came from the kernel and holds no slash.
pub(crate) fn link(family: &str, name: &str, key: &str, value: &str) {
    set(&format!("{family}/conf/{name}/{key}"), value);
}
