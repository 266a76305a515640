//! Several servers of one PostgreSQL, as processes of their own: any serves any machine, and any may go.

use crate::{
    console::answer,
    machine::{Machine, line},
    program::{SOON, Server, stderr, wait_until},
};
use std::{fs, io::Write, process::Stdio, time::Duration};
use tokio::{runtime::Runtime, time::timeout};
use xenoboot_wire::{BootId, RunId, boot::Order};

/// Sooner than a machine that waits is looked at without being told of anything.
const TOLD: Duration = Duration::from_secs(25);

/// The lock of the one that does what is done by the clock.
const LEAD: i64 = 0x7865_6e6f_6c65_6164;

/// How many have it.
fn leaders(server: &Server) -> usize {
    server.scratch.as_ref().expect("a PostgreSQL").holders(LEAD)
}

#[test]
#[ignore = "for PostgreSQL"]
fn postgres_lets_a_machine_and_an_operator_be_with_different_servers() {
    let one = Server::start();
    let mut two = one.beside();
    let runtime = Runtime::new().unwrap();
    let mut machine = Machine::new(two.address);
    machine.others = vec![two.address, one.address];
    assert_eq!(runtime.block_on(machine.boot()).unwrap().order, Order::Pending);
    let fingerprint = machine.key.fingerprint();

    // What an operator says to one wakes whoever waits at the other.
    let (woken, machine) = runtime.block_on(async {
        // Told already that it is pending, it waits.
        let waiting = tokio::spawn(async move { (machine.wait(0).await, machine) });
        one.text(&["machine", "approve", &fingerprint, "--name", "cupboard"]);
        timeout(TOLD, waiting).await.expect("it was not woken").unwrap()
    });
    let order = woken.unwrap().changed.expect("it is approved").order;
    let Order::Idle { generation } = order else { panic!("{order:?}") };
    let online = || one.json(&["machine", "show", "cupboard"])["online"] == true;
    wait_until(|| online().then_some(()));

    let machine = console(&one, &runtime, machine);
    let machine = copied(&one, &runtime, machine, generation);
    wait_until(|| (leaders(&one) == 1).then_some(()));

    // One server goes, without a word; the machine goes on with the other, and so does what is done by the clock.
    two.kill();
    let mut machine = machine;
    machine.turn_to_the_next();
    let run = RunId([7; 16]);
    let stored = runtime.block_on(machine.events(vec![line(1, run, "hello")])).unwrap();
    assert_eq!(stored, 1);
    let log = one.json(&["run", "log", &run.to_string()]);
    assert_eq!(log["events"].as_array().unwrap().len(), 1);
    wait_until(|| (leaders(&one) == 1).then_some(()));
    two.start_again();
    assert_eq!(two.json(&["run", "log", &run.to_string()])["events"], log["events"]);
}

/// The console, through the server that the machine is not connected to.
fn console(one: &Server, runtime: &Runtime, machine: Machine) -> Machine {
    let echo = runtime.spawn(async move {
        timeout(SOON, answer(&machine)).await.expect("nobody calls").unwrap();
        machine
    });
    let mut proxy = one.command(&["proxy", "cupboard"]);
    let mut proxy =
        proxy.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = proxy.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        input.write_all(&vec![b'x'; 1_000_000]).unwrap();
        input.write_all(b"the end\n").unwrap();
        input
    });
    let done = proxy.wait_with_output().unwrap();
    drop(writer.join().unwrap());
    assert!(done.status.success(), "{}", stderr(&done));
    assert!(done.stdout.len() == 1_000_008 && done.stdout.ends_with(b"XXTHE END\n"));
    runtime.block_on(echo).unwrap()
}

/// A copy of a machine's key at the other server is a copy, not the machine.
fn copied(one: &Server, runtime: &Runtime, mut machine: Machine, generation: u64) -> Machine {
    let mut copy = machine.copy(one.address, BootId([2; 16]));
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let alive = runtime.spawn(async move {
        // It waits, and when it is asked to show that it is alive it asks again.
        loop {
            tokio::select! {
                answer = machine.wait(generation) => drop(answer.unwrap()),
                _ = &mut stopped => break,
            }
        }
        machine
    });
    let refused = runtime.block_on(copy.boot()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("409") && refused.contains("may be a copy"), "{refused}");
    assert_eq!(one.json(&["machine", "show", "cupboard"])["flags"][0]["kind"], "cloned");
    stop.send(()).unwrap();
    runtime.block_on(alive).unwrap()
}

#[test]
#[ignore = "for PostgreSQL"]
fn postgres_is_for_servers_with_the_same_keys() {
    let one = Server::start();
    wait_until(|| (leaders(&one) == 1).then_some(()));
    let url = one.scratch.as_ref().expect("a PostgreSQL").url();
    let folder = one.dir.path().join("other");
    let mut other = std::process::Command::new(env!("CARGO_BIN_EXE_xenoboot"));
    other.args(["serve", "--listen", "127.0.0.1:0", "--database", &url]).arg(&folder);
    let refused = other.output().unwrap();
    let said = stderr(&refused);
    assert!(!refused.status.success() && said.contains("has other keys"), "{said}");
    assert!(said.contains("copy server.key"), "{said}");
    // The token of the one that was there is still good.
    one.json(&["machine", "list"]);
    fs::remove_dir_all(&folder).unwrap();
}

/// Each entry has the hash of the one before: two that were written at once would have the same one.
#[test]
#[ignore = "for PostgreSQL"]
fn postgres_has_one_log_of_what_all_servers_changed() {
    let one = Server::start();
    let two = one.beside();
    let before = one.json(&["audit", "verify"])["entries"].as_u64().unwrap();
    let each = 25;
    std::thread::scope(|scope| {
        for (at, server) in [&one, &two].into_iter().enumerate() {
            for thread in 0..2 {
                scope.spawn(move || {
                    for number in 0..each {
                        let name = format!("t-{at}-{thread}-{number}");
                        server.json(&["token", "new", &name, "--role", "viewer"]);
                    }
                });
            }
        }
    });
    let whole = two.json(&["audit", "verify"]);
    assert_eq!(whole["entries"].as_u64(), Some(before + 4 * each));
}
