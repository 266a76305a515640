//! Builtins of ours: those that [`super::rewrite`] puts into programs, and `wait`, `kill`, `eval`
//! and `source`, which must know of them.

use super::{
    Extensions, Shell,
    children::CHILDREN,
    rewrite::{BACKGROUND, LAST, Rewriter, STAGE, STASH, TASK},
};
use crate::signals;
use brush_builtins::BuiltinSet;
use brush_core::{
    CommandArg, Error, ExecutionContext, ExecutionControlFlow, ExecutionParameters,
    ExecutionResult, ExecutionSpawnResult, ShellValue, ShellVariable,
    builtins::{BoxFuture, Registration},
    commands::{ShellForCommand, SimpleCommand},
    openfiles::{self, OpenFiles},
    parser::ast,
    processes::ProcessWaitResult,
    results::ExecutionWaitResult,
    sys::signal,
    traps::{TrapHandlerConfig, TrapSignal},
};
use rustix::process::{Pid, kill_process, kill_process_group, test_kill_process};
use std::{collections::HashMap, io::Write as _, sync::LazyLock};

type Context<'a> = ExecutionContext<'a, Extensions>;
type Outcome<'a> = BoxFuture<'a, Result<ExecutionResult, Error>>;

/// brush's own builtins, for what ours do not do themselves.
static THEIRS: LazyLock<HashMap<String, Registration<Extensions>>> =
    LazyLock::new(|| brush_builtins::default_builtins(BuiltinSet::BashMode));

/// The status of `wait` for a number that is not a child's.
const NOT_A_CHILD: u8 = 127;

/// All builtins: brush's, with ours in place of some.
pub(crate) fn all() -> HashMap<String, Registration<Extensions>> {
    let mut all = brush_builtins::default_builtins(BuiltinSet::BashMode);
    let mut replace = |name: &str, like: &str, run| {
        if let Some(mut registration) = THEIRS.get(like).cloned() {
            registration.execute_func = run;
            all.insert(name.to_owned(), registration);
        }
    };
    replace(STAGE, "jobs", stage);
    replace(BACKGROUND, "jobs", background);
    replace(TASK, "jobs", task);
    replace("exec", "exec", exec);
    replace("wait", "wait", wait);
    replace("kill", "kill", kill);
    replace("eval", "eval", eval);
    replace("source", "source", source);
    replace(".", ".", source);
    all
}

/// The changed program of a text; `None` when it can run as it is.
pub(crate) fn rewritten(shell: &Shell, text: &str) -> Option<ast::Program> {
    let is_builtin = |name: &str| shell.builtins().contains_key(name);
    let functions = shell.funcs().iter().map(|(name, _)| name.clone());
    Rewriter::new(shell.parser_options(), &is_builtin, functions).text(text)
}

fn words(args: &[CommandArg]) -> Vec<String> {
    args.iter().skip(1).map(ToString::to_string).collect()
}

fn theirs<'a>(context: Context<'a>, args: Vec<CommandArg>) -> Outcome<'a> {
    match THEIRS.get(&context.command_name) {
        Some(registration) => (registration.execute_func)(context, args),
        None => Box::pin(async { Ok(ExecutionResult::general_error()) }),
    }
}

fn kept(args: &[CommandArg]) -> Option<ast::Program> {
    STASH.get(args.get(1)?.to_string().parse().ok()?)
}

fn stage(context: Context<'_>, args: Vec<CommandArg>) -> Outcome<'_> {
    Box::pin(async move {
        let Some(program) = kept(&args) else { return Ok(ExecutionResult::general_error()) };
        let mut result = context.shell.run_program(program, &context.params).await?;
        // It is a subshell: what ends it ends nothing else.
        result.next_control_flow = ExecutionControlFlow::Normal;
        Ok(result)
    })
}

/// Remembers `number` as `$!`.
fn set_last(shell: &mut Shell, number: u32) -> Result<ExecutionResult, Error> {
    shell.env_mut().set_global(LAST, ShellVariable::new(number.to_string()))?;
    Ok(ExecutionResult::success())
}

/// What runs in the background reads nothing, unless it was told to.
fn without_input(
    params: &ExecutionParameters,
    shell: &Shell,
) -> Result<ExecutionParameters, Error> {
    let mut params = params.clone();
    if params.try_fd(shell, OpenFiles::STDIN_FD).is_none_or(|file| file.is_terminal()) {
        params.set_fd(OpenFiles::STDIN_FD, openfiles::null()?);
    }
    Ok(params)
}

fn background(context: Context<'_>, args: Vec<CommandArg>) -> Outcome<'_> {
    Box::pin(async move {
        let shell = context.shell;
        let params = without_input(&context.params, shell)?;
        let args: Vec<CommandArg> = args.into_iter().skip(1).collect();
        let name = args.first().map(ToString::to_string).unwrap_or_default();
        let parent = ShellForCommand::ParentShell(shell);
        let started = SimpleCommand::new(parent, params, name, args).execute().await;
        let number = match started {
            Ok(ExecutionSpawnResult::StartedProcess(mut child)) => {
                let number = child.pid().map_or(0, i32::cast_unsigned);
                CHILDREN.add_process(number);
                tokio::spawn(async move {
                    let status = loop {
                        match child.wait().await {
                            // Stopped: it may go on.
                            Ok(ProcessWaitResult::Stopped) => {}
                            Ok(ProcessWaitResult::Completed(output)) => {
                                break u8::from(ExecutionResult::from(output).exit_code);
                            }
                            Err(_) => break 1,
                        }
                    };
                    CHILDREN.finish(number, status);
                });
                number
            }
            started => {
                let status = match started {
                    Ok(started) => status_of(started.wait().await?),
                    Err(error) => {
                        let _ = shell.display_error(&mut context.params.stderr(shell), &error);
                        u8::from(error.into_result(shell).exit_code)
                    }
                };
                let number = CHILDREN.add_task();
                CHILDREN.finish(number, status);
                number
            }
        };
        set_last(shell, number)
    })
}

fn status_of(ended: ExecutionWaitResult) -> u8 {
    match ended {
        ExecutionWaitResult::Completed(result) => result.exit_code.into(),
        ExecutionWaitResult::Stopped(_) => 1,
    }
}

fn task(context: Context<'_>, args: Vec<CommandArg>) -> Outcome<'_> {
    Box::pin(async move {
        let Some(program) = kept(&args) else { return Ok(ExecutionResult::general_error()) };
        let params = without_input(&context.params, context.shell)?;
        let mut shell = context.shell.clone();
        shell.options_mut().interactive = false;
        let number = CHILDREN.add_task();
        let running = tokio::spawn(async move {
            let result = shell.run_program(program, &params).await;
            let status = result.map_or(1, |result| u8::from(result.exit_code));
            // Its ends of pipes are closed before anyone is told.
            drop((shell, params));
            CHILDREN.finish(number, status);
        });
        CHILDREN.set_abort(number, running.abort_handle());
        set_last(context.shell, number)
    })
}

/// brush runs the command of an `exec` in a subshell as any other, and would go on after it.
fn exec(context: Context<'_>, args: Vec<CommandArg>) -> Outcome<'_> {
    if args.len() < 2 || !context.shell.is_subshell() {
        return theirs(context, args);
    }
    Box::pin(async move {
        // What takes the shell's place knows nothing of its traps.
        context.shell.traps_mut().remove_handlers(TrapSignal::Exit);
        let mut result = theirs(context, args).await?;
        result.next_control_flow = ExecutionControlFlow::ExitShell;
        Ok(result)
    })
}

/// The number of a trapped signal that has come, as soon as there is one.
async fn trapped(traps: &TrapHandlerConfig) -> i32 {
    loop {
        let noted = signal::signal_noted();
        if let Some(number) = traps.pending() {
            return number;
        }
        noted.await;
    }
}

/// `wait` ends when a trapped signal comes; its trap runs afterwards.
fn wait(context: Context<'_>, args: Vec<CommandArg>) -> Outcome<'_> {
    if context.shell.is_subshell() {
        return wait_for_children(context, args);
    }
    let traps = context.shell.traps().clone();
    let waiting = wait_for_children(context, args);
    Box::pin(async move {
        tokio::select! {
            biased;
            number = trapped(&traps) => {
                Ok(ExecutionResult::new(u8::try_from(128 + number).unwrap_or(u8::MAX)))
            }
            result = waiting => result,
        }
    })
}

fn wait_for_children(context: Context<'_>, args: Vec<CommandArg>) -> Outcome<'_> {
    Box::pin(async move {
        let words = words(&args);
        let operands: Vec<&String> = words.iter().filter(|word| *word != "-f").collect();
        match operands.as_slice() {
            [] => {
                CHILDREN.wait_all().await;
                theirs(context, args).await
            }
            [only] if *only == "-n" => {
                let status = CHILDREN.wait_any().await;
                Ok(ExecutionResult::new(status.unwrap_or(NOT_A_CHILD)))
            }
            [first, ..] if first.starts_with(['%', '-']) => theirs(context, args).await,
            numbers => {
                let mut status = 0;
                for word in numbers {
                    let number = word.parse().ok();
                    let found = match number {
                        Some(number) => CHILDREN.wait(number).await,
                        None => None,
                    };
                    status = found.unwrap_or_else(|| {
                        let _ =
                            writeln!(context.stderr(), "wait: {word} is not a child of this shell");
                        NOT_A_CHILD
                    });
                }
                Ok(ExecutionResult::new(status))
            }
        }
    })
}

/// A parsed `kill -SIGNAL NUMBER...`: the signal's number, 0 for none, and the targets.
fn parse_kill(words: &[String]) -> Option<(i32, Vec<i32>)> {
    let mut words = words.iter().map(String::as_str).peekable();
    let mut signal = signals::parse("TERM").map_or(15, |s| s.as_raw());
    let number = |name: &str| {
        if name == "0" { Some(0) } else { signals::parse(name).map(|s| s.as_raw()) }
    };
    match *words.peek()? {
        "-s" | "-n" => {
            words.next();
            signal = number(words.next()?)?;
        }
        "--" => {}
        name if name.starts_with('-') => {
            signal = number(name.strip_prefix('-')?)?;
            words.next();
        }
        _ => {}
    }
    words.next_if_eq(&"--");
    let targets: Option<Vec<i32>> = words.map(|word| word.parse().ok()).collect();
    targets.filter(|targets| !targets.is_empty()).map(|targets| (signal, targets))
}

fn kill(context: Context<'_>, args: Vec<CommandArg>) -> Outcome<'_> {
    // Job specifications, lists of signals and mistakes are brush's.
    let Some((signal, targets)) = parse_kill(&words(&args)) else { return theirs(context, args) };
    Box::pin(async move {
        let mut failed = false;
        for target in targets {
            if to_itself(context.shell, target, signal) {
                signal::note_own(signal);
            } else if let Err(error) = signal_one(target, signal) {
                let _ = writeln!(context.stderr(), "kill: ({target}) - {error}");
                failed = true;
            }
        }
        Ok(if failed { ExecutionResult::general_error() } else { ExecutionResult::success() })
    })
}

/// Whether a shell sends itself a signal that it has a trap for.
fn to_itself(shell: &Shell, target: i32, number: i32) -> bool {
    let trapped = || {
        let handler = shell.traps().get_handler(TrapSignal::try_from(number).ok()?)?;
        Some(!handler.command.is_empty())
    };
    number > 0 && u32::try_from(target) == Ok(std::process::id()) && trapped().unwrap_or(false)
}

fn signal_one(target: i32, number: i32) -> std::io::Result<()> {
    let task = u32::try_from(target).ok();
    let signal = u8::try_from(number).unwrap_or(0);
    match task.and_then(|task| CHILDREN.end_task(task, signal)) {
        Some(true) => return Ok(()),
        Some(false) => return Err(rustix::io::Errno::SRCH.into()),
        None => {}
    }
    let invalid = rustix::io::Errno::INVAL;
    let pid = Pid::from_raw(target.checked_abs().ok_or(invalid)?).ok_or(invalid)?;
    let named = signals::parse(&number.to_string());
    match (named, target < 0) {
        (None, _) => test_kill_process(pid)?,
        (Some(signal), false) => kill_process(pid, signal)?,
        (Some(signal), true) => kill_process_group(pid, signal)?,
    }
    Ok(())
}

fn eval(context: Context<'_>, args: Vec<CommandArg>) -> Outcome<'_> {
    match rewritten(context.shell, &words(&args).join(" ")) {
        None => theirs(context, args),
        Some(program) => {
            Box::pin(async move { context.shell.run_program(program, &context.params).await })
        }
    }
}

const SOURCE: &str = "BASH_SOURCE";

/// Sets `BASH_SOURCE` for what runs outside of brush's own idea of a script.
pub(crate) fn set_source(shell: &mut Shell, path: &str) -> Result<(), Error> {
    let source = ShellValue::indexed_array_from_strs(&[path]);
    shell.env_mut().set_global(SOURCE, ShellVariable::new(source))
}

/// brush reads and runs the file; the functions it has defined are changed afterwards.
fn source(context: Context<'_>, args: Vec<CommandArg>) -> Outcome<'_> {
    Box::pin(async move {
        let ExecutionContext { shell, command_name, params } = context;
        // In a changed script the variable is a plain one and has to be kept up to date here.
        let before = shell.env().get(SOURCE).map(|(_, variable)| variable.clone());
        let path = args.get(1).map(ToString::to_string).unwrap_or_default();
        if before.as_ref().is_some_and(|v| matches!(v.value(), ShellValue::IndexedArray(_))) {
            set_source(shell, &path)?;
        }
        let inner = ExecutionContext { shell: &mut *shell, command_name, params };
        let result = theirs(inner, args).await;
        if let Some(before) = before {
            shell.env_mut().set_global(SOURCE, before)?;
        }
        rewrite_functions(shell);
        result
    })
}

fn rewrite_functions(shell: &mut Shell) {
    let functions: Vec<_> = shell
        .funcs()
        .iter()
        .map(|(name, function)| {
            (name.clone(), function.definition().clone(), function.source().clone())
        })
        .collect();
    let names: Vec<String> = functions.iter().map(|(name, ..)| name.clone()).collect();
    for (name, mut definition, source) in functions {
        let is_builtin = |name: &str| shell.builtins().contains_key(name);
        let options = shell.parser_options();
        let mut rewriter = Rewriter::new(options, &is_builtin, names.iter().cloned());
        if rewriter.function(&mut definition.body) {
            shell.define_func(name, definition, &source);
        }
    }
}
