//! `kill`, for processes and jobs.

use super::{Context, complain};
use crate::signals;
use brush_core::{Error, ExecutionResult, jobs::Resolved, traps::TrapSignal};
use rustix::process::{Pid, kill_process, kill_process_group, test_kill_process};
use std::io::Write as _;

/// A parsed `kill -SIGNAL TARGET...`: the signal's number, 0 for none, and the targets.
fn parse(words: &[String]) -> Result<(i32, &[String]), String> {
    let number = |name: &str| {
        let name = name.strip_prefix("SIG").unwrap_or(name);
        if name == "0" { Some(0) } else { signals::parse(name).map(|signal| signal.as_raw()) }
    };
    let unknown = |name: &str| format!("{name}: invalid signal specification");
    let (signal, rest) = match words {
        [option, name, rest @ ..] if option == "-s" || option == "-n" => {
            (number(name).ok_or_else(|| unknown(name))?, rest)
        }
        [first, rest @ ..] if first.len() > 1 && first.starts_with('-') && first != "--" => {
            let name = first.trim_start_matches('-');
            (number(name).ok_or_else(|| unknown(name))?, rest)
        }
        rest => (15, rest),
    };
    let rest = match rest {
        [first, rest @ ..] if first == "--" => rest,
        rest => rest,
    };
    if rest.is_empty() {
        return Err("usage: kill [-s NAME | -n NUMBER | -SIGNAL] PID | %JOB... or kill -l".into());
    }
    Ok((signal, rest))
}

pub(super) fn kill(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    if let [first, rest @ ..] = words
        && (first == "-l" || first == "-L")
    {
        return list(&context, rest);
    }
    let (signal, targets) = match parse(words) {
        Ok(parsed) => parsed,
        Err(error) => return Ok(complain(&context, error, 2)),
    };
    let mut result = ExecutionResult::success();
    for target in targets {
        if let Err(error) = send(&context, target, signal) {
            result = complain(&context, error, 1);
        }
    }
    Ok(result)
}

fn send(context: &Context<'_>, target: &str, number: i32) -> Result<(), String> {
    if target.starts_with('%') {
        let jobs = context.shell.jobs();
        let job = match jobs.resolve(target) {
            Resolved::Job(place) => jobs.jobs.get(place),
            Resolved::Ambiguous => return Err(format!("{target}: ambiguous job spec")),
            Resolved::Unknown => None,
        };
        let job = job.ok_or_else(|| format!("{target}: no such job"))?;
        let signal = TrapSignal::try_from(number).map_err(|error| error.to_string())?;
        return job.kill(signal).map_err(|error| format!("{target}: {error}"));
    }
    let wrong = || format!("{target}: arguments must be process or job IDs");
    let pid: i32 = target.parse().map_err(|_| wrong())?;
    signal_one(pid, number).map_err(|error| format!("({pid}) - {error}"))
}

fn signal_one(target: i32, number: i32) -> std::io::Result<()> {
    let signal = signals::parse(&number.to_string()).filter(|_| number != 0);
    let Some(pid) = Pid::from_raw(target.unsigned_abs().try_into().unwrap_or(i32::MAX)) else {
        let signal = signal.unwrap_or(rustix::process::Signal::CONT);
        return Ok(rustix::process::kill_current_process_group(signal)?);
    };
    match (signal, target < 0) {
        (None, _) => test_kill_process(pid)?,
        (Some(signal), false) => kill_process(pid, signal)?,
        (Some(signal), true) => kill_process_group(pid, signal)?,
    }
    Ok(())
}

/// `kill -l`: all signals, or the names of numbers (exit statuses too) and the numbers of names.
fn list(context: &Context<'_>, of: &[String]) -> Result<ExecutionResult, Error> {
    let mut out = context.stdout();
    let mut result = ExecutionResult::success();
    if of.is_empty() {
        for number in 1..=64 {
            if let Some(name) = signals::name(number) {
                writeln!(out, "{number}) SIG{name}")?;
            }
        }
    }
    for word in of {
        let named = match word.parse::<i32>() {
            Ok(number) => signals::name(if number > 128 { number - 128 } else { number }),
            Err(_) => signals::parse(word.strip_prefix("SIG").unwrap_or(word))
                .map(|signal| signal.as_raw().to_string()),
        };
        match named {
            Some(named) => writeln!(out, "{named}")?,
            None => {
                result = complain(context, format!("{word}: invalid signal specification"), 1);
            }
        }
    }
    Ok(result)
}
