//! `unset` (POSIX, XCU unset).

use super::{Context, complain};
use brush_core::{
    Error, ErrorKind, ExecutionResult,
    variables::{ShellValue, ShellValueUnsetType},
};
use brush_parser::{
    arithmetic,
    word::{self, Parameter},
};

const READONLY: &str = "cannot unset: readonly variable";

/// What is forgotten: a variable or else a function, unless an option names one of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Variable,
    Function,
    /// A name reference itself, not what it stands for.
    Reference,
}

pub(super) async fn unset(
    mut context: Context<'_>,
    words: Vec<String>,
) -> Result<ExecutionResult, Error> {
    let mut kind = Kind::Any;
    let mut names = words.as_slice();
    while let [option, rest @ ..] = names {
        if option.len() < 2 || !option.starts_with('-') {
            break;
        }
        names = rest;
        if option == "--" {
            break;
        }
        for letter in option.chars().skip(1) {
            let asked = match letter {
                'v' => Kind::Variable,
                'f' => Kind::Function,
                'n' => Kind::Reference,
                _ => return Ok(complain(&context, format!("-{letter}: invalid option"), 2)),
            };
            if (kind == Kind::Function) != (asked == Kind::Function) && kind != Kind::Any {
                let what = "cannot simultaneously unset a function and a variable";
                return Ok(complain(&context, what, 1));
            }
            kind = asked;
        }
    }
    let mut result = ExecutionResult::success();
    for name in names {
        if let Err(what) = one(&mut context, name, kind).await {
            // An error of a special builtin, which ends a shell of POSIX.
            if what == READONLY && context.shell.options().posix_mode {
                return Err(ErrorKind::NamedReadonlyVariable(name.clone()).into());
            }
            result = complain(&context, format!("{name}: {what}"), 1);
        }
    }
    Ok(result)
}

/// Forgets one; the error is what is wrong with it.
async fn one(context: &mut Context<'_>, name: &str, kind: Kind) -> Result<(), String> {
    if kind == Kind::Function {
        context.shell.undefine_func(name);
        return Ok(());
    }
    let options = context.shell.parser_options();
    let said = |error: Error| {
        let text = error.to_string();
        if text.contains("readonly") { READONLY.to_owned() } else { text }
    };
    match word::parse_parameter(name, &options) {
        Ok(Parameter::Named(variable)) => {
            let env = context.shell.env_mut();
            if kind == Kind::Reference {
                env.unset_itself(&variable).map_err(said)?;
                return Ok(());
            }
            let exists = env.get(&variable).is_some();
            env.unset(&variable).map_err(said)?;
            if !exists && kind == Kind::Any {
                context.shell.undefine_func(name);
            }
        }
        Ok(Parameter::NamedWithIndex { name, index }) => {
            let index = subscript(context, &name, &index).await.map_err(said)?;
            context.shell.env_mut().unset_index(&name, &index).map_err(said)?;
        }
        Ok(Parameter::NamedWithAllIndices { name, .. }) => {
            context.shell.env_mut().unset(&name).map_err(said)?;
        }
        Ok(_) | Err(_) if kind == Kind::Any && context.shell.undefine_func(name) => {}
        Ok(_) | Err(_) => return Err("not a valid identifier".into()),
    }
    Ok(())
}

/// What a subscript comes to: the key of an associative array, or else a number.
async fn subscript(context: &mut Context<'_>, name: &str, index: &str) -> Result<String, Error> {
    let by_key = context.shell.env().get(name).is_some_and(|(_, variable)| {
        matches!(
            variable.value(),
            ShellValue::AssociativeArray(_)
                | ShellValue::Unset(ShellValueUnsetType::AssociativeArray)
        )
    });
    let index = context.shell.basic_expand_string(&context.params, index).await?;
    if by_key {
        return Ok(index);
    }
    Ok(context.shell.eval_arithmetic(&arithmetic::parse(&index)?)?.to_string())
}
