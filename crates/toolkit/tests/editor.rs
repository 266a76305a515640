//! The same keys for `vi` and for Debian's `vim.tiny`: the files they write must be the same.
//!
//! Cases are in `editor/keys.txt`:
//!
//! ```text
//! # a remark
//! < one two\nthree\n       the text of the cases below, with \n, \t, \\ and \xHH
//! $ dwj.                   one case: keys; <Esc>, <CR>, <C-R>, <BS>, <Tab>, <lt> are keys, too
//! ~ why                    the next case differs, for this reason; the test fails when it agrees
//! ```
//!
//! After the keys both write the text to another file and end.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod bench;

use bench::Bench;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

struct Case {
    text: Vec<u8>,
    keys: String,
    /// Why it is known to differ.
    known: Option<String>,
}

fn cases(list: &str) -> Vec<Case> {
    let (mut cases, mut text, mut known) = (Vec::new(), Vec::new(), None);
    for line in list.lines() {
        match line.split_once(' ') {
            Some(("<", written)) => text = bytes_of(written),
            Some(("~", reason)) => known = Some(reason.to_owned()),
            Some(("$", keys)) => {
                cases.push(Case { text: text.clone(), keys: keys.to_owned(), known: known.take() });
            }
            _ => assert!(line.is_empty() || line.starts_with('#'), "what is {line:?}?"),
        }
    }
    cases
}

/// The text that is written with escapes.
fn bytes_of(written: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = written.bytes();
    while let Some(byte) = rest.next() {
        match (byte, if byte == b'\\' { rest.next() } else { None }) {
            (b'\\', Some(b'n')) => out.push(b'\n'),
            (b'\\', Some(b't')) => out.push(b'\t'),
            (b'\\', Some(other)) => out.push(other),
            (byte, _) => out.push(byte),
        }
    }
    out
}

/// Keys as a terminal sends them.
fn typed(keys: &str) -> Vec<u8> {
    let mut out = keys.replace("<Esc>", "\x1b").replace("<CR>", "\r").replace("<BS>", "\x08");
    out = out.replace("<Tab>", "\t");
    for letter in 'A'..='Z' {
        let control = char::from(letter as u8 & 0x1f).to_string();
        out = out.replace(&format!("<C-{letter}>"), &control);
    }
    out.replace("<lt>", "<").into_bytes()
}

/// What stands in the file afterwards.
fn edited(case: &Case, mut editor: Command) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("text"), &case.text).unwrap();
    let mut keys = typed(&case.keys);
    keys.extend(b"\x1b\x1b:w! out\r:qa!\r");
    fs::write(at("keys"), keys).unwrap();
    editor.args(["-s", "keys", "text"]).current_dir(folder.path());
    editor.env("LC_ALL", "C.UTF-8").env("TERM", "dumb").env("HOME", folder.path());
    editor.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let said = editor.output().unwrap();
    fs::read(at("out")).map_err(|_| String::from_utf8_lossy(&said.stderr).into_owned())
}

fn original() -> Command {
    let mut vim = Command::new("timeout");
    vim.args(["20", "vim.tiny", "-u", "NONE", "-N", "-i", "NONE", "-n", "--not-a-term"]);
    vim.args([
        "--cmd",
        "set backspace=indent,eol,start nofixeol encoding=utf-8 report=9999 cmdheight=12",
    ]);
    vim
}

fn ours(vi: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg("20").arg(vi);
    command
}

/// What is wrong with a case.
fn compare(case: &Case, vi: &Path) -> Option<String> {
    let (theirs, ours) = (edited(case, original()), edited(case, ours(vi)));
    let shown = |done: &Result<Vec<u8>, String>| match done {
        Ok(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Err(said) => format!("(nothing) {said}"),
    };
    let text = String::from_utf8_lossy(&case.text);
    match (theirs.is_ok() && theirs == ours, &case.known) {
        (true, None) => None,
        (false, Some(_)) => None,
        (true, Some(reason)) => Some(format!("$ {}\n  agrees, in spite of: {reason}", case.keys)),
        (false, None) => {
            let (theirs, ours) = (shown(&theirs), shown(&ours));
            Some(format!("$ {}\n  text {text:?}\n  vim  {theirs}\n  ours {ours}", case.keys))
        }
    }
}

#[test]
fn keys_do_what_they_do_in_vim() {
    let bench = Bench::new();
    let vi = bench.path("vi");
    let cases = cases(include_str!("editor/keys.txt"));
    assert!(cases.len() >= 100);
    let next = AtomicUsize::new(0);
    let mut wrong: Vec<String> = Vec::new();
    thread::scope(|scope| {
        let work = || {
            let mut wrong = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                wrong.extend(compare(case, &vi));
            }
            wrong
        };
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        wrong = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
    });
    if !wrong.is_empty() {
        panic!("{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    }
}
