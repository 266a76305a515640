//! `wait` for what runs in the background.

use super::{Context, complain};
use brush_core::{
    Error, ExecutionResult, ShellVariable,
    jobs::{JobManager, Resolved},
    sys::signal,
};

/// The status of `wait` for a number that is not a child's.
const NOT_A_CHILD: u8 = 127;

/// Its command line.
#[derive(Default)]
struct Wanted<'a> {
    any: bool,
    variable: Option<&'a str>,
    operands: Vec<&'a str>,
}

fn parse(words: &[String]) -> Result<Wanted<'_>, String> {
    let mut wanted = Wanted::default();
    let mut rest = words.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "-n" => wanted.any = true,
            // Each wait is for the end of a process.
            "-f" => {}
            "-p" => {
                let name = rest.next().ok_or("-p: option requires an argument")?;
                wanted.variable = Some(name);
            }
            "--" => {
                wanted.operands.extend(rest);
                break;
            }
            option if option.starts_with('-') => return Err(format!("{option}: invalid option")),
            operand => {
                wanted.operands.push(operand);
                wanted.operands.extend(rest);
                break;
            }
        }
    }
    Ok(wanted)
}

/// What is waited for came, or a trapped signal of this number did.
enum Waited<T> {
    Done(T),
    Signal(i32),
}

/// Waits until `look` has something to say. A trapped signal ends it; its trap runs afterwards.
fn until<T>(
    context: &mut Context<'_>,
    mut look: impl FnMut(&mut JobManager) -> Option<T>,
) -> Result<Waited<T>, Error> {
    signal::prepare_to_wait();
    loop {
        context.shell.jobs_mut().refresh()?;
        if let Some(signal) = signal::fatal().or_else(|| context.shell.traps().pending()) {
            return Ok(Waited::Signal(signal));
        }
        if let Some(found) = look(context.shell.jobs_mut()) {
            return Ok(Waited::Done(found));
        }
        signal::wait_for_any();
    }
}

pub(super) fn wait(mut context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let wanted = match parse(words) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(complain(&context, error, 2)),
    };
    let waited = if wanted.any {
        any(&mut context, &wanted)?
    } else if wanted.operands.is_empty() {
        all(&mut context)?
    } else {
        each(&mut context, &wanted.operands)?
    };
    Ok(ExecutionResult::new(match waited {
        Waited::Done(status) => status,
        Waited::Signal(number) => u8::try_from(128 + number).unwrap_or(u8::MAX),
    }))
}

fn all(context: &mut Context<'_>) -> Result<Waited<u8>, Error> {
    until(context, |jobs| {
        if jobs.any_running() {
            return None;
        }
        jobs.sweep();
        jobs.forget_ended();
        Some(0)
    })
}

fn each(context: &mut Context<'_>, operands: &[&str]) -> Result<Waited<u8>, Error> {
    let mut status = 0;
    for operand in operands {
        let Some(pid) = process(context, operand) else {
            let what = if operand.starts_with('%') { "no such job" } else { "not a pid" };
            status =
                complain(context, format!("`{operand}': {what}"), NOT_A_CHILD).exit_code.into();
            continue;
        };
        let waited = until(context, |jobs| match jobs.status(pid) {
            None => Some(None),
            Some(ended) => ended.map(Some),
        })?;
        status = match waited {
            Waited::Done(Some(status)) => {
                context.shell.jobs_mut().set_waited(pid);
                status
            }
            // POSIX has the status alone say so.
            Waited::Done(None) if context.shell.options().posix_mode => NOT_A_CHILD,
            Waited::Done(None) => {
                let what = format!("pid {pid} is not a child of this shell");
                complain(context, what, NOT_A_CHILD).exit_code.into()
            }
            Waited::Signal(number) => return Ok(Waited::Signal(number)),
        };
    }
    Ok(Waited::Done(status))
}

/// The process that stands for an operand: a number, or the last one of a job.
fn process(context: &Context<'_>, operand: &str) -> Option<i32> {
    if !operand.starts_with('%') {
        return operand.parse().ok().filter(|pid| *pid > 0);
    }
    let jobs = context.shell.jobs();
    match jobs.resolve(operand) {
        Resolved::Job(place) => jobs.jobs.get(place)?.pids().last(),
        Resolved::Unknown | Resolved::Ambiguous => None,
    }
}

fn any(context: &mut Context<'_>, wanted: &Wanted<'_>) -> Result<Waited<u8>, Error> {
    let pids: Vec<i32> = wanted.operands.iter().filter_map(|o| process(context, o)).collect();
    if pids.is_empty() && !wanted.operands.is_empty() {
        return Ok(Waited::Done(NOT_A_CHILD));
    }
    let waited = until(context, |jobs| {
        jobs.sweep();
        match jobs.take_ended(&pids) {
            Some(ended) => Some(Some(ended)),
            None => (!jobs.any_running()).then_some(None),
        }
    })?;
    Ok(match waited {
        Waited::Done(Some((pid, status))) => {
            if let Some(name) = wanted.variable {
                let number = ShellVariable::new(pid.to_string());
                context.shell.env_mut().set_global(name, number)?;
            }
            Waited::Done(status)
        }
        Waited::Done(None) => Waited::Done(NOT_A_CHILD),
        Waited::Signal(number) => Waited::Signal(number),
    })
}
