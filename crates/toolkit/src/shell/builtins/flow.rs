//! `exit`, `return`, `break`, `continue` and `shift`.

use super::{Context, complain};
use brush_core::{Error, ExecutionControlFlow, ExecutionResult};

/// The status that a shell, or a function, is told to end with; only its last eight bits count.
fn status(context: &Context<'_>, words: &[String]) -> Result<u8, ExecutionResult> {
    let words = match words {
        [first, rest @ ..] if first == "--" => rest,
        words => words,
    };
    match words {
        [] => Ok(context.shell.default_exit_status()),
        [word] => match word.trim().parse::<i64>() {
            Ok(number) => Ok(number.to_le_bytes()[0]),
            Err(_) => Err(complain(context, format!("{word}: numeric argument required"), 2)),
        },
        [..] => Err(complain(context, "too many arguments", 1)),
    }
}

pub(super) fn exit(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let mut result = match status(&context, words) {
        Ok(status) => ExecutionResult::new(status),
        Err(failed) if words.len() > 1 => return Ok(failed),
        Err(failed) => failed,
    };
    result.next_control_flow = ExecutionControlFlow::ExitShell;
    Ok(result)
}

pub(super) fn leave(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    if !context.shell.in_function() && !context.shell.in_sourced_script() {
        let what = "can only be used in a function or sourced script";
        return Ok(complain(&context, what, 2));
    }
    let mut result = match status(&context, words) {
        Ok(status) => ExecutionResult::new(status),
        Err(failed) if words.len() > 1 => return Ok(failed),
        Err(failed) => failed,
    };
    result.next_control_flow = ExecutionControlFlow::ReturnFromFunctionOrScript;
    Ok(result)
}

/// How many loops around a `break` or `continue` are passed over, or what is wrong.
fn levels(context: &Context<'_>, words: &[String]) -> Result<usize, ExecutionResult> {
    let depth = context.shell.loop_depth();
    let count = match words {
        [] => 1,
        [word, ..] => match word.parse::<i64>() {
            Ok(count) if count > 0 => usize::try_from(count).unwrap_or(usize::MAX),
            Ok(_) => {
                return Err(complain(context, format!("{word}: loop count out of range"), 1));
            }
            Err(_) => {
                let mut failed =
                    complain(context, format!("{word}: numeric argument required"), 128);
                failed.next_control_flow = ExecutionControlFlow::ExitShell;
                return Err(failed);
            }
        },
    };
    if depth == 0 {
        let what = "only meaningful in a `for', `while', or `until' loop";
        return Err(complain(context, what, 0));
    }
    Ok(count.min(depth) - 1)
}

pub(super) fn shift(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let words = match words {
        [first, rest @ ..] if first == "--" => rest,
        words => words,
    };
    let count = match words {
        [] => 1,
        [word] => match word.parse::<i64>() {
            Ok(count) => count,
            Err(_) => {
                return Ok(complain(&context, format!("{word}: numeric argument required"), 1));
            }
        },
        [..] => return Ok(complain(&context, "too many arguments", 1)),
    };
    let posix = context.shell.options().posix_mode;
    let parameters = context.shell.current_shell_args_mut();
    match usize::try_from(count) {
        Ok(count) if count <= parameters.len() => {
            parameters.drain(..count);
            Ok(ExecutionResult::success())
        }
        // As in bash, only POSIX' form says so.
        Ok(_) if !posix => Ok(ExecutionResult::new(1)),
        _ => Ok(complain(&context, format!("{count}: shift count out of range"), 1)),
    }
}

pub(super) fn break_(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    Ok(match levels(&context, words) {
        Ok(levels) => ExecutionResult {
            next_control_flow: ExecutionControlFlow::BreakLoop { levels },
            ..ExecutionResult::success()
        },
        Err(failed) => failed,
    })
}

pub(super) fn continue_(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    Ok(match levels(&context, words) {
        Ok(levels) => ExecutionResult {
            next_control_flow: ExecutionControlFlow::ContinueLoop { levels },
            ..ExecutionResult::success()
        },
        Err(failed) => failed,
    })
}
