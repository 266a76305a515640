//! act: what the bundle's manifest says for afterwards.

use super::{Phase, wait};
use crate::{
    context::Context,
    failure::Failure,
    init::Tell,
    run_state::{Act, After},
    status::Next,
    time::uptime_ms,
};
use std::time::Duration;
use xenoboot_wire::{Code, boot::Order};

/// The phase. init has this long to begin with what it was asked for, then it is asked again.
pub const PHASE: Phase = Phase { name: "act", limit: Some(Duration::from_secs(30)) };

/// Does it. What the server wants next, when that is known.
pub async fn run(context: &Context, after: After) -> Option<Order> {
    PHASE.enter(context);
    context.reporter.after_script(match after.act {
        Act::Reboot => "the machine reboots",
        Act::PowerOff => "the machine is switched off",
        Act::RunAgain { .. } => "the bundle runs again later",
        Act::Wait => "waiting for another assignment",
        Act::Kexec { .. } => "the loaded kernel is started",
    });
    let order = match after.act {
        Act::Reboot => end(context, Tell::Reboot).await,
        Act::PowerOff => end(context, Tell::PowerOff).await,
        Act::Kexec { watchdog_s } => end(context, Tell::Kexec { watchdog_s }).await,
        Act::Wait => None,
        Act::RunAgain { after_s } => {
            let generation = context.kept().get().done.unwrap_or(0);
            let due = after.ended_ms.saturating_add(after_s.saturating_mul(1000));
            let delay = Duration::from_millis(due.saturating_sub(uptime_ms()));
            context.reporter.console(&format!("it runs again in {} s", delay.as_secs()));
            let order = wait::pause(context, delay, generation).await;
            if order.is_none() {
                forget(context, |state| state.done = None);
            }
            order
        }
    };
    forget(context, |state| state.after = None);
    order
}

fn forget(context: &Context, change: impl FnOnce(&mut crate::run_state::State)) {
    let kept = context.kept().change(change);
    if let Err(e) = kept {
        context.reporter.say(None, &format!("the agent's state cannot be kept: {e}"));
    }
}

/// Asks init until it says `stop`, which ends the agent. Without init there is nobody to ask.
async fn end(context: &Context, what: Tell) -> Option<Order> {
    let word = match what {
        Tell::Kexec { .. } => "leaves for the loaded kernel",
        Tell::PowerOff => "is switched off",
        Tell::Reboot | Tell::Alive => "reboots",
    };
    context.reporter.console(&format!("the machine {word}"));
    let mut attempt = 0;
    loop {
        if !context.init.is_there() {
            context.reporter.console("there is no init to ask: waiting instead");
            return None;
        }
        let asked = context.init.tell(what);
        tokio::time::sleep(PHASE.limit.unwrap_or_default()).await;
        attempt += 1;
        let cause =
            if asked { "init does not begin to shut down" } else { "init does not take messages" };
        let next = Next::Text("asking init again".to_owned());
        context.reporter.failure(&Failure::new(Code::AgentSilent, cause), attempt, next);
    }
}
