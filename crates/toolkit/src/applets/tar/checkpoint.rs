//! `--checkpoint`: a sign of life every so many records.

use crate::applet::{Args, usage_error};
use std::io::{self, Write as _};

/// What is done at a checkpoint.
enum Action {
    /// A line on standard error.
    Line,
    /// One of its own text.
    Echo(String),
    /// A point on standard output.
    Dot,
    Bell,
}

/// Counts what is read or written.
pub(super) struct Checkpoints {
    /// Records between two of them.
    every: u64,
    /// Bytes of a record.
    record: u64,
    bytes: u64,
    records: u64,
    actions: Vec<Action>,
    /// `Read` or `Write`.
    verb: &'static str,
}

impl Checkpoints {
    pub(super) fn of(args: &Args, verb: &'static str, record: u64) -> anyhow::Result<Option<Self>> {
        if !args.has("checkpoint") && !args.has("checkpoint-action") {
            return Ok(None);
        }
        let mut actions = Vec::new();
        let every = args.text("checkpoint")?.unwrap_or("");
        // An older form: with a point before the number.
        let every = every.strip_prefix('.').inspect(|_| actions.push(Action::Dot)).unwrap_or(every);
        let every = match every.parse() {
            Ok(every @ 1..) => every,
            _ if every.is_empty() => 10,
            _ => return usage_error("--checkpoint value is not an integer"),
        };
        for action in args.values("checkpoint-action") {
            let action = action.to_string_lossy();
            actions.push(match action.split_once('=').unwrap_or((&action, "")) {
                ("dot" | ".", _) => Action::Dot,
                ("bell", _) => Action::Bell,
                ("echo", "") => Action::Line,
                ("echo", text) => Action::Echo(text.to_owned()),
                (other, _) => return usage_error(format!("{other}: unknown checkpoint action")),
            });
        }
        if actions.is_empty() {
            actions.push(Action::Line);
        }
        Ok(Some(Self { every, record, bytes: 0, records: 0, actions, verb }))
    }

    pub(super) fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
        while self.bytes >= self.record {
            self.bytes -= self.record;
            self.records += 1;
            if self.records.is_multiple_of(self.every) {
                self.reached();
            }
        }
    }

    fn reached(&mut self) {
        for action in &self.actions {
            // Nothing fails because of a sign of life.
            let _ = match action {
                Action::Line => {
                    writeln!(io::stderr(), "tar: {} checkpoint {}", self.verb, self.records)
                }
                Action::Echo(text) => {
                    let text = text.replace("%s", &self.verb.to_lowercase());
                    let text = text.replace("%u", &self.records.to_string());
                    writeln!(io::stderr(), "tar: {text}")
                }
                Action::Dot => io::stdout().write_all(b".").and_then(|()| io::stdout().flush()),
                Action::Bell => io::stderr().write_all(b"\x07"),
            };
        }
    }
}
