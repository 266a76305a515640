//! Versions of images.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An image version, `MAJOR.MINOR.PATCH`, ordered as semantic versions are. Encoded as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version {
    /// Incompatible changes.
    pub major: u16,
    /// Compatible additions.
    pub minor: u16,
    /// Repairs.
    pub patch: u16,
}

/// The text is not `MAJOR.MINOR.PATCH` with plain decimal numbers below 65536.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a version: expected MAJOR.MINOR.PATCH, such as 1.4.0")]
pub struct InvalidVersion;

impl FromStr for Version {
    type Err = InvalidVersion;
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let mut parts = text.split('.').map(|part| {
            let plain =
                part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            part.parse().ok().filter(|_| plain)
        });
        let mut next = || parts.next().flatten().ok_or(InvalidVersion);
        let version = Self { major: next()?, minor: next()?, patch: next()? };
        if parts.next().is_some() { Err(InvalidVersion) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = InvalidVersion;
    fn try_from(text: String) -> Result<Self, InvalidVersion> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_number_not_by_text() {
        let v = |t: &str| t.parse::<Version>();
        assert!(v("0.10.0").ok() > v("0.9.9").ok());
        for bad in ["", "1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "1.2.+3", "1.2.70000"] {
            assert_eq!(v(bad), Err(InvalidVersion), "{bad}");
        }
    }
}
