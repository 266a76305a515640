//! report: the server is to have stored the result before the machine goes on.

use super::Phase;
use crate::{context::Context, failure::Failure, run_state::After, status::Next, time::uptime_ms};
use std::time::Duration;
use tokio::time::timeout;
use xenoboot_wire::Code;

/// The phase. When the server is away for this long the machine goes on without it: what the bundle
/// says for afterwards may be what brings the server back.
pub const PHASE: Phase = Phase { name: "report", limit: Some(Duration::from_secs(300)) };

/// Waits until the server has stored the result.
pub async fn run(context: &Context, after: After) {
    PHASE.enter(context);
    let stored = context.reporter.stored(after.event);
    let waited = Duration::from_millis(uptime_ms().saturating_sub(after.ended_ms));
    let limit = PHASE.limit.unwrap_or(Duration::MAX).saturating_sub(waited);
    let mut stop = context.stop.clone();
    tokio::select! {
        outcome = timeout(limit, stored) => if outcome.is_err() {
            let cause = format!("the server has not stored the result of the run for {} s", limit.as_secs());
            let next = Next::Text("going on without the server".to_owned());
            context.reporter.failure(&Failure::new(Code::ConnectTimeout, cause), 1, next);
        },
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
