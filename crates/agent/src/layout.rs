//! Where everything is on the machine.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The variable that puts another folder in front of every path, for work on the agent by hand.
/// init starts the agent with an environment of its own, so it is never set on a machine.
pub const ROOT_VARIABLE: &str = "XENOBOOT_ROOT";

/// The files of the agent, below a root.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    by_hand: bool,
}

impl Layout {
    /// The machine itself, or the folder that [`ROOT_VARIABLE`] names.
    #[must_use]
    pub fn new(root: Option<OsString>) -> Self {
        let by_hand = root.is_some();
        Self { root: root.map_or_else(|| PathBuf::from("/"), PathBuf::from), by_hand }
    }

    /// Whether this is a folder on some other machine: the agent then leaves clock, consoles and
    /// control groups alone.
    #[must_use]
    pub fn by_hand(&self) -> bool {
        self.by_hand
    }

    /// A file of the site initramfs: `site.toml`, `trust.toml`, `machine.toml`, `machine.key`.
    #[must_use]
    pub fn site(&self, name: &str) -> PathBuf {
        self.root.join("etc/xenoboot/site").join(name)
    }

    /// What the image is.
    #[must_use]
    pub fn image(&self) -> PathBuf {
        self.root.join("etc/xenoboot/image.toml")
    }

    /// The folder of what lives until power-off.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.root.join("run/xenoboot")
    }

    /// A file or folder of it.
    #[must_use]
    pub fn state(&self, name: &str) -> PathBuf {
        self.run().join(name)
    }

    /// The socket on which scripts reach the agent.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.state("agent.sock")
    }

    /// Makes the folder of run-time state, for root alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn prepare(&self) -> std::io::Result<()> {
        make_private(&self.run())
    }
}

/// Makes a folder, and those above it, that only its owner can enter; one that exists is left as it is.
///
/// # Errors
/// When it cannot be made.
pub fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
