//! Full-screen commands, as one sees them on a terminal.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod bench;
mod pty;

use bench::Bench;
use pty::Pty;
use rustix::{
    process::{Pid, Signal, kill_process},
    termios::LocalModes,
};
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, Stdio},
};

fn start(pty: &Pty, bench: &Bench, name: &str, args: &[&str]) -> Child {
    let mut command = Command::new(bench.path(name));
    let path = format!("{}:/usr/bin:/bin", bench.folder().display());
    command.args(args).env("PATH", path);
    pty.start(command)
}

/// Lines `row 1` to `row N` in a file.
fn numbered(count: usize) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text: String = (1..=count).map(|n| format!("row {n}\n")).collect();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn name(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

fn first(pty: &Pty) -> String {
    pty.text().lines().next().unwrap_or("").to_owned()
}

fn is_sane(pty: &Pty) -> bool {
    pty.settings().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
}

#[test]
fn reset_makes_a_terminal_sane() {
    let bench = Bench::new();
    let mut pty = Pty::new(5, 40);
    let raw = Command::new("/usr/bin/stty")
        .args(["raw", "-echo", "intr", "x"])
        .stdin(pty.line.try_clone().unwrap())
        .status();
    assert!(raw.unwrap().success());
    assert!(!is_sane(&pty));
    assert!(pty.end(&mut start(&pty, &bench, "reset", &[])).success());
    assert!(is_sane(&pty));
    assert!(pty.printed.starts_with(b"\x1bc"));
}

#[test]
fn less_goes_everywhere() {
    let bench = Bench::new();
    let file = numbered(100);
    let mut pty = Pty::new(11, 40);
    let mut less = start(&pty, &bench, "less", &[name(&file)]);
    pty.wait_for_text("row 10\n");
    for (keys, top) in [
        (" ", "row 11"),
        ("b", "row 1"),
        ("j", "row 2"),
        ("3j", "row 5"),
        ("k", "row 4"),
        ("d", "row 9"),
        ("u", "row 4"),
        ("G", "row 91"),
        ("g", "row 1"),
        ("42g", "row 42"),
        ("50%", "row 51"),
        ("/row 7\r", "row 70"),
        ("n", "row 71"),
        ("N", "row 70"),
        ("?row 6\r", "row 69"),
        ("\x1b[B", "row 70"),
        ("\x1b[5~", "row 60"),
    ] {
        pty.send(keys);
        pty.wait_for(&format!("{top} after {keys:?}"), |pty| first(pty) == top);
    }
    pty.send("/nowhere\r");
    pty.wait_for_text("Pattern not found");
    assert!(!is_sane(&pty));
    pty.send("q");
    assert!(pty.end(&mut less).success());
    assert!(is_sane(&pty));
}

#[test]
fn less_shows_hits_and_the_end() {
    let bench = Bench::new();
    let file = numbered(30);
    let mut pty = Pty::new(11, 40);
    let mut less = start(&pty, &bench, "less", &["+/row 25", name(&file)]);
    pty.wait_for_text("(END)");
    pty.wait_for("a reversed hit", |pty| {
        let row = pty.text().lines().position(|line| line == "row 25").unwrap_or(0);
        pty.screen().cell(u16::try_from(row).unwrap(), 0).is_some_and(vt100::Cell::inverse)
    });
    pty.resize(6, 40);
    kill_process(Pid::from_child(&less), Signal::WINCH).unwrap();
    pty.send("g");
    pty.wait_for("a smaller screen", |pty| {
        pty.text().starts_with("row 1\n") && !pty.text().contains("row 6")
    });
    pty.send("q");
    assert!(pty.end(&mut less).success());
}

#[test]
fn nothing_of_a_file_commands_the_terminal() {
    let bench = Bench::new();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"\x1b]0;title\x07\x1b[31mred\x1b[m\x01\xff\x9b2J\n\xe2\x80\xaeend\n").unwrap();
    for (options, shown) in [("-X", "ESC[31mredESC[m^A<FF><9B>2J"), ("-XR", "red^A<FF><9B>2J")] {
        let mut pty = Pty::new(5, 80);
        let mut less = start(&pty, &bench, "less", &[options, name(&file)]);
        pty.wait_for_text(&format!("ESC]0;title^G{shown}\n<U+202E>end"));
        pty.send("q");
        assert!(pty.end(&mut less).success());
        assert!(!pty.printed.windows(2).any(|two| two == b"\x1b]"));
        assert!(!pty.printed.contains(&7) && !pty.printed.contains(&0xff));
    }
}

#[test]
fn less_reads_no_further_than_it_shows() {
    let bench = Bench::new();
    let mut pty = Pty::new(11, 40);
    let mut yes = Command::new("/usr/bin/yes").stdout(Stdio::piped()).spawn().unwrap();
    let mut less = Command::new(bench.path("less"));
    less.stdin(yes.stdout.take().unwrap()).stdout(pty.line.try_clone().unwrap());
    let mut less = pty.start_on_session(less);
    pty.wait_for_text("y\ny\ny\n");
    pty.send("q");
    assert!(pty.end(&mut less).success());
    // The pipe broke: nobody has read all of it.
    assert_eq!(yes.wait().unwrap().signal(), Some(Signal::PIPE.as_raw()));
}

#[test]
fn less_follows_a_file_that_grows() {
    let bench = Bench::new();
    let file = numbered(5);
    let mut pty = Pty::new(11, 60);
    let mut less = start(&pty, &bench, "less", &["+F", name(&file)]);
    pty.wait_for_text("Waiting for data");
    OpenOptions::new().append(true).open(file.path()).unwrap().write_all(b"news\n").unwrap();
    pty.wait_for_text("row 5\nnews");
    pty.send("\x03");
    pty.wait_for_text("(END)");
    pty.send("q");
    assert!(pty.end(&mut less).success());
}

#[test]
fn less_goes_to_the_end_of_a_huge_file() {
    let bench = Bench::new();
    let file = numbered(3);
    // A hole of a tebibyte.
    let huge = OpenOptions::new().write(true).open(file.path()).unwrap();
    huge.set_len(1 << 40).unwrap();
    let mut pty = Pty::new(11, 60);
    let mut less = start(&pty, &bench, "less", &[name(&file)]);
    pty.wait_for_text("row 3");
    pty.send("G");
    pty.wait_for_text("(END)");
    pty.send("g");
    pty.wait_for_text("row 3");
    pty.send("q");
    assert!(pty.end(&mut less).success());
}

#[test]
fn options_of_less() {
    let bench = Bench::new();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{}end\nb", "long ".repeat(10)).unwrap();
    let path = name(&file);
    let mut pty = Pty::new(8, 30);
    let mut less = start(&pty, &bench, "less", &["-SN", path]);
    pty.wait_for_text("      1 long long long long lo\n      2 b\n~");
    pty.send("-S");
    pty.wait_for_text("        ng long long long long\n");
    pty.send("q");
    assert!(pty.end(&mut less).success());
    // Fits: printed, and that is all.
    let mut pty = Pty::new(8, 30);
    assert!(pty.end(&mut start(&pty, &bench, "less", &["-F", path])).success());
    assert!(pty.text().contains("end\nb"));
    assert!(!pty.text().contains("(END)"));
}

#[test]
fn signals_give_the_terminal_back() {
    let bench = Bench::new();
    let file = numbered(100);
    let mut pty = Pty::new(11, 40);
    let mut less = start(&pty, &bench, "less", &[name(&file)]);
    pty.wait_for_text("row 10\n");
    assert!(!is_sane(&pty));
    kill_process(Pid::from_child(&less), Signal::TERM).unwrap();
    assert_eq!(pty.end(&mut less).signal(), Some(Signal::TERM.as_raw()));
    assert!(is_sane(&pty));
}

#[test]
fn more_ends_at_the_end() {
    let bench = Bench::new();
    let file = numbered(25);
    let mut pty = Pty::new(11, 40);
    let mut more = start(&pty, &bench, "more", &[name(&file)]);
    pty.wait_for_text("row 10\n--More--(");
    pty.send("\r");
    pty.wait_for_text("row 11\n--More--(");
    pty.send("/row 14\r");
    pty.wait_for("row 14", |pty| first(pty) == "row 14");
    pty.send(" ");
    assert!(pty.end(&mut more).success());
    assert!(pty.text().contains("row 25"));
    let short = numbered(3);
    let mut pty = Pty::new(11, 40);
    assert!(pty.end(&mut start(&pty, &bench, "more", &[name(&short)])).success());
    assert_eq!(pty.text().trim_end(), "row 1\nrow 2\nrow 3");
}

#[test]
fn watch_shows_ends_and_fails() {
    let bench = Bench::new();
    let file = numbered(2);
    let path = name(&file);
    let mut pty = Pty::new(10, 60);
    let mut watch = start(&pty, &bench, "watch", &["-n", "0.1", "-g", "cat", path]);
    pty.wait_for_text("Every 0.1s: cat");
    pty.wait_for_text("\n\nrow 1\nrow 2");
    fs::write(path, "other\n").unwrap();
    assert!(pty.end(&mut watch).success());
    assert!(is_sane(&pty));
    let mut pty = Pty::new(10, 60);
    let mut watch = start(&pty, &bench, "watch", &["-t", "-e", "-n", "60", "echo bad; exit 3"]);
    pty.wait_for_text("bad");
    pty.wait_for_text("press a key to exit");
    pty.send(" ");
    assert_eq!(pty.end(&mut watch).code(), Some(8));
    let mut pty = Pty::new(10, 60);
    let mut watch = start(&pty, &bench, "watch", &["-n", "60", "-x", "echo", "$HOME"]);
    pty.wait_for_text("\n$HOME");
    pty.send("\x03");
    assert!(pty.end(&mut watch).success());
}

#[test]
fn watch_marks_what_has_changed() {
    let bench = Bench::new();
    let file = numbered(1);
    let mut pty = Pty::new(10, 60);
    let mut watch = start(&pty, &bench, "watch", &["-t", "-d", "-n", "0.1", "cat", name(&file)]);
    pty.wait_for_text("row 1");
    assert!(!pty.screen().cell(0, 4).unwrap().inverse());
    let mut turn = 1;
    pty.wait_for("a reversed digit", |pty| {
        turn += 1;
        fs::write(file.path(), format!("row {}\n", turn % 10)).unwrap();
        let is = |column| pty.screen().cell(0, column).is_some_and(vt100::Cell::inverse);
        is(4) && !is(0)
    });
    pty.send("q");
    assert!(pty.end(&mut watch).success());
}
