//! Where things are on the machine.

/// Given by the image: what must be there, with sizes.
pub(crate) const MANIFEST: &str = "/etc/xenoboot/manifest";
/// Given by the image: the last entry of the last initramfs.
pub(crate) const END_MARKER: &str = "/etc/xenoboot/site/end";
/// Given by the image: the UUID of the boot medium.
pub(crate) const MEDIUM_UUID: &str = "/etc/xenoboot/site/medium";
/// Given by the image: the agent.
pub(crate) const AGENT: &str = "/usr/lib/xenoboot/agent";
/// This program, for the kernel to call.
pub(crate) const INIT: &str = "/init";

/// State at run time.
pub(crate) const RUN: &str = "/run/xenoboot";
/// What the agent before this one printed last.
pub(crate) const AGENT_LAST: &str = "/run/xenoboot/agent.last";
/// Made when the drivers of the devices that were there at the start are loaded.
pub(crate) const SETTLED: &str = "/run/xenoboot/settled";
/// The boot medium's device and mount point, once it is found.
pub(crate) const MEDIUM: &str = "/run/xenoboot/medium";
/// Where the boot medium is mounted.
pub(crate) const MEDIUM_FOLDER: &str = "/run/xenoboot/medium.d";

/// The folder of the running kernel's modules.
pub(crate) fn modules() -> std::path::PathBuf {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    std::path::Path::new("/usr/lib/modules").join(release)
}

/// Replaces the file at `path` so that a reader sees the old content or the new, never half.
pub(crate) fn replace(path: &str, content: &str) -> std::io::Result<()> {
    let new = format!("{path}.new");
    std::fs::write(&new, content)?;
    std::fs::rename(new, path)
}
