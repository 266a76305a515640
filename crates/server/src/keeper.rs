//! What is done when its time has come, and nobody asks.

use crate::{api::Kind, notify, power, server::Shared, store::Removed};
use std::{sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often it is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// How often machines are looked for that have fallen silent.
const SILENCE: u32 = 5;

/// How often what need not be kept is removed; the first time soon after the start.
const TIDY: Duration = Duration::from_secs(3600);
const FIRST_TIDY: Duration = Duration::from_secs(60);

/// Removes what need not be kept, for ever.
pub(crate) async fn tidy(shared: &Shared) {
    sleep(FIRST_TIDY).await;
    loop {
        if shared.leads() {
            match shared.store.tidy().await {
                Ok(removed) if removed == Removed::default() => {}
                Ok(removed) => tracing::info!(?removed, "old logs and runs were removed"),
                Err(error) => tracing::warn!(%error, "old logs and runs could not be removed"),
            }
        }
        sleep(TIDY).await;
    }
}

/// Tells of machines that have fallen silent.
async fn silent(shared: &Shared) {
    let machines = match shared.store.fallen_silent().await {
        Ok(machines) => machines,
        Err(error) => return tracing::warn!(%error, "silent machines could not be looked for"),
    };
    for machine in machines {
        let key = shared.store.key_of(machine).await.ok().flatten();
        if !key.is_some_and(|key| shared.hub.online(&key)) {
            notify::tell(shared, machine, Kind::Silent, "nothing is heard of it any more").await;
        }
    }
}

/// Works for ever, where this server is the one for that.
pub(crate) async fn run(shared: &Arc<Shared>) {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut count = 0u32;
    loop {
        tick.tick().await;
        if !shared.leads() {
            continue;
        }
        count = count.wrapping_add(1);
        if count.is_multiple_of(SILENCE) {
            silent(shared).await;
        }
        let confirmations = shared.store.expire_confirmations().await;
        if let Err(error) = power::bring_back(shared).await {
            tracing::warn!(%error, "machines that did not come back could not be looked for");
        }
        let retries = shared.store.retry().await;
        for changed in [confirmations, retries] {
            match changed {
                Ok(changed) => shared.hub.orders(&changed),
                Err(error) => tracing::warn!(%error, "what is due could not be done"),
            }
        }
    }
}
