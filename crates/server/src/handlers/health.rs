//! For whoever watches over the server: whether it lives, whether it can work, and figures (Prometheus).

use super::State;
use crate::problem::{Plain, Problem};
use std::fmt::Write;

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it can answer from its database.
pub(crate) async fn readyz(axum::extract::State(shared): State) -> Result<&'static str, Plain> {
    if shared.is_stopping() {
        return Err(Problem::later("the server stops\n", 1).into());
    }
    match shared.store.ping().await {
        Ok(()) => Ok("ready\n"),
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            Err(Problem::later("the database does not answer\n", 5).into())
        }
    }
}

/// `GET /metrics`, with a token: figures in Prometheus's text format.
pub(crate) async fn metrics(
    axum::extract::State(shared): State,
) -> Result<([(axum::http::HeaderName, &'static str); 1], String), Plain> {
    let counts = shared.store.counts().await?;
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, i64)]| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP xenoboot_{name} {help}\n# TYPE xenoboot_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(out, "xenoboot_{name}{labels} {value}");
        }
    };
    let labelled = |label: &str, rows: &[(String, i64)]| -> Vec<(String, i64)> {
        rows.iter().map(|(value, n)| (format!("{{{label}=\"{value}\"}}"), *n)).collect()
    };
    let one = |value: i64| [(String::new(), value)];
    let version = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    family("info", "gauge", "The server's version.", &[(version, 1)]);
    let (states, flags) = (labelled("state", &counts.machines), labelled("kind", &counts.flags));
    family("machines", "gauge", "Machines known, by state.", &states);
    family("machines_flagged", "gauge", "Machines with a flag, by its kind.", &flags);
    let online = i64::try_from(shared.hub.connected()).unwrap_or(i64::MAX);
    family("machines_connected", "gauge", "Machines that have a connection.", &one(online));
    family("runs", "gauge", "Runs kept, by state.", &labelled("state", &counts.runs));
    family("log_bytes", "gauge", "Bytes of events kept.", &one(counts.bytes));
    family("bundles", "gauge", "Bundles known.", &one(counts.bundles));
    let events = i64::try_from(shared.hub.events_stored()).unwrap_or(i64::MAX);
    family("events_stored_total", "counter", "Events stored since the start.", &one(events));
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(axum::http::header::CONTENT_TYPE, kind)], out))
}
