//! `vi` on a terminal: what one sees, and what is left when the terminal goes away.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod bench;
mod pty;

use bench::Bench;
use pty::Pty;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::PathBuf,
    process::{Child, Command},
};

/// A folder with one file of numbered lines.
struct Desk {
    bench: Bench,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(text: &str) -> Self {
        let desk = Self { bench: Bench::new(), folder: tempfile::tempdir().unwrap() };
        fs::write(desk.file(), text).unwrap();
        desk
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn vi(&self, pty: &Pty, args: &[&str]) -> Child {
        let mut command = Command::new(self.bench.path("vi"));
        command.args(args).arg("file").current_dir(self.folder.path());
        pty.start(command)
    }
}

fn rows(count: usize) -> String {
    (1..=count).map(|n| format!("row {n}\n")).collect()
}

#[test]
fn the_screen_shows_what_is_typed() {
    let desk = Desk::new("one\n\ttwo\x1b[2J\n");
    let mut pty = Pty::new(6, 40);
    let mut vi = desk.vi(&pty, &[]);
    pty.wait_for_text("one\n        twoESC[2J\n~\n~\n~\n\"file\" 2L");
    pty.send("ihello ");
    pty.wait_for_text("-- INSERT --");
    pty.wait_for("the cursor behind the text", |pty| pty.screen().cursor_position() == (0, 6));
    pty.send("\x1b:set nu");
    pty.wait_for_text(":set nu");
    pty.send("\r");
    pty.wait_for_text("      1 hello one\n      2         twoESC");
    pty.send(":q\r");
    pty.wait_for_text("E37: No write since last change");
    pty.send("v2l");
    pty.wait_for_text("-- VISUAL --");
    pty.send("\x1bZZ");
    assert!(pty.end(&mut vi).success());
    assert_eq!(fs::read(desk.file()).unwrap(), b"hello one\n\ttwo\x1b[2J\n");
}

#[test]
fn the_screen_follows_the_cursor_and_the_size() {
    let desk = Desk::new(&rows(200));
    let mut pty = Pty::new(11, 40);
    let mut vi = desk.vi(&pty, &["+50"]);
    let first = |pty: &Pty| pty.text().lines().next().unwrap_or("").to_owned();
    pty.wait_for("line 50", |pty| pty.text().contains("row 50\n"));
    for (keys, top) in [
        ("gg", "row 1"),
        ("\x06", "row 9"),
        ("\x02", "row 1"),
        ("G", "row 191"),
        ("100Gzt", "row 100"),
        ("zb", "row 91"),
        ("\x05", "row 92"),
    ] {
        pty.send(keys);
        pty.wait_for(&format!("{top} after {keys:?}"), |pty| first(pty) == top);
    }
    pty.send("20Gzt");
    pty.wait_for("row 20", |pty| first(pty) == "row 20");
    pty.resize(5, 40);
    kill_process(Pid::from_child(&vi), Signal::WINCH).unwrap();
    pty.wait_for("four rows", |pty| {
        pty.text().contains("row 23\n") && !pty.text().contains("row 24")
    });
    pty.send(":q\r");
    assert!(pty.end(&mut vi).success());
}

#[test]
fn a_signal_saves_what_was_typed() {
    let desk = Desk::new("old\n");
    let mut pty = Pty::new(6, 60);
    let mut vi = desk.vi(&pty, &[]);
    pty.wait_for_text("1L");
    pty.send("Anew");
    pty.wait_for_text("oldnew");
    kill_process(Pid::from_child(&vi), Signal::HUP).unwrap();
    assert_eq!(pty.end(&mut vi).signal(), Some(Signal::HUP.as_raw()));
    let rescue = desk.folder.path().join("file.vi-rescue");
    assert_eq!(fs::read(&rescue).unwrap(), b"oldnew\n");
    assert_eq!(fs::metadata(&rescue).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(desk.file()).unwrap(), b"old\n");
    assert!(String::from_utf8_lossy(&pty.printed).contains("saved to file.vi-rescue"));
}

#[test]
fn pasted_text_is_not_indented_and_is_one_change() {
    let desk = Desk::new("\tx\n");
    let mut pty = Pty::new(8, 40);
    let mut vi = desk.vi(&pty, &["-c", "set ai"]);
    pty.wait_for_text("~");
    pty.send("o");
    pty.wait_for_text("-- INSERT --");
    pty.send("\x1b[200~a\r\tb\rc\x1b[201~\x1b");
    pty.wait_for_text("\nc\n");
    pty.send(":wq\r");
    assert!(pty.end(&mut vi).success());
    assert_eq!(fs::read(desk.file()).unwrap(), b"\tx\n\ta\n\tb\nc\n");
}

#[test]
fn it_gives_the_terminal_back_to_stop() {
    let desk = Desk::new("text\n");
    let mut pty = Pty::new(6, 40);
    let mut vi = desk.vi(&pty, &[]);
    pty.wait_for_text("text\n~");
    let before = pty.printed.len();
    pty.send("\x1a");
    // The leader of a session that has no other job is not stopped: it gives the terminal back and
    // takes it again.
    pty.wait_for("the first screen and the second", |pty| {
        let since = String::from_utf8_lossy(pty.printed.get(before..).unwrap()).into_owned();
        since.contains("\x1b[?1049l") && since.contains("\x1b[?1049h")
    });
    pty.send("x");
    pty.wait_for_text("ext\n~");
    pty.send("ZZ");
    assert!(pty.end(&mut vi).success());
}
