//! Modes as chmod(1) writes them: `u=rw,go+r`.

/// The mode that `text` makes of another; `X` is for folders, and for what somebody may execute.
///
/// # Errors
/// What is wrong with it, in bash's words.
pub(crate) fn changed(mut mode: u32, text: &str, folder: bool) -> Result<u32, String> {
    for clause in text.split(',') {
        let end = clause.find(|c| !"ugoa".contains(c)).unwrap_or(clause.len());
        let (who, mut actions) = clause.split_at(end);
        let mask = who.chars().fold(0, |all, letter| all | class(letter));
        let mask = if who.is_empty() { 0o7777 } else { mask };
        if actions.is_empty() {
            return Err(format!("`{text}': invalid symbolic mode operator"));
        }
        while let Some(operator) = actions.chars().next() {
            if !"+-=".contains(operator) {
                return Err(format!("`{operator}': invalid symbolic mode operator"));
            }
            let rest = actions.get(1..).unwrap_or_default();
            let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
            let (letters, after) = rest.split_at(end);
            let bits = bits(letters, mode, folder)? & mask;
            mode = match operator {
                '+' => mode | bits,
                '-' => mode & !bits,
                _ => (mode & !mask) | bits,
            };
            actions = after;
        }
    }
    Ok(mode)
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

/// The bits that letters stand for, in all classes.
fn bits(letters: &str, mode: u32, folder: bool) -> Result<u32, String> {
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
            _ => return Err(format!("`{letter}': invalid symbolic mode character")),
        };
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbolic_modes_change_others() {
        assert_eq!(changed(0o755, "g-rx,o=", false), Ok(0o700));
        assert_eq!(changed(0o700, "go=u-w", false), Ok(0o755));
        assert_eq!(changed(0o700, "+r", false), Ok(0o744));
        assert_eq!(changed(0, "u+s,+t,a+X", true), Ok(0o5111));
        assert!(changed(0o700, "q", false).is_err());
        assert!(changed(0o700, "u+q", false).is_err());
    }
}
