//! Sends events as soon as there is a connection, in batches, until each is acknowledged.

use crate::{
    backoff::Backoff, failure::Failure, http::Connection, report::Reporter, server::Server,
};
use std::time::Duration;
use tokio::time::Instant;
use xenoboot_wire::{
    BootId, Code,
    event::{EventAck, EventBatch},
};

const PATH: &str = "/machine/v1/events";

/// Batches go out at most this often: a script that prints a thousand lines a second needs twenty
/// requests, not a thousand.
const PACE: Duration = Duration::from_millis(50);

/// For an acknowledgement: the server writes to its disk first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs for ever.
pub async fn run(reporter: Reporter, server: Server, boot: BootId) {
    let mut backoff = Backoff::default();
    loop {
        let connection = server.approved().await;
        match send(&reporter, &connection, boot).await {
            Ok(()) => backoff.reset(),
            Err(failure) => {
                let (attempt, delay) = backoff.failed(failure.retry_after);
                // Not an event: it could not be sent, and would be one more that cannot. Nor after the first
                // attempt: at power-on it may come before the server's word that approval is waited for.
                if attempt == 2 || attempt % 10 == 0 {
                    reporter.console(&format!("events are kept for later ({attempt}): {failure}"));
                }
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = reporter.hurried() => {}
                }
            }
        }
    }
}

/// Sends one batch, when there is one.
async fn send(reporter: &Reporter, connection: &Connection, boot: BootId) -> Result<(), Failure> {
    let events = reporter.batch();
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        // A connection that ends while there is nothing to say must not be held on to.
        tokio::select! {
            () = reporter.more() => {}
            _ = connection.gone() => {}
        }
        return Ok(());
    };
    let (first, last, began) = (first.number, last.number, Instant::now());
    let ack: EventAck = connection.post(PATH, &EventBatch { boot, events }, PATIENCE).await?;
    if ack.through < first {
        let cause =
            format!("events {first} to {last} were sent, and {} is acknowledged", ack.through);
        return Err(Failure::new(Code::BadAnswer, cause));
    }
    reporter.acknowledge(ack.through);
    tokio::time::sleep_until(began + PACE).await;
    Ok(())
}
