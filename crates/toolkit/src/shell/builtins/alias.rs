//! `alias` and `unalias` (POSIX, XCU alias, unalias).

use super::{Context, complain};
use brush_core::{Error, ExecutionResult};
use std::io::Write as _;

/// An alias as it can be defined again: `name='value'`.
pub(super) fn definition(name: &str, value: &str) -> String {
    format!("{name}='{}'", value.replace('\'', r"'\''"))
}

pub(super) fn alias(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let (all, words) = match words {
        [option, rest @ ..] if option == "-p" => (true, rest),
        [option, rest @ ..] if option == "--" => (false, rest),
        words => (false, words),
    };
    // In POSIX' form the word is left out, but for `-p`.
    let start = if context.shell.options().posix_mode && !all { "" } else { "alias " };
    if all || words.is_empty() {
        let mut lines: Vec<String> =
            context.shell.aliases().iter().map(|(name, value)| definition(name, value)).collect();
        lines.sort();
        for line in lines {
            writeln!(context.stdout(), "{start}{line}")?;
        }
    }
    let mut status = 0;
    for word in words {
        match word.split_once('=') {
            Some((name, _)) if !is_name(name) => {
                complain(&context, format!("`{name}': invalid alias name"), 1);
                status = 1;
            }
            Some((name, value)) => {
                context.shell.aliases_mut().insert(name.to_owned(), value.to_owned());
            }
            None => match context.shell.aliases().get(word) {
                Some(value) => writeln!(context.stdout(), "{start}{}", definition(word, value))?,
                None => {
                    complain(&context, format!("{word}: not found"), 1);
                    status = 1;
                }
            },
        }
    }
    Ok(ExecutionResult::new(status))
}

/// Whether it can be an alias: nothing in it means something to the shell.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|c: char| c.is_whitespace() || "/$`=|&;()<>'\"\\".contains(c))
}

pub(super) fn unalias(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let words = match words {
        [] => return Ok(complain(&context, "usage: unalias [-a] NAME...", 2)),
        [option, ..] if option == "-a" => {
            context.shell.aliases_mut().clear();
            return Ok(ExecutionResult::success());
        }
        [option, rest @ ..] if option == "--" => rest,
        words => words,
    };
    let mut status = 0;
    for word in words {
        if context.shell.aliases_mut().remove(word).is_none() {
            complain(&context, format!("{word}: not found"), 1);
            status = 1;
        }
    }
    Ok(ExecutionResult::new(status))
}
