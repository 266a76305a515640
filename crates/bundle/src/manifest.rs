//! What a bundle says of itself: the signed part of the envelope.

mod decode;
mod encode;
mod rules;

use crate::path::FilePath;
pub use rules::ManifestError;
use xenoboot_wire::{Digest, FleetId, MachineKey, Version};

/// The version of the format that this crate reads and writes.
pub const FORMAT: u64 = 1;

/// A bundle's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Name: 1 to 64 letters, digits, `-`, `_`, `.`, beginning with a letter or digit. Serials are compared among bundles of one name.
    pub name: String,
    /// Grows with each bundle of this name; a machine refuses a lower one than it has run since power-on.
    pub serial: u64,
    /// When it was made, Unix seconds.
    pub created: u64,
    /// Until when it may be run, Unix seconds; after [`Manifest::created`].
    pub not_after: u64,
    /// The fleet it is for.
    pub fleet: FleetId,
    /// The machines it is for.
    pub machines: Machines,
    /// The lowest image version that may run it.
    pub min_image: Version,
    /// The file to execute: one of `files`, with the owner's execute bit set.
    pub entry: FilePath,
    /// Its arguments, the program's name not among them.
    pub args: Vec<String>,
    /// After how many seconds it is killed, 1 to [`crate::limits::SECONDS`].
    pub time_limit_s: u64,
    /// How many bytes of memory it may use; `None`: what the agent allows.
    pub memory_limit: Option<u64>,
    /// What to do after it has exited with 0.
    pub on_success: Then,
    /// What to do after anything else.
    pub on_failure: Then,
    /// Its files in the order of their paths, at least one.
    pub files: Vec<File>,
    /// What the machine must have before the entry is started; ascending, each once.
    pub needs: Vec<Need>,
    /// Advisory fields of later formats, under negative keys: kept as they are and otherwise ignored.
    pub extensions: Vec<Extension>,
}

/// The machines that a bundle is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Machines {
    /// Every machine of the fleet.
    Any,
    /// Those named by key, and those in one of the groups; at least one key or group.
    Listed {
        /// Machine keys in ascending order.
        keys: Vec<MachineKey>,
        /// Names of groups in ascending order.
        groups: Vec<String>,
    },
}

impl Machines {
    /// Whether the machine with `key`, stamped as a member of `groups`, is among them.
    #[must_use]
    pub fn include(&self, key: &MachineKey, groups: &[String]) -> bool {
        match self {
            Self::Any => true,
            Self::Listed { keys, groups: wanted } => {
                keys.contains(key) || groups.iter().any(|g| wanted.contains(g))
            }
        }
    }
}

/// What a machine does after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Reboot.
    Reboot,
    /// Power off.
    PowerOff,
    /// Run the bundle again, 1 to [`crate::limits::SECONDS`] seconds later.
    RunAgain {
        /// The delay in seconds.
        after_s: u64,
    },
    /// Stay and wait for another assignment.
    Wait,
}

/// What a script may need of the machine beside its own files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The packaged programs that the image has beside its own.
    Toolbox,
}

impl Need {
    /// Every one, in ascending order of their names.
    pub const ALL: &[Self] = &[Self::Toolbox];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Toolbox => "toolbox",
        }
    }
}

impl std::str::FromStr for Need {
    type Err = ManifestError;
    fn from_str(name: &str) -> Result<Self, ManifestError> {
        let found = Self::ALL.iter().find(|need| need.name() == name);
        found.copied().ok_or(ManifestError::Need)
    }
}

/// A regular file of a bundle.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Where it is unpacked.
    pub path: FilePath,
    /// Permission bits, at most 0o777.
    pub mode: u32,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its content.
    pub digest: Digest,
    /// Its content when it travels inside the manifest, at most [`crate::limits::INLINE`] bytes.
    pub content: Option<Vec<u8>>,
}

impl File {
    /// A file that travels inside the manifest.
    #[must_use]
    pub fn inline(path: FilePath, mode: u32, content: Vec<u8>) -> Self {
        let (size, digest) = (content.len() as u64, Digest::of(&content));
        Self { path, mode, size, digest, content: Some(content) }
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, mode, size, digest, content } = self;
        let place = if content.is_some() { "inline" } else { "blob" };
        write!(f, "File({path} {mode:o} {size} {digest} {place})")
    }
}

/// A field that this version does not know and that says it may be ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its key, negative.
    pub key: i64,
    /// Its value: one item of deterministic CBOR, at most [`crate::limits::EXTENSION`] bytes.
    pub value: Vec<u8>,
}

impl Manifest {
    /// A manifest with the usual values, for the caller to change: for any machine of `fleet` and any
    /// image, one hour's time limit, valid for 30 days from `now_s` (Unix seconds, the serial too), waiting after success and
    /// failure. It runs `script`, whose path is `run`, and has no other file.
    #[must_use]
    pub fn of_script(name: &str, fleet: FleetId, now_s: u64, script: &[u8]) -> Self {
        let entry = FilePath::run();
        Self {
            name: name.to_owned(),
            serial: now_s,
            created: now_s,
            not_after: now_s.saturating_add(30 * 24 * 3600),
            fleet,
            machines: Machines::Any,
            min_image: Version { major: 0, minor: 0, patch: 0 },
            entry: entry.clone(),
            args: Vec::new(),
            time_limit_s: 3600,
            memory_limit: None,
            on_success: Then::Wait,
            on_failure: Then::Wait,
            files: vec![File::inline(entry, 0o755, script.to_vec())],
            needs: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// The blobs that must come from elsewhere: digest and size in bytes, each once.
    pub fn blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        let mut seen = std::collections::BTreeSet::new();
        self.files
            .iter()
            .filter(|f| f.content.is_none())
            .map(|f| (f.digest, f.size))
            .filter(move |(digest, _)| seen.insert(*digest))
    }

    /// The total size of its files, bytes.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        self.files.iter().fold(0, |sum, f| sum.saturating_add(f.size))
    }

    /// Encodes it deterministically.
    ///
    /// # Errors
    /// When it breaks a rule of the format, so that no verifier would take it.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        rules::check(self)?;
        Ok(encode::manifest(self))
    }

    /// Decodes what [`Manifest::encode`] made; encoding the result gives the same bytes.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest = decode::manifest(bytes)?;
        rules::check(&manifest)?;
        Ok(manifest)
    }
}

/// The fleet that a manifest claims to be for, read before anything is verified: only to name the
/// error better.
pub(crate) fn claimed_fleet(bytes: &[u8]) -> Option<FleetId> {
    decode::manifest(bytes).ok().map(|m| m.fleet)
}
