//! Killed at any moment, or left by its database, the server has lost nothing that it acknowledged.

use crate::{
    machine::{Machine, Result, line},
    program::{SOON, Server, wait_until},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{runtime::Runtime, time::sleep};
use xenoboot_wire::RunId;

const MACHINES: usize = 8;
/// How often the server is disturbed.
const TIMES: u64 = 8;
/// How many events each machine reports at least.
const LEAST: u64 = 400;

fn text(machine: usize, number: u64) -> String {
    format!("machine {machine} line {number}")
}

/// Reports events in batches of changing size until it is told to stop; what is not acknowledged is sent again. After each
/// failure the server is asked what it has: it must have all that it acknowledged.
async fn report(
    mut machine: Machine,
    number: usize,
    total: Arc<AtomicU64>,
    stop: Arc<AtomicU64>,
) -> u64 {
    let run = run_of(number);
    let (mut acknowledged, mut size) = (0u64, 1);
    loop {
        if acknowledged >= LEAST && stop.load(Relaxed) > 0 {
            return acknowledged;
        }
        size = size % 23 + 1;
        let batch = (acknowledged + 1..=acknowledged + size)
            .map(|n| line(n, run, &text(number, n)))
            .collect();
        match machine.events(batch).await {
            Ok(through) => {
                assert!(through >= acknowledged + size, "{through} of {}", acknowledged + size);
                total.fetch_add(through - acknowledged, Relaxed);
                acknowledged = through;
            }
            Err(_) => acknowledged = after_failure(&mut machine, acknowledged).await,
        }
    }
}

async fn after_failure(machine: &mut Machine, acknowledged: u64) -> u64 {
    loop {
        let stored: Result<u64> = machine.events(Vec::new()).await;
        match stored {
            // More than was acknowledged: the answer was lost, not the events.
            Ok(stored) => {
                assert!(
                    stored >= acknowledged,
                    "{acknowledged} were acknowledged, {stored} are stored"
                );
                return stored;
            }
            Err(_) => {
                machine.turn_to_the_next();
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

fn run_of(machine: usize) -> RunId {
    RunId([u8::try_from(machine).unwrap() + 0x10; 16])
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    all_is_stored_though(&mut [Server::start()], |server| {
        server.kill();
        server.start_again();
    });
}

#[test]
#[ignore = "for PostgreSQL"]
fn postgres_may_end_every_connection() {
    let cut = |server: &mut Server| server.scratch.as_ref().expect("a PostgreSQL").cut();
    all_is_stored_though(&mut [Server::start()], cut);
}

#[test]
#[ignore = "for PostgreSQL"]
fn postgres_has_what_several_servers_acknowledged_that_are_killed() {
    let one = Server::start();
    let two = one.beside();
    all_is_stored_though(&mut [one, two], |server| {
        server.kill();
        server.start_again();
    });
}

/// Machines report to servers of which one after the other is disturbed in the middle of it.
fn all_is_stored_though(servers: &mut [Server], disturb: impl Fn(&mut Server)) {
    let runtime = Runtime::new().unwrap();
    let (total, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut reporters = Vec::new();
    for number in 0..MACHINES {
        let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
        let machine = Machine::new(addresses[number % addresses.len()]);
        let (key, name) = (machine.key.to_string(), format!("m{number}"));
        servers[0].json(&["machine", "approve", "--key", &key, "--name", &name]);
        // It becomes known by its first boot; then it is approved already.
        let mut machine = machine;
        machine.others = addresses;
        runtime.block_on(machine.boot()).unwrap();
        reporters.push(runtime.spawn(report(
            machine,
            number,
            Arc::clone(&total),
            Arc::clone(&stop),
        )));
    }
    for time in 0..TIMES {
        let before = total.load(Relaxed);
        wait_until(|| (total.load(Relaxed) > before + 100).then_some(()));
        let turn = usize::try_from(time).unwrap() % servers.len();
        disturb(&mut servers[turn]);
    }
    stop.store(1, Relaxed);
    for (number, reporter) in reporters.into_iter().enumerate() {
        let ended = runtime.block_on(async { tokio::time::timeout(SOON, reporter).await });
        let acknowledged = ended.expect("it does not end").unwrap();
        let log = servers[0].json(&["run", "log", &run_of(number).to_string()]);
        let stored: Vec<(u64, String)> =
            log["events"].as_array().unwrap().iter().map(entry).collect();
        let wanted: Vec<(u64, String)> = (1..=acknowledged).map(|n| (n, text(number, n))).collect();
        assert!(stored == wanted, "{} are stored of {acknowledged}", stored.len());
    }
}

fn entry(event: &serde_json::Value) -> (u64, String) {
    (event["number"].as_u64().unwrap(), event["what"]["line"]["text"].as_str().unwrap().to_owned())
}
