//! wait: the server is asked to say when it wants something else; it holds the question for up to four hours, in which
//! pings say whether it is still there.

use super::Phase;
use crate::{backoff::Backoff, context::Context, failure::Failure, http::STALL};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use xenoboot_wire::{
    boot::{Order, WaitReply, WaitRequest},
    timing::{HELD, PACE},
};

const PATH: &str = "/machine/v1/wait";

/// The phase. After a failure the server is asked what to do.
pub const PHASE: Phase = Phase { name: "wait", limit: Some(HELD.saturating_add(STALL)) };

/// Waits until the server wants something else than `generation`.
///
/// # Errors
/// When it cannot be asked: the machine then asks what to do from the beginning.
pub async fn run(context: &Context, generation: u64) -> Result<Order, Failure> {
    PHASE.enter(context);
    changed(context, generation).await
}

async fn changed(context: &Context, generation: u64) -> Result<Order, Failure> {
    loop {
        let began = Instant::now();
        match ask(context, generation).await? {
            Some(order) if order.generation() != generation => return Ok(order),
            Some(order) => {
                // Approval changes no generation; the same answer again must not come in a busy loop.
                sleep_until(began + PACE).await;
                return Ok(order);
            }
            None => sleep_until(began + PACE).await,
        }
    }
}

async fn ask(context: &Context, generation: u64) -> Result<Option<Order>, Failure> {
    let connection = context.server.connected().await;
    let nonce = Context::nonce();
    let request = WaitRequest { nonce, boot: context.boot, generation };
    let patience = PHASE.limit.unwrap_or(HELD);
    let reply: WaitReply = connection.post(PATH, &request, patience).await?;
    let Some(reply) = reply.changed else { return Ok(None) };
    context.accept(nonce, &reply)?;
    context.server.heard(&reply.order);
    Ok(Some(reply.order))
}

/// Waits for `delay`, or until the server wants something else than `generation`: a machine that backs
/// off from a bundle that cannot run shall take a better one at once.
pub async fn pause(context: &Context, delay: Duration, generation: u64) -> Option<Order> {
    let heard = async {
        let mut backoff = Backoff::default();
        loop {
            match changed(context, generation).await {
                Ok(order) if order.generation() != generation => return order,
                // The connection's own failures are shown where it is made.
                Ok(_) | Err(_) => sleep(backoff.failed(None).1).await,
            }
        }
    };
    tokio::select! {
        () = sleep(delay) => None,
        order = heard => Some(order),
    }
}
