//! Paths of files inside a bundle.

use crate::limits;
use std::{fmt, str::FromStr};

/// A relative path with `/` between components, at most [`limits::PATH`] bytes: no component is empty,
/// `.` or `..`, none has control characters, so that it stays inside the folder it is unpacked into.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(String);

/// A text is not the path of a file in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing, or two slashes in a row, or one at the end.
    #[error("it has an empty component")]
    Empty,
    /// It begins with a slash.
    #[error("it is absolute")]
    Absolute,
    /// A component is `..` or `.`.
    #[error("it has `.` or `..` as a component")]
    Dots,
    /// It has a control character.
    #[error("it has a control character")]
    Control,
    /// It is longer, or has longer or more components, than the limits allow.
    #[error("it is too long or too deep")]
    Long,
}

impl FilePath {
    /// The path `run`, where a bundle of one script has it.
    #[must_use]
    pub fn run() -> Self {
        Self("run".to_owned())
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders above it, outermost first: `a/b/c` is in `a` and `a/b`.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').filter_map(|(i, _)| self.0.get(..i))
    }
}

impl FromStr for FilePath {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > limits::PATH {
            return Err(PathError::Long);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        for (depth, component) in text.split('/').enumerate() {
            match component {
                "" => return Err(PathError::Empty),
                "." | ".." => return Err(PathError::Dots),
                _ if component.len() > limits::COMPONENT || depth >= limits::DEPTH => {
                    return Err(PathError::Long);
                }
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl AsRef<std::path::Path> for FilePath {
    fn as_ref(&self) -> &std::path::Path {
        self.0.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_fault_has_its_error() {
        for (text, error) in [
            ("", PathError::Empty),
            ("a//b", PathError::Empty),
            ("a/", PathError::Empty),
            ("/etc/passwd", PathError::Absolute),
            ("../a", PathError::Dots),
            ("a/../b", PathError::Dots),
            ("./a", PathError::Dots),
            ("a\0b", PathError::Control),
            ("a\nb", PathError::Control),
            (&"a/".repeat(20), PathError::Long),
            (&"a".repeat(256), PathError::Long),
        ] {
            assert_eq!(text.parse::<FilePath>(), Err(error), "{text:?}");
        }
        let path: FilePath = "a/b/..c".parse().unwrap();
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a", "a/b"]);
    }

    proptest! {
        #[test]
        fn never_leaves_the_folder(text in "[a./\\\\ ]{0,12}") {
            if let Ok(path) = text.parse::<FilePath>() {
                let normal = |c| matches!(c, std::path::Component::Normal(_));
                prop_assert!(std::path::Path::new(path.as_str()).components().all(normal));
            }
        }
    }
}
