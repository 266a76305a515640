//! The console: an SSH server for operators, reached through the machine's own connection to its server.
//!
//! [`door`] leaves a request with the server, and starts a process of its own for each call: what a stranger may reach
//! cannot hurt the agent, nor what it does. In that process [`main`] is the SSH server ([`session`]); it is given
//! the operators' keys by the image and by signed bundles ([`operators`]), and by nobody else.

mod console;
pub mod door;
mod forward;
mod inbox;
mod operators;
mod process;
mod pty;
mod session;

use crate::{identity::Identity, layout::Layout};
use anyhow::Context as _;
use russh::{
    MethodKind, MethodSet, Preferred, SshId,
    keys::{Algorithm, PrivateKey, ssh_key::private::Ed25519Keypair},
    server::{Config, run_stream},
};
use std::{
    borrow::Cow, io::Write as _, os::unix::net::UnixStream, process::ExitCode, sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

pub use operators::adopt;

/// The agent's first argument when it is to be one session's server.
pub const WORD: &str = "console-session";
/// For an operator to prove who he is.
const AUTHENTICATION: Duration = Duration::from_secs(60);
/// A question whether the operator is still there goes out after this silence; three without an answer end the session.
const ALIVE: Duration = Duration::from_secs(20);
const ALIVES: usize = 3;
/// What a channel may hold that has not been taken, bytes.
const WINDOW: u32 = 512 << 10;

/// Serves one session on standard input, which is a socket; says on standard output who it is.
#[must_use]
pub fn main(layout: Layout) -> ExitCode {
    std::panic::set_hook(Box::new(|what| say(&format!("failed {what}"))));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            say(&format!("failed the event loop cannot be made: {e}"));
            return ExitCode::FAILURE;
        }
    };
    let served = runtime.block_on(serve(&layout));
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(&format!("failed {e:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A line for the agent.
fn say(line: &str) {
    let line = line.replace(['\n', '\r'], " ");
    // The agent may have gone; then this process ends with it.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

async fn serve(layout: &Layout) -> anyhow::Result<()> {
    let config = Arc::new(config(layout)?);
    let operators = operators::load(layout)?;
    let stream = UnixStream::from(rustix::io::dup(rustix::stdio::stdin())?);
    stream.set_nonblocking(true)?;
    let stream = tokio::net::UnixStream::from_std(stream)?;
    let (known, is_known) = watch::channel(false);
    let children = process::Children::default();
    let session = session::Session::new(operators, known, layout.clone(), children.clone());
    let begun = timeout(AUTHENTICATION, run_stream(config, stream, session)).await;
    let running = begun.context("nobody began to speak SSH")??;
    let nobody = async {
        sleep(AUTHENTICATION).await;
        if *is_known.borrow() {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        ended = running => ended,
        () = nobody => anyhow::bail!("nobody has proved who he is within {} s", AUTHENTICATION.as_secs()),
    };
    children.hang_up().await;
    // Most sessions end without a farewell: that is no failure.
    if let Err(e) = ended {
        log::debug!("{e}");
    }
    Ok(())
}

fn config(layout: &Layout) -> anyhow::Result<Config> {
    let seed = Identity::load(layout)?.seed()?;
    let host = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    Ok(Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Xenoboot")),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // There are no passwords to be guessed: time tells nothing.
        auth_rejection_time: Duration::ZERO,
        keys: vec![host],
        window_size: WINDOW,
        channel_buffer_size: 32,
        max_auth_attempts: 10,
        inactivity_timeout: None,
        keepalive_interval: Some(ALIVE),
        keepalive_max: ALIVES,
        preferred: Preferred { key: Cow::Borrowed(&[Algorithm::Ed25519]), ..Preferred::DEFAULT },
        ..Config::default()
    })
}
