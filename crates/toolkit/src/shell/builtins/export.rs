//! `export` (POSIX, XCU export).

use super::{Context, complain};
use brush_core::{
    CommandArg, Error, ExecutionResult, ShellValue,
    env::{EnvironmentLookup, EnvironmentScope},
    parser::ast,
    variables::{ArrayLiteral, ShellValueLiteral, ShellValueUnsetType, ShellVariable},
};
use std::io::Write as _;

/// What the options ask for.
#[derive(Default)]
struct Options {
    functions: bool,
    undo: bool,
}

pub(super) fn export(
    mut context: Context<'_>,
    args: &[CommandArg],
) -> Result<ExecutionResult, Error> {
    let mut options = Options::default();
    let mut args = args.iter().skip(1).peekable();
    while let Some(CommandArg::String(option)) = args.next_if(
        |arg| matches!(arg, CommandArg::String(text) if text.len() > 1 && text.starts_with('-')),
    ) {
        if option == "--" {
            break;
        }
        for letter in option.chars().skip(1) {
            match letter {
                'p' => {}
                'n' => options.undo = true,
                'f' => options.functions = true,
                _ => return Ok(complain(&context, format!("-{letter}: invalid option"), 2)),
            }
        }
    }
    if args.peek().is_none() {
        return list(&context);
    }
    let mut status = 0;
    for arg in args {
        if let Err(what) = one(&mut context, arg, &options)? {
            complain(&context, what, 1);
            status = 1;
        }
    }
    Ok(ExecutionResult::new(status))
}

/// Exports one; the inner result is what is wrong with it.
fn one(
    context: &mut Context<'_>,
    arg: &CommandArg,
    options: &Options,
) -> Result<Result<(), String>, Error> {
    let refused = || Ok(Err(format!("`{arg}': not a valid identifier")));
    let (name, value) = match arg {
        CommandArg::String(text) => match text.split_once('=') {
            Some((name, value)) => (name, Some(ShellValueLiteral::Scalar(value.to_owned()))),
            None => (text.as_str(), None),
        },
        CommandArg::Assignment(assignment) => {
            let ast::AssignmentName::VariableName(name) = &assignment.name else {
                return refused();
            };
            let mut value = literal(&assignment.value);
            if let (ShellValueLiteral::Scalar(text), true) = (&mut value, assignment.append) {
                let before = context.shell.env_str(name).unwrap_or_default();
                *text = format!("{before}{text}");
            }
            (name.as_str(), Some(value))
        }
    };
    if options.functions {
        return Ok(match context.shell.func_mut(name) {
            Some(function) => {
                if options.undo {
                    function.unexport()
                } else {
                    function.export()
                }
                Ok(())
            }
            None => Err(format!("{name}: not a function")),
        });
    }
    if !is_name(name) {
        return refused();
    }
    let mark = |variable: &mut ShellVariable| {
        if options.undo {
            variable.unexport()
        } else {
            variable.export()
        };
        Ok(())
    };
    let (anywhere, global) = (EnvironmentLookup::Anywhere, EnvironmentScope::Global);
    let environment = context.shell.env_mut();
    match (value, environment.get_mut(name)) {
        (Some(value), _) => environment.update_or_add(name, value, mark, anywhere, global)?,
        (None, Some((_, variable))) => mark(variable)?,
        // It is exported once it has a value.
        (None, None) => {
            let mut variable = ShellVariable::new(ShellValue::Unset(ShellValueUnsetType::Untyped));
            mark(&mut variable)?;
            environment.add(name, variable, global)?;
        }
    }
    if name == "PATH" {
        context.shell.program_location_cache_mut().reset();
    }
    Ok(Ok(()))
}

fn literal(value: &ast::AssignmentValue) -> ShellValueLiteral {
    match value {
        ast::AssignmentValue::Scalar(text) => ShellValueLiteral::Scalar(text.flatten()),
        ast::AssignmentValue::Array(elements) => {
            let each = elements
                .iter()
                .map(|(key, value)| (key.as_ref().map(ast::Word::flatten), value.flatten()));
            ShellValueLiteral::Array(ArrayLiteral(each.collect()))
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Prints what is exported, so that it can be read again.
fn list(context: &Context<'_>) -> Result<ExecutionResult, Error> {
    let start = if context.shell.options().posix_mode { "export" } else { "declare -x" };
    let mut lines = Vec::new();
    for (name, variable) in context.shell.env().iter().filter(|(_, v)| v.is_exported()) {
        let value = variable.value().try_get_cow_str(context.shell);
        let value = value.map(|value| format!("=\"{}\"", quoted(&value))).unwrap_or_default();
        lines.push(format!("{start} {name}{value}"));
    }
    lines.sort();
    for line in lines {
        writeln!(context.stdout(), "{line}")?;
    }
    Ok(ExecutionResult::success())
}

fn quoted(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        if "\"\\$`".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}
