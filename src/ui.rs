//! What a person sees, and its rules:
//!
//! - Results go to standard output, everything else (progress, hints, errors) to standard error.
//! - `--json` prints one JSON document (or, for streams, one a line) and nothing else on standard output.
//! - Progress bars only on a terminal; colours never carry meaning alone.
//! - An error says what failed, why (its chain of causes), and where we know it, what to do (`hint:`).
//! - Exit status: 0 done, 1 failed, 2 wrong usage.

use std::{fmt, io::IsTerminal, process::ExitCode};

/// Options about output that every verb has.
#[derive(clap::Args)]
pub(crate) struct Output {
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// An error with a piece of advice for the person who sees it.
#[derive(Debug)]
struct Hint(String);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Hint {}

/// Attaches advice to an error.
pub(crate) trait WithHint<T> {
    /// Says what to do about the error.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Hint(hint.into())))
    }
}

/// Prints the error, if any, and says how the process ends.
pub(crate) fn exit(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    // A reader that went away (`xenoboot run log | head`) is no failure of ours.
    let pipe = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    if error.chain().filter_map(|c| c.downcast_ref()).any(pipe) {
        return ExitCode::SUCCESS;
    }
    let (hints, causes): (Vec<_>, Vec<_>) = error.chain().partition(|cause| cause.is::<Hint>());
    let text = causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    eprintln!("xenoboot: {text}");
    for hint in hints {
        eprintln!("hint: {hint}");
    }
    ExitCode::FAILURE
}

/// Whether progress should be drawn.
pub(crate) fn interactive() -> bool {
    std::io::stderr().is_terminal()
}
