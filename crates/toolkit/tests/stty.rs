//! `stty` on a terminal does and prints what GNU's does there.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod bench;
mod pty;

use bench::Bench;
use pty::Pty;
use std::{path::Path, process::Command};

/// Command lines, run one after the other on one terminal.
const CASES: &[&[&str]] = &[
    &["500:5:bf:8a3b:4:1c:7f:15:4:0:1:0:11:13:1a:0:12:f:17:16:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0"],
    &["sane"],
    &["raw"],
    &["-raw"],
    &["cooked"],
    &["-cooked"],
    &["cbreak", "-echo"],
    &["-cbreak", "echo"],
    &["intr", "^X", "quit", "undef", "erase", "^H", "kill", "@", "eol", "0x41", "eol2", "0377"],
    &["swtch", "^-", "susp", "200", "min", "5", "time", "10"],
    &["-icanon"],
    &["sane"],
    &["rows", "33", "cols", "45"],
    &["rows", "0x20", "columns", "132"],
    &["9600"],
    &["115200", "cs7", "parenb", "parodd", "cstopb", "-crtscts"],
    &["ispeed", "19200", "ospeed", "19200"],
    &["300", "-hupcl", "clocal"],
    &["exta"],
    &["evenp"],
    &["-evenp"],
    &["oddp"],
    &["parity"],
    &["-parity"],
    &["nl"],
    &["-nl"],
    &["ek"],
    &["pass8"],
    &["-pass8"],
    &["litout"],
    &["-litout"],
    &["decctlq"],
    &["-decctlq"],
    &["tabs"],
    &["-tabs"],
    &["lcase"],
    &["-LCASE"],
    &["crt"],
    &["dec"],
    &["iutf8", "ixoff", "ixany", "-imaxbel", "tandem"],
    &["tab1", "cr2", "nl1", "ff1", "vt1", "bs1"],
    &["tab0", "cr0", "nl0", "ff0", "vt0", "bs0"],
    &["-crterase", "-ctlecho", "-crtkill", "prterase"],
    &["-drain", "echo"],
    &["size"],
    &["speed"],
    &["echo", "size", "speed"],
    // What cannot be changes nothing.
    &["foo"],
    &["-foo"],
    &["-echo", "foo"],
    &["rows"],
    &["rows", "x"],
    &["-rows", "3"],
    &["intr"],
    &["intr", "999"],
    &["min", "300"],
    &["-sane"],
    &["-cs8"],
    &["500:5"],
    &["ispeed"],
    &["12345"],
];

/// The output of a command, its standard error, and its status.
fn run(program: &Path, pty: &Pty, args: &[&str]) -> (String, String, Option<i32>) {
    let mut command = Command::new(program);
    command.args(args).stdin(pty.line.try_clone().unwrap()).env("LC_ALL", "C");
    command.env_remove("COLUMNS");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    // GNU's has a second line: where help is.
    let error = text(output.stderr).lines().next().unwrap_or("").replace("/usr/bin/", "");
    (text(output.stdout), error, output.status.code())
}

#[test]
fn it_does_what_the_original_does() {
    let bench = Bench::new();
    let (ours, theirs) = (bench.path("stty"), Path::new("/usr/bin/stty"));
    let (mine, original) = (Pty::new(24, 80), Pty::new(24, 80));
    for case in CASES {
        assert_eq!(run(&ours, &mine, case), run(theirs, &original, case), "{case:?}");
        // Either shows both terminals alike: what was set, and what is said of it.
        for show in [&["-a"][..], &["-g"], &[], &["size"], &["speed"]] {
            let shown = run(&ours, &mine, show);
            assert_eq!(shown, run(theirs, &mine, show), "{show:?} after {case:?}");
            assert_eq!(shown, run(theirs, &original, show), "{show:?} after {case:?}");
        }
    }
}

#[test]
fn what_was_saved_comes_back() {
    let bench = Bench::new();
    let (stty, pty) = (bench.path("stty"), Pty::new(24, 80));
    let (before, _, _) = run(&stty, &pty, &["-g"]);
    run(&stty, &pty, &["raw", "-echo", "9600", "intr", "x"]);
    assert_ne!(run(&stty, &pty, &["-g"]).0, before);
    assert_eq!(run(&stty, &pty, &[before.trim()]).2, Some(0));
    assert_eq!(run(&stty, &pty, &["-g"]).0, before);
}

#[test]
fn lines_are_as_wide_as_the_environment_says() {
    let bench = Bench::new();
    let pty = Pty::new(24, 80);
    let wide = |program: &Path| {
        let mut command = Command::new(program);
        command.arg("-a").stdin(pty.line.try_clone().unwrap()).env("COLUMNS", "40");
        command.output().unwrap().stdout
    };
    assert_eq!(wide(&bench.path("stty")), wide(Path::new("/usr/bin/stty")));
}
