//! IPMI 2.0, by the usual program: `ipmitool -I lanplus`. The password goes by its environment, which other users of the
//! computer cannot read, as they can its arguments.

use super::{PowerError, run};
use crate::api::PowerAct;
use std::time::Duration;
use tokio::{process::Command, time::sleep};

/// A management controller.
pub(super) struct Controller<'a> {
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) cipher_suite: Option<u8>,
}

/// The cipher suites that both authenticate and encrypt: with SHA-1, MD5 (two) and SHA-256, and AES.
pub(crate) const CIPHER_SUITES: [u8; 4] = [3, 8, 12, 17];

/// For a controller to see that its machine has gone off.
const PAUSE: Duration = Duration::from_secs(1);

impl Controller<'_> {
    pub(super) async fn switch(&self, act: PowerAct) -> Result<Option<bool>, PowerError> {
        match act {
            PowerAct::Status => return self.is_on().await,
            PowerAct::On => drop(self.power("on").await?),
            PowerAct::Off => drop(self.power("off").await?),
            // A controller refuses `cycle` when the machine is off.
            PowerAct::Cycle if self.is_on().await? == Some(false) => {
                self.power("on").await?;
            }
            PowerAct::Cycle => drop(self.power("cycle").await?),
        }
        sleep(PAUSE).await;
        self.is_on().await
    }

    async fn is_on(&self) -> Result<Option<bool>, PowerError> {
        let said = self.power("status").await?;
        Ok(match said.trim() {
            "Chassis Power is on" => Some(true),
            "Chassis Power is off" => Some(false),
            _ => None,
        })
    }

    async fn power(&self, act: &str) -> Result<String, PowerError> {
        let port = self.port.unwrap_or(623).to_string();
        let suite = self.cipher_suite.map(|suite| ["-C".to_owned(), suite.to_string()]);
        let prepare = |command: &mut Command| {
            command.args(["-I", "lanplus", "-H", self.host, "-p", &port, "-U", self.user, "-E"]);
            command.args(suite.iter().flatten());
            command.args(["-L", "OPERATOR", "-N", "2", "-R", "3", "chassis", "power", act]);
            command.env("IPMI_PASSWORD", self.password);
        };
        let done = run("ipmitool", "ipmitool", prepare).await?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let why = String::from_utf8_lossy(&done.stderr);
        let why = why.trim().lines().last().unwrap_or("it does not say why").to_owned();
        if why.contains("Unable to establish") {
            // It says the same of a wrong password and of nobody there.
            let why = format!("{why}; wrong address, user or password");
            return Err(PowerError::Unreachable { address: self.host.to_owned(), why });
        }
        Err(PowerError::Refused(why))
    }
}
