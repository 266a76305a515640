//! Names that people give: of fleets, signers, machines and groups.

/// The rule in words, for error messages.
pub fn limits() -> &'static str {
    "1 to 64 letters, digits, `-`, `_` or `.`, beginning with a letter or digit"
}

/// Whether `name` follows [`limits`]: safe in a file name, a host name column and a log line.
pub fn check(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len())
        && name.bytes().all(plain)
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// A name as it is read from a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Name(pub(crate) String);

impl TryFrom<String> for Name {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        if check(&name) {
            Ok(Self(name))
        } else {
            Err(format!("`{}` is not a name, expected {}", name.escape_debug(), limits()))
        }
    }
}
