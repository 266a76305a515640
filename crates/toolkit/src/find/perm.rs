//! `-perm`: modes in octal or as for chmod(1), which begin with no permission at all.

use crate::modes;

/// What the bits of a mode must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Exactly,
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permissions {
    wanted: Wanted,
    of_files: u32,
    /// `X` is for folders.
    of_folders: u32,
}

impl Permissions {
    /// `None` for what is no mode.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (wanted, mode) = match text.as_bytes() {
            [b'-', ..] => (Wanted::All, text.get(1..)?),
            [b'/', ..] => (Wanted::Any, text.get(1..)?),
            _ => (Wanted::Exactly, text),
        };
        if !mode.is_empty() && mode.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
            let bits = u32::from_str_radix(mode, 8).ok().filter(|bits| *bits <= 0o7777)?;
            return Some(Self { wanted, of_files: bits, of_folders: bits });
        }
        let bits = |folder| modes::changed(0, mode, folder).ok();
        Some(Self { wanted, of_files: bits(false)?, of_folders: bits(true)? })
    }

    pub(crate) fn matches(&self, mode: u32, folder: bool) -> bool {
        let bits = if folder { self.of_folders } else { self.of_files };
        match self.wanted {
            Wanted::Exactly => mode & 0o7777 == bits,
            Wanted::All => mode & bits == bits,
            Wanted::Any => bits == 0 || mode & bits != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (text, mode, folder, matches) in [
            ("644", 0o100_644, false, true),
            ("644", 0o100_600, false, false),
            ("-600", 0o100_644, false, true),
            ("/222", 0o100_444, false, false),
            ("/000", 0o100_444, false, true),
            ("u=rw,go=r", 0o644, false, true),
            ("-u+s", 0o4755, false, true),
            ("-g+s", 0o4755, false, false),
            ("-a+X", 0o700, true, false),
            ("/a+X", 0o700, false, true),
            ("a=rwx,o-w", 0o775, false, true),
        ] {
            assert_eq!(Permissions::parse(text).unwrap().matches(mode, folder), matches, "{text}");
        }
        for text in ["", "-", "8", "u", "u+y", "77777", "u*r"] {
            assert_eq!(Permissions::parse(text), None, "{text}");
        }
    }
}
