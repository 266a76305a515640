//! One script's process: started, listened to, limited, and ended with everything it left behind.

use crate::{context::Context, environment, inventory, text::Lines};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    task::JoinHandle,
    time::{sleep, timeout},
};
use xenoboot_bundle::{Bundle, Verified};
use xenoboot_sys::{
    cgroup::{self, Cgroup, Limits},
    process::{Setup, prepare},
};
use xenoboot_wire::{Code, RunId, boot::Outcome, event::Source};

/// From TERM to KILL.
const GRACE: Duration = Duration::from_secs(5);
/// The same when init waits for us to stop.
const HURRY: Duration = Duration::from_secs(2);
/// For processes to be gone after KILL, and for their last output.
const REMAINS: Duration = Duration::from_secs(5);
/// Most processes and threads of a run.
const PROCESSES: u64 = 4096;
/// What the agent, init and the kernel keep of the memory, bytes; or a sixteenth, if that is more.
const RESERVE: u64 = 24 << 20;
/// Below this a script is started all the same: the shell alone needs so much.
const LEAST: u64 = 16 << 20;
/// The script's: the first that the kernel should kill.
const OOM_SCORE: i16 = 500;

/// Why a run ended.
enum End {
    Exited(ExitStatus),
    TimedOut(u64),
    Stopped,
}

/// Runs the bundle's entry to its end. Nothing that it started is left afterwards.
pub(super) async fn run(context: &Context, run: RunId, bundle: &Verified<Bundle>) -> Outcome {
    let group = match group(context, run, bundle) {
        Ok(group) => group,
        Err(e) => return not_started(format!("its control group cannot be made: {e}")),
    };
    let started = command(context, run, bundle, group.as_ref()).and_then(|mut c| c.spawn());
    let mut child = match started {
        Ok(child) => child,
        Err(e) => {
            remove(context, run, group).await;
            return not_started(format!("{}: {e}", bundle.manifest.entry));
        }
    };
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let readers = listen(context, run, &mut child);
    let end = wait(context, &mut child, pid, bundle.manifest.time_limit_s).await;
    let killed =
        group.as_ref().and_then(|g| g.memory_events().ok()).is_some_and(|e| e.oom_kill > 0);
    if group.is_none()
        && let Some(pid) = pid
    {
        // Without a control group (by hand) the session's own group is all that can be reached.
        let _ = kill_process_group(pid, Signal::KILL);
    }
    remove(context, run, group).await;
    for mut reader in readers {
        if timeout(REMAINS, &mut reader).await.is_err() {
            reader.abort();
        }
    }
    outcome(&end, killed)
}

/// Kills what an agent before this one left of a run.
pub(super) async fn kill_leftovers(context: &Context, run: RunId) {
    if !context.layout.by_hand() {
        let group = Cgroup::create(Path::new(cgroup::ROOT), &name(run), Limits::default()).ok();
        remove(context, run, group).await;
    }
}

fn name(run: RunId) -> String {
    format!("run-{run}")
}

fn group(context: &Context, run: RunId, bundle: &Bundle) -> io::Result<Option<Cgroup>> {
    if context.layout.by_hand() {
        return Ok(None);
    }
    let (total, available) = inventory::memory(Path::new("/"));
    let most = available.saturating_sub(RESERVE.max(total / 16)).max(LEAST);
    let memory = bundle.manifest.memory_limit.map_or(most, |limit| limit.min(most));
    let limits = Limits { memory: Some(memory), processes: Some(PROCESSES) };
    Cgroup::create(Path::new(cgroup::ROOT), &name(run), limits).map(Some)
}

/// Kills what is in the group and removes it, on another thread: that may take a while.
async fn remove(context: &Context, run: RunId, group: Option<Cgroup>) {
    let Some(group) = group else { return };
    let removed = tokio::task::spawn_blocking(move || group.destroy(REMAINS)).await;
    if let Ok(Err(e)) = removed {
        context.reporter.say(Some(run), &format!("processes of the script are still there: {e}"));
    }
}

/// A file with a `#!` line or a program of the machine is executed; anything else is for the shell.
fn command(
    context: &Context,
    run: RunId,
    bundle: &Bundle,
    group: Option<&Cgroup>,
) -> io::Result<Command> {
    let entry = bundle.entry();
    let mut head = [0; 4];
    let length = File::open(&entry)?.read(&mut head)?;
    let direct = length >= 2 && head.starts_with(b"#!") || head == *b"\x7fELF";
    let mut command = if direct {
        std::process::Command::new(&entry)
    } else {
        let mut shell = std::process::Command::new("/bin/sh");
        shell.arg(&entry);
        shell
    };
    command.args(&bundle.manifest.args).current_dir(&bundle.dir);
    command.env_clear().envs(environment(context, run, bundle));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let setup = Setup {
        new_session: true,
        oom_score_adj: Some(OOM_SCORE),
        cgroup: group,
        ..Setup::default()
    };
    prepare(&mut command, setup)?;
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    Ok(command)
}

/// All that a script gets in its environment.
fn environment(context: &Context, run: RunId, bundle: &Bundle) -> Vec<(&'static str, OsString)> {
    let mut all = environment::of_programs(context);
    all.extend([
        ("XENOBOOT_RUN", run.to_string().into()),
        ("XENOBOOT_BUNDLE", bundle.manifest.name.clone().into()),
        ("XENOBOOT_SERIAL", bundle.manifest.serial.to_string().into()),
    ]);
    all
}

fn listen(context: &Context, run: RunId, child: &mut Child) -> Vec<JoinHandle<()>> {
    let mut readers = Vec::new();
    if let Some(out) = child.stdout.take() {
        readers.push(tokio::spawn(read(context.clone(), run, Source::Stdout, out)));
    }
    if let Some(err) = child.stderr.take() {
        readers.push(tokio::spawn(read(context.clone(), run, Source::Stderr, err)));
    }
    readers
}

async fn read(context: Context, run: RunId, source: Source, mut pipe: impl AsyncRead + Unpin) {
    let mut lines = Lines::default();
    let mut buffer = vec![0; 8 << 10];
    // An error here means as much as an end: nothing more can be heard.
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        lines.push(buffer.get(..n).unwrap_or_default(), |line| {
            context.reporter.output(run, source, line)
        });
    }
    if let Some(line) = lines.finish() {
        context.reporter.output(run, source, line);
    }
}

/// Waits for the end of the script, or brings it about: TERM to its process group first, then KILL to
/// all (by the control group, when this returns).
async fn wait(context: &Context, child: &mut Child, pid: Option<Pid>, limit_s: u64) -> End {
    let mut stop = context.stop.clone();
    let (end, grace) = tokio::select! {
        status = child.wait() => return status.map_or(End::Stopped, End::Exited),
        () = sleep(Duration::from_secs(limit_s)) => (End::TimedOut(limit_s), GRACE),
        _ = stop.wait_for(|stop| *stop) => (End::Stopped, HURRY),
    };
    if let Some(pid) = pid {
        // It may have ended just now.
        let _ = kill_process_group(pid, Signal::TERM);
    }
    if timeout(grace, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
    end
}

fn outcome(end: &End, out_of_memory: bool) -> Outcome {
    let failed = |code, cause: String, exit| Outcome::Failed { code, cause, exit };
    match end {
        End::TimedOut(limit_s) => {
            failed(Code::ScriptTimeout, format!("it ran for more than {limit_s} s"), None)
        }
        End::Stopped => {
            failed(Code::ScriptKilled, "the machine was shut down while it ran".to_owned(), None)
        }
        End::Exited(status) if status.success() => Outcome::Succeeded,
        End::Exited(status) if out_of_memory => {
            let cause = "the kernel killed it for want of memory".to_owned();
            failed(Code::ScriptMemory, cause, status.code())
        }
        End::Exited(status) => match (status.code(), status.signal()) {
            (Some(code), _) => {
                failed(Code::ScriptFailed, format!("it exited with status {code}"), Some(code))
            }
            (None, signal) => {
                let number = signal.map_or_else(|| "?".to_owned(), |n| n.to_string());
                failed(Code::ScriptKilled, format!("signal {number} killed it"), None)
            }
        },
    }
}

fn not_started(cause: String) -> Outcome {
    Outcome::Failed { code: Code::ScriptNotStarted, cause, exit: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_code() {
        let exited = |raw| End::Exited(ExitStatus::from_raw(raw));
        let code = |end: &End, memory| match outcome(end, memory) {
            Outcome::Succeeded => None,
            Outcome::Failed { code, exit, .. } => Some((code, exit)),
        };
        assert_eq!(code(&exited(0), true), None);
        assert_eq!(code(&exited(3 << 8), false), Some((Code::ScriptFailed, Some(3))));
        assert_eq!(code(&exited(9), false), Some((Code::ScriptKilled, None)));
        assert_eq!(code(&exited(9), true), Some((Code::ScriptMemory, None)));
        assert_eq!(code(&exited(137 << 8), true), Some((Code::ScriptMemory, Some(137))));
        assert_eq!(code(&End::TimedOut(5), true), Some((Code::ScriptTimeout, None)));
        assert_eq!(code(&End::Stopped, false), Some((Code::ScriptKilled, None)));
    }
}
