//! Switching machines on and off from afar, when nothing that runs on them can.

mod command;
mod ipmi;
mod outlet;
mod redfish;
mod sealed;
mod snmp;

pub(crate) use command::is_program;
pub(crate) use ipmi::CIPHER_SUITES;
pub(crate) use sealed::{Sealer, from_hex};
pub(crate) use snmp::check as check_snmp;

use crate::{
    api::{PowerAct, PowerDriver},
    problem::Problem,
    server::Shared,
    store::StoreError,
};
use axum::http::StatusCode;
use std::{
    io,
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// Longest that a driver may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where programs are looked for.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// How long an outlet stays off.
const OFF: Duration = Duration::from_secs(5);

/// A driver did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PowerError {
    #[error("{0}")]
    Refused(String),
    #[error("cannot reach {address}: {why}")]
    Unreachable { address: String, why: String },
    #[error("there is no answer within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("{0} is not installed where the server runs")]
    NoProgram(&'static str),
}

impl From<PowerError> for Problem {
    fn from(error: PowerError) -> Self {
        let problem =
            Self::new(StatusCode::BAD_GATEWAY, format!("the power driver failed: {error}"));
        match error {
            PowerError::NoProgram(program) => problem.hint(format!("apt-get install {program}")),
            PowerError::Refused(_) => {
                problem.hint("check the settings: xenoboot power NAME set FILE")
            }
            PowerError::Unreachable { .. } | PowerError::Silent => {
                problem.hint("check that the server reaches it: address, cable, firewall")
            }
        }
    }
}

/// Runs a program of the system's that is in `package`, with nothing of our environment; `prepare` adds what it needs.
async fn run(
    program: &str,
    package: &'static str,
    prepare: impl FnOnce(&mut Command),
) -> Result<Output, PowerError> {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH).stdin(Stdio::null()).kill_on_drop(true);
    prepare(&mut command);
    command.output().await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => PowerError::NoProgram(package),
        _ => PowerError::Refused(format!("{program}: {error}")),
    })
}

/// Where a driver reaches, for people; no secrets.
pub(crate) fn address(driver: &PowerDriver) -> (&'static str, String) {
    let host = |url: &str| {
        let uri: Option<hyper::Uri> = url.parse().ok();
        uri.and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default()
    };
    match driver {
        PowerDriver::Redfish { url, .. } => ("redfish", host(url)),
        PowerDriver::Ipmi { host, .. } => ("ipmi", host.clone()),
        PowerDriver::Outlet { on, .. } => ("outlet", host(on)),
        PowerDriver::Snmp(outlet) => ("snmp", outlet.host.clone()),
        PowerDriver::Command { program } => ("command", program.clone()),
    }
}

/// Does it; whether the power is on then, as far as that can be told.
pub(crate) async fn switch(
    shared: &Arc<Shared>,
    machine: i64,
    act: PowerAct,
) -> Result<Option<bool>, Problem> {
    let (name, sealed) = shared.store.power_sealed(machine).await?;
    let text = shared.sealer.open(machine, &sealed);
    let text =
        text.ok_or(StoreError::Corrupt("power settings that are not of this server's key"))?;
    let driver = serde_json::from_slice(&text);
    let driver: PowerDriver = driver.map_err(|_| StoreError::Corrupt("power settings"))?;
    let done = async {
        match &driver {
            PowerDriver::Redfish { url, user, password, system, pin } => {
                let server = redfish::Server::new(url, user, password, pin.as_deref())?;
                server.switch(system.as_deref(), act).await
            }
            PowerDriver::Ipmi { host, port, user, password, cipher_suite } => {
                let (port, cipher_suite) = (*port, *cipher_suite);
                ipmi::Controller { host, port, user, password, cipher_suite }.switch(act).await
            }
            PowerDriver::Outlet { .. } => outlet::switch(&driver, act).await,
            PowerDriver::Snmp(outlet) => snmp::switch(outlet, act).await,
            PowerDriver::Command { program } => {
                command::switch(&shared.programs, program, &name, act).await
            }
        }
    };
    let on = timeout(PATIENCE, done).await.unwrap_or(Err(PowerError::Silent))?;
    tracing::info!(machine = name, act = act.word(), "the power driver has done it");
    Ok(on)
}

/// Switches off and on what promised to come back and did not.
pub(crate) async fn bring_back(shared: &Arc<Shared>) -> Result<(), StoreError> {
    for machine in shared.store.power_due().await? {
        let shared = Arc::clone(shared);
        // One driver that does not answer keeps no other machine waiting.
        tokio::spawn(async move {
            if let Err(problem) = switch(&shared, machine, PowerAct::Cycle).await {
                tracing::warn!(
                    machine,
                    error = problem.error,
                    "it could not be switched off and on"
                );
            }
        });
    }
    Ok(())
}
