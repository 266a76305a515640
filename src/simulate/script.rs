//! What a simulated script says, which is known beforehand, so that its log can be checked.

use super::spool::Spool;
use xenoboot_wire::{
    Digest, RunId,
    boot::Outcome,
    event::{Source, What},
};

/// The text of a line of a run, from 0 on.
pub(super) fn line(run: &RunId, number: u32) -> String {
    format!("run {run} says line {number}")
}

/// How far a script is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Started,
    HalfDone,
    Ended,
}

/// A run under way.
pub(super) struct Script {
    pub(super) run: RunId,
    pub(super) generation: u64,
    lines: u32,
    stage: Stage,
}

/// What follows when something was said.
pub(super) enum Next {
    /// The script works for a while.
    Works,
    /// There is more to say.
    Speaks,
    /// It is over.
    Over,
}

impl Script {
    /// Begins a run of a bundle.
    pub(super) fn begin(
        spool: &mut Spool,
        (run, generation): (RunId, u64),
        (bundle, name, serial): (Digest, &str, u64),
        lines: u32,
    ) -> Self {
        spool.phase("run");
        let (name, generation_said) = (name.to_owned(), Some(generation));
        let started = What::RunStarted { bundle, name, serial, generation: generation_said };
        spool.say(Some(run), started);
        Self { run, generation, lines, stage: Stage::Started }
    }

    /// Says what comes next.
    pub(super) fn go_on(&mut self, spool: &mut Spool) -> Next {
        let run = Some(self.run);
        match self.stage {
            Stage::Started => {
                spool.say(run, What::Progress { percent: 50, text: "half of it".to_owned() });
                self.print(spool, 0, self.lines / 2);
                self.stage = Stage::HalfDone;
                Next::Works
            }
            Stage::HalfDone => {
                self.print(spool, self.lines / 2, self.lines);
                spool.say(
                    run,
                    What::Report { key: "lines".to_owned(), value: self.lines.to_string() },
                );
                let duration_ms = 1000;
                spool.say(run, What::RunEnded { outcome: Outcome::Succeeded, duration_ms });
                spool.phase("report");
                self.stage = Stage::Ended;
                Next::Speaks
            }
            Stage::Ended => {
                spool.phase("act");
                spool.phase("wait");
                Next::Over
            }
        }
    }

    fn print(&self, spool: &mut Spool, from: u32, to: u32) {
        for number in from..to {
            let text = line(&self.run, number);
            spool.say(Some(self.run), What::Line { source: Source::Stdout, text });
        }
    }
}
