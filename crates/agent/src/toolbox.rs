//! The toolbox: Debian's programs in a squashfs file on the boot medium, of which the image knows the root
//! hash. It is had only when a script needs it: from memory, the medium, or the server, whichever has it first.

mod facts;
mod fetch;
mod graft;
mod kernel_log;
mod mounted;

use crate::{context::Context, failure::Failure, layout, time::uptime_ms};
use facts::Facts;
use mounted::Mounted;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{sync::Mutex, time::sleep};
use xenoboot_sys::Kernel;
use xenoboot_wire::Code;

/// Where it is mounted.
pub const FOLDER: &str = "/toolbox";

/// The file on the medium.
const FILE: &str = "toolbox.img";

/// By then the drivers of a medium that is there have been loaded, milliseconds since the kernel started.
const MEDIUM_BY_MS: u64 = 40_000;
/// After that it is given this long: a slow machine, or a slow stick, may still be on its way.
const MEDIUM_AGAIN: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);

/// On the kernel's command line: the toolbox is copied into memory.
const TO_MEMORY: &str = "xenoboot.toram";

/// Only one task at a time mounts or fetches it.
#[derive(Debug, Default)]
pub struct Toolbox(Mutex<()>);

/// Sees to it that the toolbox's programs can be run.
///
/// # Errors
/// `BoxNone`, or `BoxMissing` with the reason of each place where it was looked for.
pub async fn ready(context: &Context) -> Result<(), Failure> {
    let _alone = context.toolbox.0.lock().await;
    let facts = Facts::of(&context.layout)?;
    if context.layout.by_hand() {
        return Err(Failure::new(Code::BoxMissing, "the agent was started by hand"));
    }
    let damaged = match Mounted::now(&Kernel) {
        Some(mounted) => match damage_of(&mounted) {
            None => return Ok(()),
            damage => damage,
        },
        None => None,
    };
    let kept = kept(context, &facts);
    if kept.exists() {
        return put_in_place(context, &facts, &kept, "memory").await;
    }
    let medium = match damaged {
        Some(damage) => Err(Failure::new(Code::BoxDamaged, damage)),
        None => from_medium(context, &facts).await,
    };
    let Err(medium) = medium else { return Ok(()) };
    let line = format!("the toolbox: {}; fetching it from the server", medium.cause);
    context.reporter.say(None, &line);
    let fetched = fetch::from_server(context, &facts, &kept).await;
    let server = match fetched {
        Ok(()) => return put_in_place(context, &facts, &kept, "the server").await,
        Err(failure) => failure,
    };
    let cause = format!("the medium: {}; the server: {server}", medium.cause);
    Err(Failure::new(Code::BoxMissing, cause))
}

/// Copies the toolbox into memory if the kernel's command line says so, and says when the medium can be
/// removed. A medium that is damaged is not waited for: the server is asked then.
pub async fn to_memory(context: &Context) {
    let line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if context.layout.by_hand() || !line.split_whitespace().any(|word| word == TO_MEMORY) {
        return;
    }
    let done = copy_to_memory(context).await;
    let said = match done {
        Ok(()) => "the toolbox is in memory: the boot medium can be removed".to_owned(),
        Err(failure) => format!("the toolbox cannot be copied into memory: {failure}"),
    };
    context.reporter.say(None, &said);
}

async fn copy_to_memory(context: &Context) -> Result<(), Failure> {
    let facts = Facts::of(&context.layout)?;
    while !layout_medium(context).exists() {
        sleep(POLL).await;
    }
    let _alone = context.toolbox.0.lock().await;
    let kept = kept(context, &facts);
    if kept.exists() {
        return Ok(());
    }
    match fetch::from_file(&medium_file(context), &facts, &kept).await {
        Ok(()) => Ok(()),
        Err(failure) => {
            context.reporter.say(None, &format!("{failure}; fetching the toolbox from the server"));
            fetch::from_server(context, &facts, &kept).await
        }
    }
}

/// What was damaged of the toolbox that is mounted, if something was: what should have been read from there
/// gave an I/O error.
#[must_use]
pub fn damage() -> Option<String> {
    damage_of(&Mounted::now(&Kernel)?)
}

fn damage_of(mounted: &Mounted) -> Option<String> {
    let found = kernel_log::trouble(&mounted.backing)?;
    Some(format!("{}: {found}", mounted.place()))
}

async fn from_medium(context: &Context, facts: &Facts) -> Result<(), Failure> {
    let missing = |cause: &str| Failure::new(Code::BoxMissing, cause);
    let found = layout_medium(context);
    let left = Duration::from_millis(MEDIUM_BY_MS.saturating_sub(uptime_ms())).max(MEDIUM_AGAIN);
    let appeared = async {
        let mut told = false;
        while !found.exists() {
            if !told {
                context
                    .reporter
                    .console("waiting for the boot medium: the script needs the toolbox");
                told = true;
            }
            sleep(POLL).await;
        }
    };
    if tokio::time::timeout(left, appeared).await.is_err() {
        return Err(missing("the boot medium was not found"));
    }
    let file = medium_file(context);
    match std::fs::metadata(&file) {
        Ok(meta) if meta.len() == facts.size => {}
        Ok(meta) => {
            let cause = format!("{} has {} bytes instead of {}", FILE, meta.len(), facts.size);
            return Err(missing(&cause));
        }
        Err(e) => return Err(missing(&format!("{FILE}: {e}"))),
    }
    put_in_place(context, facts, &file, "the boot medium").await
}

/// Mounts the file and makes its programs known, on another thread: what is read first may take a while.
async fn put_in_place(
    context: &Context,
    facts: &Facts,
    file: &Path,
    from: &str,
) -> Result<(), Failure> {
    let (facts, path, began) = (facts.clone(), file.to_owned(), uptime_ms());
    let work = move || -> anyhow::Result<usize> {
        mounted::mount(&Kernel, &path, &facts)?;
        graft::all(Path::new(FOLDER), Path::new("/"))
    };
    let done = tokio::task::spawn_blocking(work).await;
    match done {
        Ok(Ok(names)) => {
            let took = uptime_ms().saturating_sub(began);
            let line = format!("the toolbox is there, from {from}: {names} names, after {took} ms");
            context.reporter.console(&line);
            Ok(())
        }
        Ok(Err(e)) => Err(Failure::new(Code::BoxMissing, format!("{}: {e:#}", file.display()))),
        Err(e) => Err(Failure::new(Code::BoxMissing, e)),
    }
}

/// Written by init when it has mounted the medium.
fn layout_medium(context: &Context) -> PathBuf {
    context.layout.state("medium")
}

fn medium_file(context: &Context) -> PathBuf {
    context.layout.state("medium.d").join(FILE)
}

/// Where the toolbox is kept in memory.
fn kept(context: &Context, facts: &Facts) -> PathBuf {
    let folder = context.layout.state("toolbox");
    // If it cannot be made, writing the file says so.
    let _ = layout::make_private(&folder);
    folder.join(facts.sha256.to_string())
}
