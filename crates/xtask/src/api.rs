//! The operator's API as it describes itself, against what it does: schemathesis asks each request in many ways.

use crate::{
    python,
    run::{build_program, check, target},
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Longer than it takes, by far.
const LIMIT: Duration = Duration::from_secs(600);

/// What is asked of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,unsupported_method,ignored_auth";

/// A server in a folder of its own; stopped when dropped.
struct Server {
    child: Child,
    url: String,
    token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; the folder is removed at the next start.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs it, with so many of what it thinks up for each operation, the same each time. Errors when an answer is not as
/// described.
pub(crate) fn run(root: &Path, examples: u32) -> Result<()> {
    check(&mut build_program(root, "xenoboot"))?;
    let requirements = root.join("crates/server/tests/schemathesis.txt");
    let python = python::environment(root, "venv-schemathesis", &requirements, "schemathesis")?;
    let server = start(root)?;
    let mut tester = Command::new(python.with_file_name("st"));
    tester.args(["run", &format!("{}/api/v1/openapi.json", server.url)]);
    tester.arg("--header").arg(format!("Authorization: Bearer {}", server.token));
    // The server is known by its pin, which a browser's rules say nothing of.
    tester.args(["--tls-verify", "false", "--checks", CHECKS]);
    // Those that wait for news, or never end.
    tester.args(["--exclude-path-regex", "(/run|/log|/stream)$"]);
    tester.args(["--phases", "examples,coverage,fuzzing"]);
    tester.args(["--max-examples", &examples.to_string()]);
    tester.args(["--generation-deterministic", "--no-color", "--request-retries", "3"]);
    tester.args(["--warnings", "off", "--suppress-health-check", "all"]);
    tester.current_dir(target(root)).env("PYTHONWARNINGS", "ignore");
    let mut child = tester.spawn().context("schemathesis")?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("schemathesis did not end within {} s", LIMIT.as_secs());
        }
        sleep(Duration::from_millis(100));
    };
    ensure!(status.success(), "the API does not do what it says of itself");
    Ok(())
}

fn start(root: &Path) -> Result<Server> {
    let folder = target(root).join("schemathesis-server");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    let program = target(root).join("debug/xenoboot");
    let mut command = Command::new(&program);
    command.arg("serve").arg(&folder).args(["--listen", "127.0.0.1:0", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut line = String::new();
    let output = child.stdout.take().context("a pipe was asked for")?;
    let mut server = Server { child, url: String::new(), token: String::new() };
    BufReader::new(output).read_line(&mut line)?;
    let ready: Value = serde_json::from_str(&line).context("the server does not start")?;
    server.url = ready.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    let operator = folder.join("operator.toml");
    let text = fs::read_to_string(&operator).with_context(|| operator.display().to_string())?;
    let token = text.lines().find_map(|line| line.strip_prefix("token = "));
    server.token = token.context("operator.toml has no token")?.trim_matches('"').to_owned();
    // Something to be asked about.
    let mut approve = Command::new(program);
    approve.args(["machine", "approve", "--name", "m", "--key", &"0123".repeat(16)]);
    check(approve.env("XENOBOOT_OPERATOR", operator).stdout(Stdio::null()))?;
    Ok(server)
}
