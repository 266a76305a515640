//! `umask` (POSIX, XCU umask).

use super::{Context, complain};
use brush_core::{Error, ExecutionResult};
use rustix::fs::Mode;
use std::io::Write as _;

/// All bits that a mask has.
const ALL: u32 = 0o777;

pub(super) fn umask(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let (mut symbolic, mut reusable, mut words) = (false, false, words);
    while let [option, rest @ ..] = words
        && option.len() > 1
        && let Some(letters) = option.strip_prefix('-')
        && letters.chars().all(|letter| "Sp-".contains(letter))
    {
        words = rest;
        symbolic |= letters.contains('S');
        reusable |= letters.contains('p');
        if letters == "-" {
            break;
        }
    }
    let mask = current();
    let [wanted, ..] = words else {
        let text = if symbolic { describe(mask) } else { format!("{mask:04o}") };
        let start = match (reusable, symbolic) {
            (true, true) => "umask -S ",
            (true, false) => "umask ",
            (false, _) => "",
        };
        writeln!(context.stdout(), "{start}{text}")?;
        return Ok(ExecutionResult::success());
    };
    let new = if wanted.starts_with(|c: char| c.is_ascii_digit()) {
        u32::from_str_radix(wanted, 8)
            .ok()
            .filter(|mask| *mask <= ALL)
            .ok_or_else(|| format!("{wanted}: octal number out of range"))
    } else {
        changed(ALL & !mask, wanted).map(|allowed| ALL & !allowed)
    };
    match new {
        Ok(mask) => {
            rustix::process::umask(Mode::from_raw_mode(mask));
            if symbolic {
                writeln!(context.stdout(), "{}", describe(mask))?;
            }
            Ok(ExecutionResult::success())
        }
        Err(what) => Ok(complain(&context, what, 1)),
    }
}

/// The mask of this process, which has but one thread.
fn current() -> u32 {
    let mask = rustix::process::umask(Mode::empty());
    rustix::process::umask(mask);
    mask.as_raw_mode() & ALL
}

/// What a mask leaves, as `u=rwx,g=rx,o=rx`.
fn describe(mask: u32) -> String {
    let class = |name: &str, shift: u32| {
        let bits = (!mask >> shift) & 7;
        let letter = |bit: u32, letter| if bits & bit != 0 { letter } else { "" };
        format!("{name}={}{}{}", letter(4, "r"), letter(2, "w"), letter(1, "x"))
    };
    [class("u", 6), class("g", 3), class("o", 0)].join(",")
}

/// What is allowed after a symbolic mode, as chmod has it, or what is wrong with it.
fn changed(mut allowed: u32, mode: &str) -> Result<u32, String> {
    for clause in mode.split(',') {
        let who_end = clause.find(|c| !"ugoa".contains(c)).unwrap_or(clause.len());
        let (who, mut actions) = clause.split_at(who_end);
        let who = if who.is_empty() {
            ALL
        } else {
            who.chars().map(class_of).fold(0, |sum, bits| sum | bits)
        };
        if actions.is_empty() {
            return Err(format!("`{mode}': invalid symbolic mode operator"));
        }
        while let Some(operator) = actions.chars().next() {
            if !"+-=".contains(operator) {
                return Err(format!("`{operator}': invalid symbolic mode operator"));
            }
            let rest = actions.get(1..).unwrap_or_default();
            let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
            let (permissions, after) = rest.split_at(end);
            let bits = who & bits_of(allowed, permissions)?;
            allowed = match operator {
                '+' => allowed | bits,
                '-' => allowed & !bits,
                _ => (allowed & !who) | bits,
            };
            actions = after;
        }
    }
    Ok(allowed)
}

/// The bits of a class of users.
fn class_of(letter: char) -> u32 {
    match letter {
        'u' => 0o700,
        'g' => 0o070,
        'o' => 0o007,
        _ => ALL,
    }
}

/// The bits that permissions stand for, in all classes.
fn bits_of(allowed: u32, permissions: &str) -> Result<u32, String> {
    let copied = |shift: u32| ((allowed >> shift) & 7) * 0o111;
    let mut bits = 0;
    for letter in permissions.chars() {
        bits |= match letter {
            'r' => 0o444,
            'w' => 0o222,
            'x' => 0o111,
            'X' if allowed & 0o111 != 0 => 0o111,
            'X' | 's' | 't' => 0,
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
    fn symbolic_modes_change_what_is_allowed() {
        assert_eq!(changed(0o755, "g-rx,o="), Ok(0o700));
        assert_eq!(changed(0o700, "go=u-w"), Ok(0o755));
        assert_eq!(changed(0o700, "+r"), Ok(0o744));
        assert!(changed(0o700, "q").is_err());
        assert!(changed(0o700, "u+q").is_err());
        assert_eq!(describe(0o022), "u=rwx,g=rx,o=rx");
    }
}
