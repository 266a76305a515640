//! Public keys of SSH, as they stand in a `.pub` file: `ssh-ed25519 AAAA... comment`.
//!
//! Two kinds are taken: Ed25519, and Ed25519 in a security key (FIDO2). Machines verify no others.

use crate::key;
use serde::Deserialize;
use std::fmt::Write as _;

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// In a file, or wherever.
    Plain,
    /// In a security key.
    Token,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Plain, Self::Token];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "ssh-ed25519",
            Self::Token => "sk-ssh-ed25519@openssh.com",
        }
    }
}

/// Longest name of the application for which a security key made its key; usually `ssh:`.
const MAX_APPLICATION: usize = 128;

/// A public key of SSH.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct SshKey {
    kind: Kind,
    blob: Vec<u8>,
}

impl SshKey {
    /// The key of a machine or operator that has this raw Ed25519 key.
    #[must_use]
    pub fn ed25519(key: &[u8; 32]) -> Self {
        let kind = Kind::Plain;
        Self { kind, blob: [field(kind.name().as_bytes()), field(key)].concat() }
    }

    /// Parses a line of a `.pub` file; what follows the key is a comment, and left out.
    ///
    /// # Errors
    /// When it is no such line, or a key of a kind that machines do not verify; says what was expected.
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_ascii_whitespace();
        let named = words.next().unwrap_or_default();
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == named).ok_or_else(|| {
            let [plain, token] = Kind::ALL.map(Kind::name);
            format!(
                "`{}` is no kind of key that is taken, expected `{plain} AAAA...` or `{token} AAAA...`: \
                 `ssh-keygen -t ed25519` makes one",
                named.chars().take(40).collect::<String>().escape_debug()
            )
        })?;
        let bad =
            || format!("not the key that `{named}` announces, expected a line of a `.pub` file");
        let blob = words.next().and_then(from_base64).ok_or_else(bad)?;
        check(kind, &blob).ok_or_else(bad)?;
        Ok(Self { kind, blob })
    }

    /// The key's encoding in the protocol (RFC 8709, section 4; OpenSSH's PROTOCOL.u2f).
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

impl std::fmt::Display for SshKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.name(), base64(&self.blob))
    }
}

impl TryFrom<String> for SshKey {
    type Error = String;
    fn try_from(line: String) -> Result<Self, String> {
        Self::parse(&line)
    }
}

fn field(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Takes a field with its length in front off `rest`.
fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (field, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(field)
}

/// Whether `blob` is a whole key of this kind, and not one for which anyone can sign.
fn check(kind: Kind, blob: &[u8]) -> Option<()> {
    let mut rest = blob;
    let named = take(&mut rest)? == kind.name().as_bytes();
    let point: [u8; 32] = take(&mut rest)?.try_into().ok()?;
    let application = kind == Kind::Plain || take(&mut rest)?.len() <= MAX_APPLICATION;
    (named && application && rest.is_empty() && !key::small_order(point)).then_some(())
}

const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base 64 (RFC 4648, section 4) with its padding.
fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, b| word << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let symbol = SYMBOLS.get((word >> (18 - 6 * i)) as usize & 63).copied().unwrap_or(b'=');
            let symbol = if i > chunk.len() { '=' } else { char::from(symbol) };
            // Writing to a String cannot fail.
            let _ = out.write_char(symbol);
        }
    }
    out
}

/// The reverse; only the one canonical spelling is taken.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    // Longer than any key that is taken.
    if text.len() > 1024 {
        return None;
    }
    let mut bits = (0u32, 0);
    let mut bytes = Vec::new();
    for symbol in text.trim_end_matches('=').bytes() {
        let value = SYMBOLS.iter().position(|s| *s == symbol)?;
        bits = (bits.0 << 6 | u32::try_from(value).ok()?, bits.1 + 6);
        if bits.1 >= 8 {
            bits.1 -= 8;
            bytes.push((bits.0 >> bits.1 & 0xff) as u8);
        }
    }
    (base64(&bytes) == text).then_some(bytes)
}
