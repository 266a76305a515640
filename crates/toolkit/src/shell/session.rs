//! A shell that reads its commands from standard input, typed or not.

use super::{
    Shell,
    completion::propose,
    line::{self, Line},
};
use brush_core::{
    Error, ExecutionControlFlow, ExecutionResult, ShellValue, SourceInfo,
    sys::signal::{self, Disposition, Signal},
    terminal::TerminalControl,
};
use rustix::{io::Errno, termios::isatty};
use std::io::{self, Write as _};

/// The status of what Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// An interactive shell does not end, stop or dump core by these.
const HELD: [Signal; 6] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// Runs what standard input says, to its end; returns the exit status.
///
/// # Errors
/// When standard input cannot be read.
pub(super) async fn run(shell: &mut Shell, interactive: bool) -> Result<u8, Error> {
    shell.start_interactive_session()?;
    if interactive {
        converse(shell).await?;
    } else {
        while let Some(text) = next_command(shell)? {
            let result = execute(shell, &text).await?;
            if ends(&result) {
                break;
            }
        }
    }
    shell.end_interactive_session()?;
    shell.on_exit().await?;
    Ok(shell.last_exit_status())
}

async fn execute(shell: &mut Shell, text: &str) -> Result<ExecutionResult, Error> {
    let params = shell.default_exec_params();
    let result = shell.run_string(text, &SourceInfo::from("main"), &params).await?;
    shell.increment_interactive_line_offset(text.lines().count().max(1));
    Ok(result)
}

fn ends(result: &ExecutionResult) -> bool {
    matches!(
        result.next_control_flow,
        ExecutionControlFlow::ExitShell | ExecutionControlFlow::ReturnFromFunctionOrScript
    )
}

/// Lines up to the end of a command. What follows it is left for the commands to read.
fn next_command(shell: &Shell) -> io::Result<Option<String>> {
    let mut text = String::new();
    loop {
        let line = read_line()?;
        if line.is_empty() {
            return Ok(Some(text).filter(|text| !text.is_empty()));
        }
        if shell.options().print_shell_input_lines {
            shell.stderr().write_all(&line)?;
        }
        text.push_str(&String::from_utf8_lossy(&line));
        if !wants_more(shell, &text) {
            return Ok(Some(text));
        }
    }
}

/// Whether a program needs another line.
fn wants_more(shell: &Shell, text: &str) -> bool {
    Shell::wants_more(&shell.parse_string(shell.expand_aliases(text)), text)
}

/// A line with its end; empty at the end of input. It is read byte by byte, since the next byte may
/// be for a command.
fn read_line() -> io::Result<Vec<u8>> {
    let stdin = io::stdin();
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match rustix::io::read(&stdin, &mut byte) {
            Ok(0) => return Ok(line),
            Ok(_) => line.extend(byte),
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if byte == *b"\n" {
            return Ok(line);
        }
    }
}

/// Talks with someone until they go.
async fn converse(shell: &mut Shell) -> Result<(), Error> {
    let terminal = isatty(io::stdin()).then(TerminalControl::acquire).transpose()?;
    HELD.iter().for_each(|signal| signal::set_disposition(*signal, Disposition::Note));
    let mut history = Vec::new();
    let mut warned = false;
    loop {
        shell.check_for_completed_jobs()?;
        run_prompt_command(shell).await;
        // What interrupted the last command is over; the next one is not to be missed.
        signal::take_pending(Signal::SIGINT);
        let text = match typed_command(shell, &history).await? {
            Line::Typed(text) => text,
            Line::Interrupted => {
                shell.set_last_exit_status(INTERRUPTED);
                continue;
            }
            Line::End => {
                if !warned && shell.jobs().jobs.iter().any(|job| job.describe() == "Stopped") {
                    writeln!(shell.stderr(), "There are stopped jobs.")?;
                    warned = true;
                    continue;
                }
                writeln!(shell.stderr(), "exit")?;
                break;
            }
        };
        remember(shell, &mut history, &text)?;
        let result = execute(shell, &format!("{text}\n")).await?;
        if signal::take_pending(Signal::SIGINT) {
            shell.set_last_exit_status(INTERRUPTED);
            writeln!(shell.stderr())?;
        } else if ends(&result) {
            break;
        }
    }
    drop(terminal);
    Ok(())
}

fn remember(shell: &mut Shell, history: &mut Vec<String>, text: &str) -> Result<(), Error> {
    let line = text.trim_end().replace('\n', "; ");
    if !line.trim().is_empty() && !line.starts_with(' ') && history.last() != Some(&line) {
        shell.add_to_history(&line)?;
        history.push(line);
    }
    Ok(())
}

/// `PROMPT_COMMAND`, whose status nobody sees.
async fn run_prompt_command(shell: &mut Shell) {
    let commands = match shell.env_var("PROMPT_COMMAND").map(|variable| variable.value()) {
        Some(ShellValue::String(command)) => vec![command.clone()],
        Some(ShellValue::IndexedArray(commands)) => commands.values().cloned().collect(),
        _ => return,
    };
    let status = shell.last_exit_status();
    for command in commands {
        let params = shell.default_exec_params();
        let _ = shell.run_string(command, &SourceInfo::from("PROMPT_COMMAND"), &params).await;
    }
    shell.set_last_exit_status(status);
}

/// Lines that are typed, up to the end of a command.
async fn typed_command(shell: &mut Shell, history: &[String]) -> Result<Line, Error> {
    let mut text = String::new();
    loop {
        let prompt = if text.is_empty() {
            shell.compose_prompt().await?
        } else {
            shell.compose_continuation_prompt().await?
        };
        match typed_line(shell, &prompt, history)? {
            Line::Typed(line) => text.push_str(&line),
            Line::End if !text.is_empty() => return Ok(Line::Typed(text)),
            other => return Ok(other),
        }
        if !wants_more(shell, &format!("{text}\n")) {
            return Ok(Line::Typed(text));
        }
        text.push('\n');
    }
}

fn typed_line(shell: &mut Shell, prompt: &str, history: &[String]) -> io::Result<Line> {
    if isatty(io::stdin()) {
        return line::edit(prompt, history, |line, place| propose(shell, line, place));
    }
    let mut stderr = io::stderr();
    stderr.write_all(prompt.as_bytes())?;
    let line = read_line()?;
    if line.is_empty() {
        return Ok(Line::End);
    }
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    Ok(Line::Typed(String::from_utf8_lossy(line).into_owned()))
}
