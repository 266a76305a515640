//! run: the bundle's entry, in a control group and session of its own, with a time limit.

mod process;
mod remains;

use super::{Phase, fetch};
use crate::{
    context::Context,
    failure::Failure,
    layout, random,
    run_state::{Act, After, Running},
    ssh,
    time::uptime_ms,
    toolbox,
};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};
use xenoboot_bundle::{Bundle, Manifest, Need, Verified};
use xenoboot_sys::{Kernel, kexec::Kexec as _};
use xenoboot_wire::{
    Code, Digest, RunId,
    boot::{Assignment, Outcome, RunResult},
    event::What,
};

/// The phase. Its limit is the manifest's; a failure is a result.
pub const PHASE: Phase = Phase { name: "run", limit: None };

/// Folders for everybody's temporary files.
const TEMPORARY: &[&str] = &["/tmp", "/dev/shm"];

/// Unpacks the bundle and runs it to its end; the result is an event, and kept.
///
/// # Errors
/// When the files cannot be unpacked: no run has begun then.
pub async fn run(
    context: &Context,
    assignment: &Assignment,
    manifest: Verified<Manifest>,
) -> Result<After, Failure> {
    PHASE.enter(context);
    let run = RunId(random::bytes());
    let bundle = unpack(context, run, manifest).await?;
    let manifest = &bundle.manifest;
    operators(context, run, &bundle.dir);
    let running = Running {
        run,
        bundle: assignment.bundle,
        began_ms: uptime_ms(),
        on_failure: manifest.on_failure.into(),
    };
    keep(context, |state| {
        state.done = Some(assignment.generation);
        let serial = state.serials.entry(manifest.name.clone()).or_default();
        *serial = manifest.serial.max(*serial);
        state.running = Some(running.clone());
    });
    let started = What::RunStarted {
        bundle: assignment.bundle,
        name: manifest.name.clone(),
        serial: manifest.serial,
        generation: Some(assignment.generation),
    };
    context.reporter.event(Some(run), started);
    context
        .reporter
        .console(&format!("run {run} of {}, serial {}", manifest.name, manifest.serial));
    context.reporter.status(|s| {
        s.bundle = Some(format!("{}, serial {}", manifest.name, manifest.serial));
        s.progress = None;
        s.output.clear();
        s.trouble = None;
    });
    context.current.begin(run, assignment.bundle, &bundle.dir);
    let outcome = with_its_needs(context, run, &bundle).await;
    clean(context, run, bundle.dir.clone()).await;
    let act = match (&outcome, context.current.wants_kexec()) {
        (Outcome::Succeeded, Some(watchdog_s)) => Act::Kexec { watchdog_s },
        (Outcome::Succeeded, None) => manifest.on_success.into(),
        (Outcome::Failed { .. }, _) => manifest.on_failure.into(),
    };
    if !matches!(act, Act::Kexec { .. }) {
        forget_kernel(context, run);
    }
    let after = ended(context, &running, outcome, act).await;
    context.current.end();
    Ok(after)
}

/// Who may log in, if the bundle says so. One that says it in a way that is not understood runs all the same.
fn operators(context: &Context, run: RunId, bundle: &Path) {
    match ssh::adopt(&context.layout, bundle) {
        Ok(true) => context.reporter.say(Some(run), "the bundle's operators may log in"),
        Ok(false) => {}
        Err(e) => context.reporter.say(Some(run), &format!("the bundle's operators: {e:#}")),
    }
}

/// What the script needs first; without that it is not started.
async fn with_its_needs(context: &Context, run: RunId, bundle: &Verified<Bundle>) -> Outcome {
    if bundle.manifest.needs.contains(&Need::Toolbox)
        && let Err(Failure { code, cause, .. }) = toolbox::ready(context).await
    {
        return Outcome::Failed { code, cause, exit: None };
    }
    let outcome = process::run(context, run, bundle).await;
    let Some(damage) = toolbox::damage() else { return outcome };
    // What it read there gave an error; a script may fail by that, or not even notice.
    context.reporter.say(Some(run), &format!("{} {damage}", Code::BoxDamaged));
    match outcome {
        Outcome::Failed { code: Code::ScriptFailed | Code::ScriptKilled, cause, exit } => {
            Outcome::Failed { code: Code::BoxDamaged, cause: format!("{damage}; {cause}"), exit }
        }
        other => other,
    }
}

/// The run that an agent before this one did not see the end of: what is left of it is killed, and it has failed.
pub async fn lost(context: &Context) -> Option<After> {
    let running = context.kept().get().running.clone()?;
    process::kill_leftovers(context, running.run).await;
    clean(context, running.run, folder(context).join(running.run.to_string())).await;
    forget_kernel(context, running.run);
    let cause = "the agent died while it ran, and was started again".to_owned();
    let outcome = Outcome::Failed { code: Code::AgentLost, cause, exit: None };
    let act = running.on_failure;
    Some(ended(context, &running, outcome, act).await)
}

/// Removes what the run left in its own folder and in those for everybody's temporary files, which are
/// memory. What cannot be removed is removed with the power. On another thread: unmounting may take a while.
async fn clean(context: &Context, run: RunId, own: PathBuf) {
    let shared: &[&str] = if context.layout.by_hand() { &[] } else { TEMPORARY };
    let work = move || {
        let mut failed = Vec::new();
        let mut note = |folder: &Path, removed: io::Result<()>| {
            if let Err(e) = removed {
                failed.push(format!("left in {}: {e}", folder.display()));
            }
        };
        note(&own, remains::remove(&Kernel, &own));
        for folder in shared.iter().map(Path::new) {
            note(folder, remains::empty(&Kernel, folder));
        }
        failed
    };
    for failure in tokio::task::spawn_blocking(work).await.unwrap_or_default() {
        context.reporter.say(Some(run), &failure);
    }
}

/// A kernel that a script loaded and does not want started, or not any more, must not be there for the next one.
fn forget_kernel(context: &Context, run: RunId) {
    if !context.layout.by_hand()
        && Kernel.loaded().is_ok_and(|loaded| loaded)
        && let Err(e) = Kernel.unload()
    {
        context.reporter.say(Some(run), &format!("the loaded kernel stays in memory: {e}"));
    }
}

async fn ended(context: &Context, running: &Running, outcome: Outcome, act: Act) -> After {
    let duration_ms = uptime_ms().saturating_sub(running.began_ms);
    say_outcome(context, &outcome, duration_ms);
    let what = What::RunEnded { outcome: outcome.clone(), duration_ms };
    // A result is not given up: when the spool is full, room comes with the next acknowledgement.
    let event = loop {
        if let Some(number) = context.reporter.event(Some(running.run), what.clone()) {
            break number;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    };
    let after = After { event, ended_ms: uptime_ms(), act };
    keep(context, |state| {
        state.last_run =
            Some(RunResult { run: running.run, bundle: running.bundle, outcome, duration_ms });
        state.running = None;
        state.after = Some(after);
    });
    after
}

fn say_outcome(context: &Context, outcome: &Outcome, duration_ms: u64) {
    let seconds = std::time::Duration::from_millis(duration_ms).as_secs_f32();
    match outcome {
        Outcome::Succeeded => {
            context.reporter.console(&format!("the script succeeded after {seconds:.1} s"))
        }
        Outcome::Failed { code, cause, .. } => {
            let line = format!("{code} {}: {cause}, after {seconds:.1} s", code.title());
            context.reporter.console(&line);
            let next = crate::status::Next::Text(
                "the result is reported; then as the bundle says".to_owned(),
            );
            let (code, cause) = (*code, cause.clone());
            context
                .reporter
                .status(|s| s.trouble = Some(crate::status::Trouble { code, cause, next }));
        }
    }
}

fn keep(context: &Context, change: impl FnOnce(&mut crate::run_state::State)) {
    let kept = context.kept().change(change);
    if let Err(e) = kept {
        context.reporter.say(None, &format!("the agent's state cannot be kept: {e}"));
    }
}

fn folder(context: &Context) -> PathBuf {
    context.layout.state("run")
}

/// Unpacks on another thread, so that a large bundle does not stop the event loop.
async fn unpack(
    context: &Context,
    run: RunId,
    manifest: Verified<Manifest>,
) -> Result<Verified<Bundle>, Failure> {
    let (all, blobs) = (folder(context), fetch::folder(context));
    let dir = all.join(run.to_string());
    let removed = dir.clone();
    let work = move || {
        layout::make_private(&all)
            .map_err(|e| Failure::new(Code::NoSpace, format!("{}: {e}", all.display())))?;
        unpack_into(&dir, &blobs, manifest)
    };
    let unpacked = tokio::task::spawn_blocking(work).await;
    let unpacked = unpacked.unwrap_or_else(|e| Err(Failure::new(Code::ScriptNotStarted, e)));
    if unpacked.is_err() {
        // The failure is reported; remains are removed with the power.
        let _ = fs::remove_dir_all(removed);
    }
    unpacked
}

fn unpack_into(
    dir: &Path,
    blobs: &Path,
    manifest: Verified<Manifest>,
) -> Result<Verified<Bundle>, Failure> {
    let mut uses = HashMap::<Digest, usize>::new();
    for file in manifest.files.iter().filter(|f| f.content.is_none()) {
        *uses.entry(file.digest).or_default() += 1;
    }
    let open = |digest: &Digest, _size: u64| {
        let left = uses.get_mut(digest).map_or(0, |n| {
            *n -= 1;
            *n
        });
        fetch::open(blobs, digest, left == 0)
    };
    manifest.unpack(dir, open).map_err(|e| Failure::chain(e.code(), &e))
}
