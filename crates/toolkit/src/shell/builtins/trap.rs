//! `trap` (POSIX, XCU trap).

use super::{Context, complain};
use brush_core::{Error, ExecutionResult, traps::TrapSignal};
use std::io::Write as _;

pub(super) fn trap(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    match words {
        [] => print(&context, &[], false),
        // In a shell of POSIX also what has no command, so that all is as it was when it is read again.
        [option, signals @ ..] if option == "-p" => {
            print(&context, signals, context.shell.options().posix_mode)
        }
        [option, ..] if option == "-l" => {
            brush_core::traps::format_signals(context.stdout(), TrapSignal::iterator())?;
            writeln!(context.stdout())?;
            Ok(ExecutionResult::success())
        }
        [option, rest @ ..] if option == "--" => set(context, rest),
        [option, ..] if option.len() > 1 && option.starts_with('-') => {
            Ok(complain(&context, format!("{option}: invalid option"), 2))
        }
        words => set(context, words),
    }
}

/// Gives signals a command, or takes it from them.
fn set(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let (command, signals) = match words {
        // A number that stands first is a signal like the others.
        [first, ..] if first.parse::<u32>().is_ok() => (None, words),
        [only] => (None, std::slice::from_ref(only)),
        [dash, signals @ ..] if dash == "-" => (None, signals),
        [command, signals @ ..] => (Some(command), signals),
        [] => return print(&context, &[], false),
    };
    let source = context.shell.call_stack().current_pos_as_source_info();
    let mut status = 0;
    for name in signals {
        let Ok(signal) = name.parse::<TrapSignal>() else {
            complain(&context, format!("{name}: invalid signal specification"), 1);
            status = 1;
            continue;
        };
        let traps = context.shell.traps_mut();
        match command {
            Some(command) => traps.register_handler(signal, command.clone(), source.clone()),
            None => traps.remove_handlers(signal),
        }
    }
    Ok(ExecutionResult::new(status))
}

/// Prints the commands of signals, so that they can be set again; with `defaults` also of those that have none.
fn print(
    context: &Context<'_>,
    signals: &[String],
    defaults: bool,
) -> Result<ExecutionResult, Error> {
    let mut chosen = Vec::new();
    let mut status = 0;
    for name in signals {
        match name.parse::<TrapSignal>() {
            Ok(signal) => chosen.push(signal),
            Err(_) => {
                complain(context, format!("{name}: invalid signal specification"), 1);
                status = 1;
            }
        }
    }
    if signals.is_empty() {
        chosen.extend(TrapSignal::iterator().chain([TrapSignal::Return]));
        // Those without a number come last.
        chosen.sort_by_key(|signal| {
            (*signal != TrapSignal::Exit, i32::try_from(*signal).unwrap_or(i32::MAX))
        });
    }
    for signal in chosen {
        let command = match context.shell.traps().get_handler(signal) {
            Some(handler) => format!("'{}'", handler.command.replace('\'', r"'\''")),
            None if defaults => "-".to_owned(),
            None => continue,
        };
        let name = signal.as_str();
        let name = match name.strip_prefix("SIG") {
            Some(short) if context.shell.options().posix_mode => short,
            _ => name,
        };
        writeln!(context.stdout(), "trap -- {command} {name}")?;
    }
    Ok(ExecutionResult::new(status))
}
