//! What a machine asks when it boots or has finished a run, and what the server answers.

use crate::{BootId, Code, Digest, Nonce, RunId, Version};
use serde::{Deserialize, Serialize};

/// `POST /machine/v1/boot`: the machine is here; what shall it do?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootRequest {
    /// [`crate::PROTOCOL`].
    pub protocol: u16,
    /// Repeated in the answer.
    pub nonce: Nonce,
    /// This power-on.
    pub boot: BootId,
    /// The image that booted.
    pub image: ImageInfo,
    /// The name stamped into the image, if any. A suggestion: the server's operator decides.
    pub name: Option<String>,
    /// What the hardware is.
    pub inventory: Inventory,
    /// How the last run on this power-on ended.
    pub last_run: Option<RunResult>,
    /// A token that approves the machine: typed at its console, or given on the kernel's command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Milliseconds since the kernel started.
    pub uptime_ms: u64,
}

/// Which image a machine booted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// The release of Xenoboot that built it.
    pub version: Version,
    /// Digest of the recipe: kernel package, binaries and layout.
    pub recipe: String,
    /// The running kernel, as in `uname -r`.
    pub kernel: String,
}

/// Hardware facts, for people and for selection. Nothing here is proof of anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Maker of the machine (DMI `sys_vendor`).
    pub vendor: String,
    /// Model (DMI `product_name`).
    pub product: String,
    /// Serial number (DMI `product_serial`).
    pub serial: String,
    /// The processor's name.
    pub cpu: String,
    /// Logical processors online.
    pub cpus: u32,
    /// Memory that the kernel manages, bytes.
    pub memory: u64,
    /// `bios` or `uefi`.
    pub firmware: String,
    /// Network cards.
    pub links: Vec<LinkInfo>,
    /// Disks, the boot medium among them.
    pub disks: Vec<DiskInfo>,
}

/// One network card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkInfo {
    /// Interface name.
    pub name: String,
    /// Permanent MAC address, `52:54:00:12:34:56`.
    pub mac: String,
    /// Kernel driver.
    pub driver: String,
    /// Whether there is carrier.
    pub carrier: bool,
    /// Addresses with prefix length, `192.0.2.7/24`.
    pub addresses: Vec<String>,
}

/// One disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskInfo {
    /// Device name, `vda`.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Model, if the disk says.
    pub model: String,
    /// Serial number, if the disk says.
    pub serial: String,
    /// Whether this is the medium that the machine booted from.
    pub boot_medium: bool,
}

/// The server's answer to [`BootRequest`], and in [`WaitReply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootReply {
    /// The request's nonce.
    pub nonce: Nonce,
    /// The server's clock, milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    pub time_ms: u64,
    /// What the machine shall do.
    pub order: Order,
}

/// What the server wants of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Not known yet: an operator must approve the machine's fingerprint.
    Pending,
    /// An operator refused this machine.
    Refused,
    /// Known, with nothing to do.
    Idle {
        /// Grows with each change of what this machine is assigned.
        generation: u64,
    },
    /// Run a bundle.
    Run(Assignment),
}

impl Order {
    /// What to hand back in [`WaitRequest::generation`]: zero before anything was assigned.
    #[must_use]
    pub fn generation(&self) -> u64 {
        match self {
            Self::Pending | Self::Refused => 0,
            Self::Idle { generation } => *generation,
            Self::Run(assignment) => assignment.generation,
        }
    }
}

/// A bundle to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Grows with each change of what this machine is assigned.
    pub generation: u64,
    /// SHA-256 of the envelope.
    pub bundle: Digest,
    /// The envelope itself when it is at most [`crate::MAX_INLINE_BUNDLE`] bytes: saves a round trip.
    pub envelope: Option<Bytes>,
}

/// Bytes that are a CBOR byte string, not an array of numbers.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({} bytes)", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a byte string")
            }
            fn visit_bytes<E>(self, v: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(v.to_vec()))
            }
            fn visit_byte_buf<E>(self, v: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(v))
            }
        }
        d.deserialize_byte_buf(Visitor)
    }
}

/// `POST /machine/v1/wait`: tell me when what I am assigned is no longer `generation`, or when I am
/// approved. Answered at once when it already differs, else within 55 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitRequest {
    /// Repeated in the answer.
    pub nonce: Nonce,
    /// This power-on.
    pub boot: BootId,
    /// The generation that the machine knows ([`Order::generation`]).
    pub generation: u64,
}

/// The answer to [`WaitRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitReply {
    /// What to do now; `None` when nothing has changed: ask again.
    pub changed: Option<BootReply>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    /// The run.
    pub run: RunId,
    /// The bundle that ran, by the digest of its envelope.
    pub bundle: Digest,
    /// How it ended.
    pub outcome: Outcome,
    /// From the start of the script to its end, milliseconds.
    pub duration_ms: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The script exited with 0.
    Succeeded,
    /// It did not, or never started.
    Failed {
        /// The error code.
        code: Code,
        /// Its cause, in words.
        cause: String,
        /// The script's exit status, if it exited.
        exit: Option<i32>,
    },
}
