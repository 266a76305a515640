//! What a person sees, and its rules:
//!
//! - Results go to standard output, everything else (progress, hints, errors) to standard error.
//! - `--json` prints one JSON document (or, for streams, one a line) and nothing else on standard output.
//! - Progress bars only on a terminal; colours never carry meaning alone.
//! - An error says what failed, why (its chain of causes), and where we know it, what to do (`hint:`).
//! - Exit status: 0 done, 1 failed, 2 wrong usage.

use anyhow::bail;
use std::{
    fmt,
    io::{self, BufRead, IsTerminal},
    process::ExitCode,
};

/// Options about output that every verb has.
#[derive(clap::Args)]
pub(crate) struct Output {
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// An error with a piece of advice for the person who sees it. It reads as the error does: the advice
/// is no cause, so it has no place of its own in the chain.
#[derive(Debug)]
struct Hinted {
    hint: String,
    error: anyhow::Error,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Attaches advice to an error.
pub(crate) trait WithHint<T> {
    /// Says what to do about the error.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| Hinted { hint: hint.into(), error: error.into() }.into())
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
    eprint!("{}", report(&error));
    ExitCode::FAILURE
}

/// What failed, why, and what to do, as lines.
fn report(error: &anyhow::Error) -> String {
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    let mut text = format!("xenoboot: {}\n", causes.join(": "));
    for hinted in error.chain().filter_map(|cause| cause.downcast_ref::<Hinted>()) {
        text += &format!("hint: {}\n", hinted.hint);
    }
    text
}

/// Whether progress should be drawn.
pub(crate) fn interactive() -> bool {
    std::io::stderr().is_terminal()
}

/// Asks before something that cannot be undone; `yes`: the answer was given on the command line.
pub(crate) fn confirm(what: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(anyhow::anyhow!("{what} Nobody can be asked here"))
            .hint("--yes says that it is meant");
    }
    eprint!("{what} Go on? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("nothing was done");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_hint_is_no_cause() {
        let low = || Err::<(), _>(std::io::Error::other("no such thing"));
        let failed = low().context("cannot read it").hint("look elsewhere").context("in vain");
        let shown = failed.map_err(|e| report(&e));
        let expected = "xenoboot: in vain: cannot read it: no such thing\nhint: look elsewhere\n";
        assert_eq!(shown, Err(expected.to_owned()));
    }
}
