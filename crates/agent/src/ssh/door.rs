//! Where operators come in: a request is left with the server until somebody calls, and then the next. It goes on
//! whatever the machine does: while a script runs, hangs or has failed, while it waits or backs off.

use super::WORD;
use crate::{
    backoff::Backoff,
    context::Context,
    environment,
    http::call::{Call, Caller},
    layout::ROOT_VARIABLE,
};
use bytes::Bytes;
use std::{io, os::unix::net::UnixStream as Pair, process::Stdio, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    process::{Child, ChildStdout, Command},
    sync::{Semaphore, mpsc},
    time::{Instant, sleep, timeout},
};
use xenoboot_sys::process::{Setup, prepare};
use xenoboot_wire::event::What;

const PATH: &str = "/machine/v1/console";

/// Most sessions at once.
const SESSIONS: usize = 8;
/// A request that stood for so long was not refused.
const STOOD: Duration = Duration::from_secs(10);
/// What is read of a session at once, bytes.
const PIECE: usize = 16 << 10;
/// For a session's process to end when its client has gone.
const FAREWELL: Duration = Duration::from_secs(5);
/// For what it said last to be sent.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// The kernel kills it, and what it starts, before the agent.
const OOM_SCORE: i16 = 500;
/// Lines that a session's process may say, and the longest, bytes.
const LINES: usize = 100;
const LINE: u64 = 1024;

/// Keeps a door open, for ever.
pub async fn keep(context: &Context) {
    let places = Arc::new(Semaphore::new(SESSIONS));
    let mut backoff = Backoff::default();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let connection = context.server.approved().await;
        let left = Instant::now();
        match connection.await_call(PATH).await {
            Ok(call) => {
                backoff.reset();
                let context = context.clone();
                tokio::spawn(async move {
                    if let Err(e) = answer(&context, call).await {
                        context.reporter.say(None, &format!("a console session failed: {e}"));
                    }
                    drop(place);
                });
            }
            // The connection's own failures are shown where it is made.
            Err(_) => {
                if left.elapsed() > STOOD {
                    backoff.reset();
                }
                sleep(backoff.failed(None).1).await;
            }
        }
    }
}

/// One session, from the call to the end of its process.
async fn answer(context: &Context, call: Call) -> io::Result<()> {
    let (ours, theirs) = Pair::pair()?;
    ours.set_nonblocking(true)?;
    let (from, to) = UnixStream::from_std(ours)?.into_split();
    let mut child = start(context, theirs)?;
    let said = tokio::spawn(listen(context.clone(), child.stdout.take()));
    let mut incoming = tokio::spawn(bring(call.from, to));
    let mut outgoing = tokio::spawn(take(from, call.to));
    // The client has gone, or the process has ended.
    let mut ended = false;
    tokio::select! {
        _ = &mut incoming => {}
        _ = &mut outgoing => ended = true,
    }
    incoming.abort();
    if timeout(FAREWELL, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
    // Its last words may take a while on a slow path.
    if !ended && timeout(LAST_WORDS, &mut outgoing).await.is_err() {
        outgoing.abort();
    }
    // Ended with the process.
    let _ = said.await;
    Ok(())
}

fn start(context: &Context, socket: Pair) -> io::Result<Child> {
    let mut command = std::process::Command::new("/proc/self/exe");
    command.arg(WORD).env_clear().envs(environment::of_programs(context));
    if context.layout.by_hand() {
        command.envs(std::env::var_os(ROOT_VARIABLE).map(|root| (ROOT_VARIABLE, root)));
    }
    command.stdin(std::os::fd::OwnedFd::from(socket)).stdout(Stdio::piped()).stderr(Stdio::null());
    let setup = Setup {
        new_session: true,
        oom_score_adj: Some(OOM_SCORE),
        dies_with_parent: true,
        ..Setup::default()
    };
    prepare(&mut command, setup)?;
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command.spawn()
}

/// From the client to the process.
async fn bring(mut from: Caller, mut to: tokio::net::unix::OwnedWriteHalf) {
    while let Some(bytes) = from.next().await {
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
    // Fails when the process has ended.
    let _ = to.shutdown().await;
}

/// From the process to the client.
async fn take(mut from: tokio::net::unix::OwnedReadHalf, to: mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
        if to.send(bytes).await.is_err() {
            return;
        }
    }
}

/// What the process says of itself: who has come, which is reported, and what failed.
async fn listen(context: Context, output: Option<ChildStdout>) {
    let Some(output) = output else { return };
    let mut lines = BufReader::new(output.take(LINE * LINES as u64)).lines();
    let mut known = None;
    while let Ok(Some(line)) = lines.next_line().await {
        match line.split_once(' ') {
            Some(("known", who)) => known = who.split_once(' ').map(|who| began(&context, who)),
            Some(("failed", why)) => {
                let why = crate::text::cut(&crate::text::ascii(why), LINE as usize);
                context.reporter.console(&format!("console session: {why}"));
            }
            _ => {}
        }
    }
    if let Some((since, key, who)) = known {
        let lasted_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        context.reporter.console(&format!("console: {who} has left"));
        context.reporter.event(None, What::Console { who, key, lasted_ms: Some(lasted_ms) });
    }
}

fn began(context: &Context, (key, who): (&str, &str)) -> (Instant, String, String) {
    let (key, who) = (crate::text::ascii(key).into_owned(), crate::text::ascii(who).into_owned());
    context.reporter.console(&format!("console: {who} has come, with the key {key}"));
    let what = What::Console { who: who.clone(), key: key.clone(), lasted_ms: None };
    context.reporter.event(None, what);
    (Instant::now(), key, who)
}
