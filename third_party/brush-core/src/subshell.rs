//! Subshells: each is a forked process, as in every shell since the first.
//!
//! The shell has one thread and waits for nothing but the kernel, so that a fork copies all of it:
//! the child goes on at the same place with the same variables, and what it changes is its own.

use std::io::IsTerminal as _;

use crate::{
    ExecutionParameters, ExecutionResult, ProcessGroupPolicy, Shell, error, extensions,
    openfiles::{self, OpenFiles},
    processes::ChildProcess,
    sys::{
        self,
        process::{Forked, ProcessId},
        signal::{Disposition, Signal},
    },
};

/// Where a subshell runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The shell waits for it; it joins this process group if there is one already.
    Fore(Option<ProcessId>),
    /// The shell goes on.
    Back,
}

/// Forks a subshell. In the parent the result is the child; in the child it is `None`, and `params`
/// are those that its commands run with. The child has to end with [`end`].
pub(crate) fn fork<SE: extensions::ShellExtensions>(
    shell: &mut Shell<SE>,
    params: &mut ExecutionParameters,
    ground: Ground,
) -> Result<Option<ChildProcess>, error::Error> {
    let grouped = shell.options().enable_job_control
        && matches!(
            (&params.process_group_policy, ground),
            (ProcessGroupPolicy::NewProcessGroup, _) | (_, Ground::Fore(Some(_)))
        );
    let group = match ground {
        Ground::Fore(group) => group,
        Ground::Back => None,
    };
    let takes_terminal = grouped
        && matches!(ground, Ground::Fore(None))
        && shell.options().interactive
        && std::io::stdin().is_terminal();
    match sys::process::fork()? {
        Forked::Parent(pid) => {
            let group = grouped.then(|| group.unwrap_or(pid));
            if let Some(group) = group {
                sys::process::set_group(pid, group);
                if takes_terminal {
                    let _ = sys::terminal::move_to_foreground(group);
                }
            }
            Ok(Some(ChildProcess::new(pid, group)))
        }
        Forked::Child => {
            if grouped {
                sys::process::set_group(0, group.unwrap_or(0));
                if takes_terminal {
                    let _ = sys::terminal::move_self_to_foreground();
                }
            }
            if ground == Ground::Back && !grouped {
                stand_back(shell, params)?;
            }
            shell.become_subshell();
            params.process_group_policy = ProcessGroupPolicy::SameProcessGroup;
            params.last_command = true;
            // What the subshell was given is its own: `exec` in it redirects that.
            shell.adopt_open_files(&mut params.open_files);
            Ok(None)
        }
    }
}

/// What runs in the background without job control is not interrupted from the keyboard, and
/// reads nothing unless it was told to (POSIX, 2.11 and 2.9.3.1).
fn stand_back<SE: extensions::ShellExtensions>(
    shell: &Shell<SE>,
    params: &mut ExecutionParameters,
) -> Result<(), error::Error> {
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        sys::signal::set_disposition(signal, Disposition::Ignore);
    }
    if !params.redirects(OpenFiles::STDIN_FD) || params.try_stdin(shell).is_none() {
        params.set_fd(OpenFiles::STDIN_FD, openfiles::null()?);
    }
    Ok(())
}

/// Ends a forked subshell that came to `result`, after its own `EXIT` trap.
pub(crate) async fn end<SE: extensions::ShellExtensions>(
    shell: &mut Shell<SE>,
    params: &ExecutionParameters,
    result: Result<ExecutionResult, error::Error>,
) -> Result<ExecutionResult, error::Error> {
    let result = result.unwrap_or_else(|error| {
        let _ = shell.display_error(&mut params.stderr(shell), &error);
        error.into_result(shell)
    });
    let status = match shell.end_subshell(result, params).await {
        Ok(code) => code.into(),
        Err(error) => {
            let _ = shell.display_error(&mut params.stderr(shell), &error);
            1
        }
    };
    sys::signal::die_of_fatal();
    sys::process::exit_now(status)
}
