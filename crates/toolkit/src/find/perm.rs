//! `-perm`: modes in octal or as for chmod(1), which begin with no permission at all.

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
        Some(Self { wanted, of_files: symbolic(mode, false)?, of_folders: symbolic(mode, true)? })
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

fn symbolic(text: &str, folder: bool) -> Option<u32> {
    let mut mode = 0;
    for clause in text.split(',') {
        let end = clause.find(|c| !"ugoa".contains(c)).unwrap_or(clause.len());
        let (who, mut actions) = clause.split_at(end);
        let mask = who.chars().map(class).fold(0, |all, bits| all | bits);
        let mask = if who.is_empty() { 0o7777 } else { mask };
        if actions.is_empty() {
            return None;
        }
        while let Some(operator) = actions.chars().next() {
            let rest = actions.get(1..)?;
            let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
            let (letters, after) = rest.split_at(end);
            let bits = bits(letters, mode, folder)? & mask;
            mode = match operator {
                '+' => mode | bits,
                '-' => mode & !bits,
                '=' => (mode & !mask) | bits,
                _ => return None,
            };
            actions = after;
        }
    }
    Some(mode)
}

/// The bits of a class of users, with what only they can have.
fn class(letter: char) -> u32 {
    match letter {
        'u' => 0o4700,
        'g' => 0o2070,
        'o' => 0o1007,
        _ => 0o7777,
    }
}

fn bits(letters: &str, mode: u32, folder: bool) -> Option<u32> {
    let copied = |shift: u32| ((mode >> shift) & 7) * 0o111;
    let mut bits = 0;
    for letter in letters.chars() {
        bits |= match letter {
            'r' => 0o444,
            'w' => 0o222,
            'x' => 0o111,
            'X' if folder || mode & 0o111 != 0 => 0o111,
            'X' => 0,
            's' => 0o6000,
            't' => 0o1000,
            'u' => copied(6),
            'g' => copied(3),
            'o' => copied(0),
            _ => return None,
        };
    }
    Some(bits)
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
