//! What a machine has to report: numbered, and kept until the server has it.

use super::{
    connection::{Connection, Trouble},
    tally::{Step, Tally},
};
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, sleep_until};
use xenoboot_wire::{
    BootId, RunId,
    event::{Event, EventAck, EventBatch, MAX_BATCH, What},
};

const PATH: &str = "/machine/v1/events";
/// As the agent has them: between two batches, and for an acknowledgement.
const PACE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);

/// One power-on's events.
pub(super) struct Spool {
    boot: BootId,
    begun: Instant,
    kept: VecDeque<Event>,
    last: u64,
}

impl Spool {
    pub(super) fn new(boot: BootId) -> Self {
        Self { boot, begun: Instant::now(), kept: VecDeque::new(), last: 0 }
    }

    /// Milliseconds since power-on.
    pub(super) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn say(&mut self, run: Option<RunId>, what: What) {
        self.last += 1;
        let at_ms = self.uptime_ms();
        self.kept.push_back(Event { number: self.last, at_ms, run, what });
    }

    pub(super) fn phase(&mut self, name: &str) {
        self.say(None, What::Phase { name: name.to_owned() });
    }

    /// Sends what there is until the server has all of it.
    pub(super) async fn flush(
        &mut self,
        connection: &Connection,
        tally: &Tally,
        machine: u32,
    ) -> Result<(), Trouble> {
        while let Some(first) = self.kept.front().map(|event| event.number) {
            let events: Vec<Event> = self.kept.iter().take(MAX_BATCH).cloned().collect();
            let begun = Instant::now();
            let batch = EventBatch { boot: self.boot, events };
            let ack: EventAck = connection.post(PATH, &batch, PATIENCE).await?;
            tally.took(Step::Events, begun.elapsed());
            if ack.through < first || ack.through > self.last {
                let what = "an acknowledgement of what was not sent";
                return Err(Trouble::new(format!("{PATH}: {what}")));
            }
            while let Some(event) = self.kept.pop_front_if(|event| event.number <= ack.through) {
                if matches!(event.what, What::Line { .. }) {
                    tally.line_stored(machine);
                }
            }
            if !self.kept.is_empty() {
                sleep_until(begun + PACE).await;
            }
        }
        Ok(())
    }
}
