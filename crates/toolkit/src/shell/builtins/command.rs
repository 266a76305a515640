//! `command` (POSIX, XCU command).

use super::{Context, alias, complain};
use brush_core::{
    CommandArg, Error, ExecutionResult,
    commands::{ShellForCommand, SimpleCommand},
    pathsearch,
    sys::fs::{PathExt as _, get_default_standard_utils_paths},
};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

/// What the options ask for.
#[derive(Default)]
struct Options {
    /// The system's own commands are looked for (`-p`).
    standard: bool,
    /// It only says what a name stands for (`-v`).
    names: bool,
    /// The same in words (`-V`).
    describes: bool,
}

pub(super) async fn command(
    context: Context<'_>,
    args: Vec<CommandArg>,
) -> Result<ExecutionResult, Error> {
    let mut options = Options::default();
    let mut args = args.into_iter().skip(1).peekable();
    while let Some(option) = args.next_if(|arg| {
        let text = arg.to_string();
        text.len() > 1 && text.starts_with('-')
    }) {
        let option = option.to_string();
        if option == "--" {
            break;
        }
        for letter in option.chars().skip(1) {
            match letter {
                'p' => options.standard = true,
                'v' => options.names = true,
                'V' => options.describes = true,
                _ => return Ok(complain(&context, format!("-{letter}: invalid option"), 2)),
            }
        }
    }
    let args: Vec<CommandArg> = args.collect();
    let Some(name) = args.first().map(ToString::to_string) else {
        return Ok(ExecutionResult::success());
    };
    if options.names || options.describes {
        return tell(&context, &args, &options);
    }
    run(context, name, args, options.standard).await
}

/// Runs a command that is no function. What is wrong with it ends no shell, even if it is one of
/// the special builtins.
async fn run(
    context: Context<'_>,
    name: String,
    args: Vec<CommandArg>,
    standard: bool,
) -> Result<ExecutionResult, Error> {
    let shell = ShellForCommand::ParentShell(context.shell);
    let mut command = SimpleCommand::new(shell, context.params, name, args);
    command.use_functions = false;
    command.path_dirs = standard.then(get_default_standard_utils_paths);
    let spawned = command.execute().await.map_err(Error::into_harmless)?;
    Ok(spawned.wait().await?.into())
}

fn tell(
    context: &Context<'_>,
    names: &[CommandArg],
    options: &Options,
) -> Result<ExecutionResult, Error> {
    let mut status = 1;
    for name in names {
        let name = name.to_string();
        match meaning(context, &name, options.standard) {
            Some(meaning) => {
                let text = if options.describes { meaning.words } else { meaning.text };
                writeln!(context.stdout(), "{text}")?;
                status = 0;
            }
            None if options.describes => {
                complain(context, format!("{name}: not found"), 1);
            }
            None => {}
        }
    }
    Ok(ExecutionResult::new(status))
}

/// What a name stands for.
struct Meaning {
    /// So that it can be used again.
    text: String,
    /// For someone who reads.
    words: String,
}

fn meaning(context: &Context<'_>, name: &str, standard: bool) -> Option<Meaning> {
    let shell = &context.shell;
    let plain = |what: &str| Meaning { text: name.to_owned(), words: format!("{name} is {what}") };
    if let Some(value) = shell.aliases().get(name) {
        let text = format!("alias {}", alias::definition(name, value));
        return Some(Meaning { text, words: format!("{name} is aliased to `{value}'") });
    }
    if shell.is_keyword(name) {
        return Some(plain("a shell keyword"));
    }
    if let Some(function) = shell.funcs().get(name) {
        let words = format!("{name} is a function\n{}", function.definition());
        return Some(Meaning { text: name.to_owned(), words });
    }
    if let Some(builtin) = shell.builtins().get(name).filter(|builtin| !builtin.disabled) {
        let special = builtin.special_builtin && shell.options().posix_mode;
        return Some(plain(if special { "a special shell builtin" } else { "a shell builtin" }));
    }
    let path = find(context, name, standard)?.to_string_lossy().into_owned();
    Some(Meaning { words: format!("{name} is {path}"), text: path })
}

fn find(context: &Context<'_>, name: &str, standard: bool) -> Option<PathBuf> {
    if name.contains('/') {
        let path = context.shell.absolute_path(Path::new(name));
        return path.executable().then(|| name.into());
    }
    if standard {
        let folders = get_default_standard_utils_paths();
        return pathsearch::search_for_executable(folders.iter(), name).next();
    }
    context.shell.find_first_executable_in_path(name)
}
