//! Waiting for something to become true: never a bare sleep.

use anyhow::{Result, bail};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long to wait for what a booting machine does. Without hardware virtualisation, and with another
/// machine beside it, a boot from CD takes about half a minute; a time limit is there to end a failure.
pub const BOOT: Duration = Duration::from_secs(180);

/// How long to wait for what a running machine does at once.
pub const SOON: Duration = Duration::from_secs(60);

/// How long to wait for what happens between two retries of a machine (at most 60 s apart).
pub const RETRY: Duration = Duration::from_secs(150);

/// Asks `poll` every 50 ms until it has an answer. Errors when `limit` has passed, with `what` was awaited,
/// or when `poll` fails.
pub fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut poll: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = poll()? {
            return Ok(answer);
        }
        if start.elapsed() > limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
}
