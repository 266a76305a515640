//! Real processes stand for the agent: shell scripts that write to descriptor 3.
use super::*;
use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::Path};

/// Turns the agent's part of the loop until `done`, at most 20 s.
fn until(agent: &mut Agent, mut done: impl FnMut(&mut Agent, Option<Asked>) -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        let now = Instant::now();
        agent.tick(now, true);
        let asked = agent.read(now);
        agent.child_died(now);
        if done(agent, asked) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("not within 20 s: {agent:?}");
}

fn script(dir: &Path, body: &str) -> String {
    // Number 3 must be open here, as it is in init.
    let held = fs::File::open("/dev/null").unwrap();
    std::mem::forget(held);
    let path = dir.join("agent");
    let mut file = fs::File::create(&path).unwrap();
    write!(file, "#!/bin/sh\n{body}\n").unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_it_may_ask_for() {
    let asked = |end, watchdog| Some(Asked { end, watchdog });
    assert_eq!(Asked::parse("reboot"), asked(End::Reboot, None));
    assert_eq!(Asked::parse("poweroff"), asked(End::PowerOff, None));
    let minute = Some(Duration::from_secs(60));
    assert_eq!(Asked::parse("kexec 60"), asked(End::Kexec, minute));
    for unknown in ["", "kexec", "kexec x", "kexec -1", "halt", "reboot now"] {
        assert_eq!(Asked::parse(unknown), None, "{unknown}");
    }
}

#[test]
fn alive_then_asks_then_stops() {
    let dir = tempfile::tempdir().unwrap();
    // Stays until it is told to stop, through its socket.
    let body = "printf alive >&3; printf reboot >&3; dd bs=64 count=1 <&3 2>/dev/null; exit 0";
    let mut agent = Agent::new(&script(dir.path(), body), "/dev/null", Instant::now());
    until(&mut agent, |_, asked| asked == Asked::parse("reboot"));
    let now = Instant::now();
    assert!(agent.alive(now));
    assert!(!agent.alive(now + ALIVE_WITHIN), "silent since");
    agent.stop();
    until(&mut agent, |agent, _| agent.gone());
    assert_eq!(agent.next_start(), None, "not started again");
}

#[test]
fn dies_and_is_started_again_later_and_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), "echo last words >&2; exit 3");
    let last = dir.path().join("last");
    let mut agent = Agent::new(&path, last.to_str().unwrap(), Instant::now());
    let mut deaths: Vec<Instant> = Vec::new();
    until(&mut agent, |agent, _| {
        if agent.gone() && agent.next_start().is_some_and(|next| deaths.last() != Some(&next)) {
            deaths.extend(agent.next_start());
        }
        deaths.len() == 4
    });
    let text = fs::read_to_string(last).unwrap();
    let (head, rest) = text.split_once('\n').unwrap();
    assert!(head.starts_with("the agent exited with status 3 after 0."), "{head}");
    assert_eq!(rest, "last words\n");
    let gaps: Vec<_> = deaths.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] >= Duration::from_millis(400), "{gaps:?}");
    assert!(gaps[2] >= Duration::from_millis(1600), "{gaps:?}");
    assert!(agent.alive(Instant::now()), "it may still come to life");
    agent.unproven = MOST_UNPROVEN + 1;
    assert!(!agent.alive(Instant::now()), "it died too often without a sign of life");
}

#[test]
fn one_that_is_not_there_is_tried_again() {
    let mut agent = Agent::new("/nonexistent/agent", "/dev/null", Instant::now());
    agent.tick(Instant::now(), true);
    assert!(agent.gone() && agent.next_start().is_some());
}
