//! QEMU's machine protocol (docs/interop/qmp-spec.txt): one JSON document a line over a Unix socket.

use crate::wait::wait_until;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// How long QEMU may take to answer a command.
const ANSWER: Duration = Duration::from_secs(30);

/// A connection to a running QEMU.
pub struct Qmp {
    stream: UnixStream,
    answers: mpsc::Receiver<Value>,
    events: Arc<Mutex<Vec<String>>>,
}

impl Qmp {
    /// Connects as soon as QEMU listens on `socket`.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = wait_until("QEMU to listen", ANSWER, || Ok(UnixStream::connect(socket).ok()))?;
        let (sender, answers) = mpsc::channel();
        let events = Arc::new(Mutex::new(Vec::new()));
        let reader = BufReader::new(stream.try_clone()?);
        let heard = Arc::clone(&events);
        thread::spawn(move || read(reader, &sender, &heard));
        let mut qmp = Self { stream, answers, events };
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and returns its answer.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let line = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
        self.stream.write_all(line.as_bytes()).with_context(|| format!("QEMU's {command}"))?;
        let answer = self.answers.recv_timeout(ANSWER);
        let answer = answer.with_context(|| format!("QEMU's answer to {command}"))?;
        if let Some(error) = answer.get("error") {
            bail!("QEMU's {command}: {error}");
        }
        Ok(answer.get("return").cloned().unwrap_or_default())
    }

    /// How often an event such as `RESET`, `WATCHDOG` or `SHUTDOWN` was heard.
    #[must_use]
    pub fn events(&self, name: &str) -> usize {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|event| *event == name).count()
    }
}

fn read(reader: BufReader<UnixStream>, answers: &mpsc::Sender<Value>, events: &Mutex<Vec<String>>) {
    for line in reader.lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        if let Some(event) = message.get("event").and_then(Value::as_str) {
            events.lock().unwrap_or_else(PoisonError::into_inner).push(event.to_owned());
        } else if message.get("QMP").is_none() && answers.send(message).is_err() {
            return;
        }
    }
}
