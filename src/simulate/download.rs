//! Downloads and nothing else: what a server gives out in a second.

use super::{World, connection::Trouble, keys::Identity, tally::Step};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Most that one download may bring, bytes.
const MOST: usize = 1 << 30;
/// Between tries.
const AGAIN: Duration = Duration::from_secs(1);

/// Fetches `path` on one connection until this is dropped.
pub(super) async fn repeat(world: Arc<World>, identity: Identity, path: String) {
    let mut attempt = 0;
    loop {
        let Err(trouble) = on_one(&world, &identity, &path, attempt).await;
        world.tally.failed(&trouble);
        attempt += 1;
        sleep(AGAIN).await;
    }
}

async fn on_one(
    world: &World,
    identity: &Identity,
    path: &str,
    attempt: u32,
) -> Result<Infallible, Trouble> {
    let tls = world.route.tls(identity).map_err(|e| Trouble::new(e.to_string()))?;
    let connection = world.route.dial(identity.number, attempt, &tls, &world.tally).await?;
    let _connected = world.tally.connect();
    loop {
        let begun = Instant::now();
        let bytes = connection.get(path, MOST).await?;
        world.tally.took(Step::Download, begun.elapsed());
        world.tally.fetched(bytes.len());
    }
}
