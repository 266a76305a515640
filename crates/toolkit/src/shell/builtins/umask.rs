//! `umask` (POSIX, XCU umask).

use super::{Context, complain};
use crate::modes;
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
        modes::changed(ALL & !mask, wanted, false).map(|allowed| ALL & !allowed)
    };
    match new {
        Ok(mask) => {
            rustix::process::umask(Mode::from_raw_mode(mask));
            if symbolic && !context.shell.options().posix_mode {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mask_leaves() {
        assert_eq!(describe(0o022), "u=rwx,g=rx,o=rx");
    }
}
