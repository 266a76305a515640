//! `exec`: redirects the shell's own files, or puts a program in its place.

use super::{Context, complain};
use brush_core::{
    Error, ExecutionControlFlow, ExecutionResult, commands::compose_std_command, traps::TrapSignal,
};
use std::{io, os::unix::process::CommandExt as _, path::PathBuf};

/// What of its command line is known.
#[derive(Default)]
struct Wanted<'a> {
    name: Option<&'a str>,
    login: bool,
    empty_environment: bool,
    command: &'a [String],
}

fn parse(words: &[String]) -> Result<Wanted<'_>, String> {
    let mut wanted = Wanted::default();
    let mut rest = words;
    while let [first, after @ ..] = rest {
        match first.as_str() {
            "--" => {
                rest = after;
                break;
            }
            "-a" => match after {
                [name, after @ ..] => {
                    wanted.name = Some(name);
                    rest = after;
                    continue;
                }
                [] => return Err("-a: option requires an argument".into()),
            },
            "-l" => wanted.login = true,
            "-c" => wanted.empty_environment = true,
            "-cl" | "-lc" => (wanted.login, wanted.empty_environment) = (true, true),
            option if option.len() > 1 && option.starts_with('-') => {
                return Err(format!("{option}: invalid option"));
            }
            _ => break,
        }
        rest = after;
    }
    wanted.command = rest;
    Ok(wanted)
}

pub(super) fn exec(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let wanted = match parse(words) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(complain(&context, error, 2)),
    };
    let [command, arguments @ ..] = wanted.command else {
        context.shell.keep_redirections(&context.params);
        return Ok(ExecutionResult::success());
    };
    let found = if command.contains('/') {
        Some(PathBuf::from(command))
    } else {
        context.shell.find_first_executable_in_path_using_cache(command)
    };
    let error = match found {
        Some(path) => {
            let login = if wanted.login { "-" } else { "" };
            let name = format!("{login}{}", wanted.name.unwrap_or(command));
            let path = path.to_string_lossy();
            compose_std_command(&context, &path, &name, arguments, wanted.empty_environment)?.exec()
        }
        None => io::ErrorKind::NotFound.into(),
    };
    let (what, status) = match error.kind() {
        io::ErrorKind::NotFound => (format!("{command}: not found"), 127),
        _ => (format!("{command}: {error}"), 126),
    };
    let mut result = complain(&context, what, status);
    // Someone who types keeps the shell.
    if !context.shell.options().interactive {
        context.shell.traps_mut().remove_handlers(TrapSignal::Exit);
        result.next_control_flow = ExecutionControlFlow::ExitShell;
    }
    Ok(result)
}
