//! `jobs`, `fg`, `bg` and `disown`.

use super::{Context, complain};
use brush_core::{
    Error, ExecutionResult,
    jobs::{JobState, Resolved},
    sys::terminal,
};
use std::io::Write as _;

/// The places of the jobs that operands name, the current one when there is none. What cannot be
/// found is complained of; that is the second result.
fn places(context: &Context<'_>, operands: &[&str]) -> (Vec<usize>, ExecutionResult) {
    let mut result = ExecutionResult::success();
    let mut found = Vec::new();
    let named = if operands.is_empty() { &["%%"] } else { operands };
    for operand in named {
        let spec =
            if operand.starts_with('%') { (*operand).to_owned() } else { format!("%{operand}") };
        match context.shell.jobs().resolve(&spec) {
            Resolved::Job(place) => found.push(place),
            Resolved::Ambiguous => {
                result = complain(context, format!("{operand}: ambiguous job spec"), 1);
            }
            Resolved::Unknown => {
                let name = if operands.is_empty() { "current" } else { operand };
                result = complain(context, format!("{name}: no such job"), 1);
            }
        }
    }
    (found, result)
}

/// Options as letters, and the operands; a letter that is not in `known` is an error.
fn parse<'a>(words: &'a [String], known: &str) -> Result<(String, Vec<&'a str>), String> {
    let mut letters = String::new();
    let mut rest = words.iter().map(String::as_str).peekable();
    while let Some(word) = rest.next_if(|word| word.len() > 1 && word.starts_with('-')) {
        if word == "--" {
            break;
        }
        if let Some(unknown) = word.chars().skip(1).find(|letter| !known.contains(*letter)) {
            return Err(format!("-{unknown}: invalid option"));
        }
        letters.extend(word.chars().skip(1));
    }
    Ok((letters, rest.collect()))
}

pub(super) fn jobs(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let (letters, operands) = match parse(words, "lnprs") {
        Ok(parsed) => parsed,
        Err(error) => return Ok(complain(&context, error, 2)),
    };
    context.shell.jobs_mut().refresh()?;
    let (chosen, result) = if operands.is_empty() {
        ((0..context.shell.jobs().jobs.len()).collect(), ExecutionResult::success())
    } else {
        places(&context, &operands)
    };
    let mut out = context.stdout();
    for place in chosen {
        let Some(job) = context.shell.jobs_mut().jobs.get_mut(place) else { continue };
        let news = job.told != job.state;
        let shown = match () {
            () if letters.contains('r') => job.state == JobState::Running,
            () if letters.contains('s') => job.state == JobState::Stopped,
            () if letters.contains('n') => news,
            () => true,
        };
        if !shown {
            continue;
        }
        job.told = job.state;
        if letters.contains('p') {
            writeln!(out, "{}", job.representative_pid().unwrap_or_default())?;
        } else if letters.contains('l') {
            let line = job.to_string();
            let (number, rest) = line.split_once("  ").unwrap_or((&line, ""));
            writeln!(out, "{number} {} {rest}", job.representative_pid().unwrap_or_default())?;
        } else {
            writeln!(out, "{job}")?;
        }
    }
    context.shell.jobs_mut().sweep();
    Ok(result)
}

fn without_job_control(context: &Context<'_>) -> Option<ExecutionResult> {
    let there = context.shell.options().enable_job_control;
    (!there).then(|| complain(context, "no job control", 1))
}

pub(super) fn bg(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    if let Some(result) = without_job_control(&context) {
        return Ok(result);
    }
    let operands: Vec<&str> = words.iter().map(String::as_str).collect();
    let (chosen, result) = places(&context, &operands);
    let posix = context.shell.options().posix_mode;
    context.shell.jobs_mut().refresh()?;
    for place in chosen {
        let Some(job) = context.shell.jobs().jobs.get(place) else { continue };
        let (id, line) = (job.id, job.command_line.clone());
        match job.state {
            JobState::Running if !posix => {
                complain(&context, format!("job {id} already in background"), 0);
                continue;
            }
            _ if posix => writeln!(context.stdout(), "[{id}] {line}")?,
            _ => writeln!(context.stdout(), "[{id}]+ {line} &")?,
        }
        context.shell.jobs_mut().go_on_in_background(id)?;
    }
    Ok(result)
}

pub(super) async fn fg(context: Context<'_>, words: Vec<String>) -> Result<ExecutionResult, Error> {
    if let Some(result) = without_job_control(&context) {
        return Ok(result);
    }
    let operands: Vec<&str> = words.iter().map(String::as_str).take(1).collect();
    let (chosen, failed) = places(&context, &operands);
    let interactive = context.shell.options().interactive;
    let (mut out, mut messages) = (context.stdout(), context.stderr());
    let Some(job) = chosen.first().and_then(|place| context.shell.jobs_mut().jobs.get_mut(*place))
    else {
        return Ok(failed);
    };
    job.move_to_foreground()?;
    writeln!(out, "{}", job.command_line)?;
    let ended = job.wait().await;
    if interactive {
        terminal::move_self_to_foreground()?;
    }
    let (id, stopped) = (job.id, job.state == JobState::Stopped);
    job.told = job.state;
    let jobs = context.shell.jobs_mut();
    jobs.touch(id);
    if stopped && let Some(job) = jobs.jobs.iter().find(|job| job.id == id) {
        writeln!(messages, "\r{job}")?;
    }
    jobs.sweep();
    ended
}

pub(super) fn disown(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let (letters, operands) = match parse(words, "ahr") {
        Ok(parsed) => parsed,
        Err(error) => return Ok(complain(&context, error, 2)),
    };
    let jobs = &mut context.shell.jobs_mut().jobs;
    if letters.contains('a') || letters.contains('r') {
        jobs.retain(|job| letters.contains('r') && job.state != JobState::Running);
        return Ok(ExecutionResult::success());
    }
    let (chosen, result) = places(&context, &operands);
    let mut place = 0;
    context.shell.jobs_mut().jobs.retain(|_| {
        place += 1;
        letters.contains('h') || !chosen.contains(&(place - 1))
    });
    Ok(result)
}
