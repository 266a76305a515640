//! The shell as someone uses it who types.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod bench;
mod pty;

use bench::Bench;
use pty::Pty;
use rustix::termios::LocalModes;
use std::process::{Child, Command};

fn start(pty: &Pty, bench: &Bench) -> Child {
    let mut command = Command::new(bench.path("sh"));
    let path = format!("{}:/usr/bin:/bin", bench.folder().display());
    command
        .args(["--norc", "-i"])
        .env_clear()
        .env("PATH", path)
        .env("PS1", "$ ")
        .current_dir(bench.folder());
    pty.start(command)
}

/// The last line on the screen that is not empty.
fn last(pty: &Pty) -> String {
    pty.text().lines().rfind(|line| !line.is_empty()).unwrap_or("").to_owned()
}

fn wait_for_prompt(pty: &mut Pty) {
    pty.wait_for("prompt", |pty| last(pty).trim_end() == "$");
}

/// Whether Ctrl-C is a signal now.
fn is_cooked(pty: &Pty) -> bool {
    pty.settings().local_modes.contains(LocalModes::ISIG)
}

/// Waits for the prompt below a line.
fn until_prompt(pty: &mut Pty, what: &str) {
    pty.wait_for(what, |pty| {
        let text = pty.text();
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        matches!(lines.as_slice(), [.., before, prompt] if before.trim_end() == what && prompt.trim_end() == "$")
    });
}

#[test]
fn lines_are_edited_and_remembered() {
    let bench = Bench::new();
    let mut pty = Pty::new(24, 60);
    let mut shell = start(&pty, &bench);
    wait_for_prompt(&mut pty);
    pty.send("ehco one\x01\x1b[C\x1b[C\x14\x05 two\r");
    until_prompt(&mut pty, "one two");
    pty.send("\x1b[A\x17three\r");
    until_prompt(&mut pty, "one three");
    pty.send("\x12one t\x12\x05 four\r");
    until_prompt(&mut pty, "one two four");
    // A line longer than the screen is wide, with something put into its middle.
    let long = "x".repeat(70);
    pty.send(&format!("echo {long} | wc -c\x01\x1bf\x1bf\x02y\r"));
    until_prompt(&mut pty, "72");
    pty.send("nonsense\x15echo gone\x0b\x19 $?\r");
    until_prompt(&mut pty, "gonenonsense 0");
    pty.send("\x04");
    assert!(pty.end(&mut shell).success());
}

#[test]
fn names_are_completed() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("some-folder")).unwrap();
    std::fs::write(folder.path().join("some-folder/file-one"), "1\n").unwrap();
    std::fs::write(folder.path().join("some-folder/file-two"), "2\n").unwrap();
    let mut pty = Pty::new(24, 100);
    let mut shell = start(&pty, &bench);
    wait_for_prompt(&mut pty);
    pty.send(&format!("cd {}\r", folder.path().display()));
    pty.send("cat some\tf\t\t");
    pty.wait_for_text("file-one  file-two");
    pty.send("tw\t\r");
    until_prompt(&mut pty, "2");
    pty.send("exit 3\r");
    assert_eq!(pty.end(&mut shell).code(), Some(3));
}

#[test]
fn what_runs_is_interrupted_and_stopped() {
    let bench = Bench::new();
    let mut pty = Pty::new(24, 60);
    let mut shell = start(&pty, &bench);
    wait_for_prompt(&mut pty);
    pty.send("while :; do sleep 60; done\r");
    pty.wait_for("sleep", |pty| pty.foreground() == "sleep");
    pty.send("\x03");
    wait_for_prompt(&mut pty);
    pty.send("echo $?\r");
    until_prompt(&mut pty, "130");
    pty.send("sleep 61 | cat\r");
    pty.wait_for("sleep", |pty| pty.foreground() == "sleep");
    pty.send("\x1a");
    pty.wait_for_text("Stopped                 sleep 61 | cat");
    wait_for_prompt(&mut pty);
    pty.send("bg\r");
    pty.wait_for_text("[1] sleep 61 | cat");
    wait_for_prompt(&mut pty);
    pty.send("jobs\r");
    pty.wait_for_text("[1]+  Running                 sleep 61 | cat &");
    wait_for_prompt(&mut pty);
    pty.send("fg\r");
    pty.wait_for("sleep", |pty| pty.foreground() == "sleep");
    pty.send("\x03");
    wait_for_prompt(&mut pty);
    pty.send("while :; do :; done\r");
    // It runs once the line is no longer edited.
    pty.wait_for("loop", |pty| last(pty).ends_with("done") && is_cooked(pty));
    pty.send("\x03");
    wait_for_prompt(&mut pty);
    pty.send("sh -c 'kill -9 $$' &\r");
    wait_for_prompt(&mut pty);
    pty.send("wait; jobs; echo over\r");
    pty.wait_for_text("over");
    pty.send("exit\r");
    assert!(pty.end(&mut shell).success());
}

#[test]
fn what_is_typed_ahead_is_for_the_command() {
    let bench = Bench::new();
    let mut pty = Pty::new(24, 60);
    let mut shell = start(&pty, &bench);
    wait_for_prompt(&mut pty);
    pty.send("read line; echo \"<$line>\"\rfor me\recho \"two\rlines\"\r");
    pty.wait_for_text("<for me>");
    until_prompt(&mut pty, "lines");
    pty.send("exit\r");
    assert!(pty.end(&mut shell).success());
}
