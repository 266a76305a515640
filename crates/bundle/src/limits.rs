//! Limits of the format. What exceeds one is refused before anything is allocated for it.

/// Largest envelope, bytes.
pub const ENVELOPE: usize = 4 << 20;
/// Most signatures in an envelope.
pub const SIGNATURES: usize = 32;
/// Most files in a bundle.
pub const FILES: usize = 10_000;
/// Largest total size of a bundle's files, bytes.
pub const TOTAL: u64 = 16 << 30;
/// Largest file that travels inside the manifest, bytes.
pub const INLINE: usize = 64 << 10;
/// Longest path, bytes.
pub const PATH: usize = 1024;
/// Longest component of a path, bytes.
pub const COMPONENT: usize = 255;
/// Most components in a path.
pub const DEPTH: usize = 16;
/// Longest name of a bundle or a group, bytes.
pub const NAME: usize = 64;
/// Most arguments.
pub const ARGS: usize = 64;
/// Most needs.
pub const NEEDS: usize = 16;
/// Longest argument, bytes.
pub const ARG: usize = 4096;
/// Most machines named.
pub const MACHINES: usize = 10_000;
/// Largest secret, bytes.
pub const SECRET: usize = 32 << 10;
/// Largest sealed secret, bytes: the secret once for each of its machines.
pub const SEALED: usize = 16 << 20;
/// Most groups named.
pub const GROUPS: usize = 64;
/// Longest time limit and longest delay before running again: 30 days, in seconds.
pub const SECONDS: u64 = 30 * 24 * 3600;
/// Smallest memory limit, bytes.
pub const MEMORY: u64 = 1 << 20;
/// Last point in time that can be named: the end of the year 9999, Unix seconds.
pub const TIME: u64 = 253_402_300_799;
/// Most extensions in a manifest.
pub const EXTENSIONS: usize = 16;
/// Largest extension, bytes.
pub const EXTENSION: usize = 4096;
/// Deepest nesting inside an extension.
pub const EXTENSION_DEPTH: usize = 8;
/// How far a bundle's time of making may lie ahead of the server's clock, seconds.
pub const CLOCK_LEEWAY: u64 = 3600;
