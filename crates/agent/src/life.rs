//! The machine's life: what follows what.

use crate::{
    backoff::{self, Backoff},
    context::Context,
    enrolment,
    failure::Failure,
    phase::{Phase, act, contact, fetch, report, run, verify, wait},
    run_state::After,
    status::Next,
};
use tokio::time::sleep;
use xenoboot_wire::{
    Code,
    boot::{Assignment, Order},
};

/// Failures of what the server wants, until it works or the server wants something else.
#[derive(Debug, Default)]
struct Trials {
    contact: Backoff,
    wait: Backoff,
    bundle: Backoff,
    generation: Option<u64>,
}

/// Lives for ever.
pub async fn live(context: Context) {
    let mut trials = Trials::default();
    let mut next = resume(&context).await;
    loop {
        let order = match next.take() {
            Some(order) => order,
            None => ask(&context, &mut trials).await,
        };
        next = obey(&context, &mut trials, order).await;
    }
}

/// What an agent before this one did not bring to its end.
async fn resume(context: &Context) -> Option<Order> {
    let kept = context.kept().get().after;
    let after = match kept {
        Some(after) => after,
        None => run::lost(context).await?,
    };
    finish(context, after).await
}

async fn ask(context: &Context, trials: &mut Trials) -> Order {
    contact::PHASE.enter(context);
    loop {
        match contact::run(context).await {
            Ok(order) => {
                trials.contact.reset();
                context.reporter.works(&["XB-NET", "XB-SRV"]);
                return order;
            }
            Err(failure) => {
                sleep(contact::PHASE.failed(context, &failure, &mut trials.contact)).await;
            }
        }
    }
}

async fn obey(context: &Context, trials: &mut Trials, order: Order) -> Option<Order> {
    if !matches!(order, Order::Pending | Order::Refused) {
        // Of a machine that is not approved a server takes no events.
        context.reporter.hurry();
    }
    match order {
        Order::Pending => {
            if context.enrolment.refused() {
                context.reporter.console("the server does not take the token");
            }
            let next = "it goes on by itself when it is approved, or a token is typed here";
            blocked(context, Code::Pending, Next::Text(next.to_owned()));
            tokio::select! {
                order = watch(context, trials, 0) => order,
                // The server is asked anew, and shown the token.
                () = enrolment::typed(context) => None,
            }
        }
        Order::Refused => {
            blocked(context, Code::Refused, Next::after(backoff::LONGEST));
            wait::PHASE.enter(context);
            wait::pause(context, backoff::LONGEST, 0).await
        }
        Order::Idle { generation } => {
            context.reporter.works(&["XB-NET", "XB-SRV", "XB-BUN", "XB-BLB"]);
            watch(context, trials, generation).await
        }
        Order::Run(assignment) if context.kept().get().done == Some(assignment.generation) => {
            watch(context, trials, assignment.generation).await
        }
        Order::Run(assignment) => execute(context, trials, &assignment).await,
    }
}

/// An operator must do something first. Said once, not each time that the server says it again.
fn blocked(context: &Context, code: Code, next: Next) {
    if context
        .reporter
        .status(|s| s.trouble.as_ref().is_some_and(|t| t.code == code && t.next == next))
    {
        return;
    }
    let print = context.identity.machine.fingerprint();
    let cause = format!("the operator decides: xenoboot machine approve {print}");
    context.reporter.failure(&Failure::new(code, cause), 1, next);
}

async fn watch(context: &Context, trials: &mut Trials, generation: u64) -> Option<Order> {
    match wait::run(context, generation).await {
        Ok(order) => {
            trials.wait.reset();
            if !matches!(order, Order::Pending | Order::Refused) {
                context.reporter.works(&["XB-NET", "XB-SRV"]);
            }
            Some(order)
        }
        Err(failure) => {
            sleep(wait::PHASE.failed(context, &failure, &mut trials.wait)).await;
            None
        }
    }
}

async fn execute(context: &Context, trials: &mut Trials, assignment: &Assignment) -> Option<Order> {
    let generation = assignment.generation;
    if trials.generation != Some(generation) {
        trials.bundle.reset();
        trials.generation = Some(generation);
    }
    let after = match prepare_and_run(context, assignment).await {
        Ok(after) => after,
        Err((phase, failure)) => {
            let delay = phase.failed(context, &failure, &mut trials.bundle);
            return wait::pause(context, delay, generation).await;
        }
    };
    trials.bundle.reset();
    finish(context, after).await
}

async fn prepare_and_run(
    context: &Context,
    assignment: &Assignment,
) -> Result<After, (Phase, Failure)> {
    let manifest = verify::run(context, assignment).await.map_err(|e| (verify::PHASE, e))?;
    context.reporter.works(&["XB-NET", "XB-SRV", "XB-BUN"]);
    fetch::run(context, &manifest).await.map_err(|e| (fetch::PHASE, e))?;
    context.reporter.works(&["XB-BLB"]);
    run::run(context, assignment, manifest).await.map_err(|e| (run::PHASE, e))
}

async fn finish(context: &Context, after: After) -> Option<Order> {
    report::run(context, after).await;
    act::run(context, after).await
}
