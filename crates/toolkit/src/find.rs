//! `find`: walks down folders, asks each file what the expression asks, and does what it says, as GNU's.

mod criteria;
mod entry;
mod exec;
mod expression;
mod list;
mod messages;
mod numbers;
mod outputs;
mod parse;
mod perm;
mod primaries;
mod printf;
mod stamps;
mod walk;

use anyhow::Context as _;
use expression::{Action, Run};
use outputs::Outputs;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead, BufReader},
    os::unix::ffi::OsStringExt as _,
};
use walk::Walk;

/// Searches as the words say; the result is the exit status.
///
/// # Errors
/// What is wrong with the command line, or with a file that it names.
pub(crate) fn find(words: &[OsString]) -> anyhow::Result<u8> {
    let mut outputs = Outputs::new();
    let search = parse::parse(words, &mut outputs)?;
    let mut run = Run::new(outputs);
    let mut unread = false;
    {
        let mut visit = |entry: &entry::Entry<'_>| run.visit(&search.expression, entry);
        let mut walk = Walk::new(search.plan, &mut visit);
        match &search.roots_from {
            None => {
                search.roots.iter().all(|root| walk.from(root));
            }
            Some(path) => unread = listed(path, &mut walk)?,
        }
        unread |= walk.failed();
    }
    for action in search.expression.actions() {
        if let Action::Exec(exec) = action {
            run.outputs.flush();
            run.failed |= !exec.rest();
        }
    }
    run.outputs.flush();
    Ok(u8::from(unread || run.failed || run.outputs.failed()))
}

/// Starting points from a file (`-` for standard input); true when one of them was none.
fn listed(path: &OsStr, walk: &mut Walk<'_>) -> anyhow::Result<bool> {
    let from: Box<dyn BufRead> = if path == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).with_context(|| format!("cannot open {path:?}"))?))
    };
    let mut failed = false;
    for (n, root) in from.split(0).enumerate() {
        let root = OsString::from_vec(root.with_context(|| format!("cannot read {path:?}"))?);
        if root.is_empty() {
            failed = true;
            let path = path.to_string_lossy();
            messages::say(&format!("{path}:{}: invalid zero-length file name", n + 1));
        } else if !walk.from(&root) {
            break;
        }
    }
    Ok(failed)
}
