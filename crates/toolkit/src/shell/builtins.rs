//! Builtins of ours in place of brush's: those that end something, `exec`, those of job control, and those
//! that scripts use most or where brush's fall short of POSIX.

mod alias;
mod cd;
mod command;
mod eval;
mod exec;
mod export;
mod flow;
mod jobs;
mod kill;
mod printf;
mod read;
mod test;
mod trap;
mod umask;
mod unset;
mod wait;

use super::Extensions;
use brush_builtins::BuiltinSet;
use brush_core::{
    CommandArg, Error, ExecutionContext, ExecutionResult,
    builtins::{BoxFuture, ContentType, Registration},
};
use std::{collections::HashMap, io::Write as _};

type Context<'a> = ExecutionContext<'a, Extensions>;
type Outcome<'a> = BoxFuture<'a, Result<ExecutionResult, Error>>;

/// All builtins: brush's, with ours in place of some.
pub(super) fn all() -> HashMap<String, Registration<Extensions>> {
    let mut all = brush_builtins::default_builtins(BuiltinSet::BashMode);
    all.extend(OURS.map(|(name, ..)| (name.to_owned(), ours(name))));
    let mut replace = |name: &str, run| {
        if let Some(registration) = all.get_mut(name) {
            registration.execute_func = run;
        }
    };
    replace("alias", |context, args| ready(alias::alias(context, &words(&args))));
    replace("bg", |context, args| ready(jobs::bg(context, &words(&args))));
    replace("break", |context, args| ready(flow::break_(context, &words(&args))));
    replace("cd", |context, args| ready(cd::cd(context, &words(&args))));
    replace("command", |context, args| Box::pin(command::command(context, args)));
    replace("continue", |context, args| ready(flow::continue_(context, &words(&args))));
    replace("disown", |context, args| ready(jobs::disown(context, &words(&args))));
    replace("[", |context, args| ready(test::test(context, &words(&args))));
    replace("eval", |context, args| Box::pin(eval::eval(context, words(&args))));
    replace("exec", |context, args| ready(exec::exec(context, &words(&args))));
    replace("exit", |context, args| ready(flow::exit(context, &words(&args))));
    replace("export", |context, args| ready(export::export(context, &args)));
    replace("fg", |context, args| Box::pin(jobs::fg(context, words(&args))));
    replace("jobs", |context, args| ready(jobs::jobs(context, &words(&args))));
    replace("kill", |context, args| ready(kill::kill(context, &words(&args))));
    replace("printf", |context, args| ready(printf::printf(context, &words(&args))));
    replace("read", |context, args| ready(read::read(context, &words(&args))));
    replace("return", |context, args| ready(flow::leave(context, &words(&args))));
    replace("shift", |context, args| ready(flow::shift(context, &words(&args))));
    replace("test", |context, args| ready(test::test(context, &words(&args))));
    replace("trap", |context, args| ready(trap::trap(context, &words(&args))));
    replace("umask", |context, args| ready(umask::umask(context, &words(&args))));
    replace("unalias", |context, args| ready(alias::unalias(context, &words(&args))));
    replace("unset", |context, args| Box::pin(unset::unset(context, words(&args))));
    replace("wait", |context, args| ready(wait::wait(context, &words(&args))));
    all
}

/// Those that brush's are built without: name, usage, what it does.
const OURS: [(&str, &str, &str); 13] = [
    ("[", "[ EXPRESSION ]", "status 0 if EXPRESSION is true, 1 if it is not"),
    ("alias", "alias [-p] [NAME[=VALUE]]...", "defines or shows aliases"),
    (
        "cd",
        "cd [-L|-P] [FOLDER | -]",
        "goes to FOLDER, to the home folder, or to where it was before",
    ),
    (
        "command",
        "command [-pvV] COMMAND [ARGUMENT]...",
        "runs COMMAND, not a function of that name; -v and -V say what it is",
    ),
    (
        "exec",
        "exec [-cl] [-a NAME] [COMMAND [ARGUMENT]...]",
        "redirects the shell's own files, or puts COMMAND in its place",
    ),
    ("export", "export [-fnp] [NAME[=VALUE]]...", "makes variables known to the commands"),
    ("printf", "printf [-v NAME] FORMAT [ARGUMENT]...", "prints the arguments as FORMAT says"),
    (
        "read",
        "read [-ers] [-a ARRAY] [-d BYTE] [-n N] [-N N] [-p TEXT] [-t SECONDS] [-u FD] [NAME]...",
        "reads a line and divides it among the variables",
    ),
    ("shift", "shift [N]", "drops the first N parameters, else the first"),
    ("test", "test EXPRESSION", "status 0 if EXPRESSION is true, 1 if it is not"),
    ("trap", "trap [-lp] [[COMMAND] SIGNAL...]", "runs COMMAND when a signal comes"),
    ("umask", "umask [-pS] [MODE]", "shows or sets what new files' modes leave out"),
    ("unalias", "unalias [-a] NAME...", "forgets aliases"),
];

/// Those of them that POSIX calls special.
const SPECIAL: [&str; 4] = ["exec", "export", "shift", "trap"];

fn ours(name: &str) -> Registration<Extensions> {
    Registration {
        execute_func: |_, _| ready(Ok(ExecutionResult::new(0))),
        content_func: |name, kind, _| {
            let (_, usage, what) =
                OURS.into_iter().find(|(own, ..)| *own == name).unwrap_or((name, name, ""));
            Ok(match kind {
                ContentType::ShortUsage => format!("{name}: {usage}\n"),
                ContentType::ShortDescription => format!("{name} - {what}\n"),
                _ => format!("{name}: {usage}\n    {what}\n"),
            })
        },
        disabled: false,
        special_builtin: SPECIAL.contains(&name),
        declaration_builtin: name == "export",
    }
}

fn ready<'a>(result: Result<ExecutionResult, Error>) -> Outcome<'a> {
    Box::pin(std::future::ready(result))
}

fn words(args: &[CommandArg]) -> Vec<String> {
    args.iter().skip(1).map(ToString::to_string).collect()
}

/// Says what is wrong, as every builtin does; the result is a failure with `status`.
fn complain(context: &Context<'_>, what: impl std::fmt::Display, status: u8) -> ExecutionResult {
    let place = super::place(context.shell);
    let _ = writeln!(context.stderr(), "{place}: {}: {what}", context.command_name);
    ExecutionResult::new(status)
}
