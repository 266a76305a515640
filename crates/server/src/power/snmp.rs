//! Outlets that are switched by SNMP (RFC 3416), by the usual programs of Net-SNMP: an integer is set. Passwords go by a
//! file that nobody else can read.

use super::{OFF, PowerError, run};
use crate::api::{PowerAct, SnmpOutlet};
use std::{fs, io, os::unix::fs::PermissionsExt as _};
use tempfile::TempDir;
use tokio::{process::Command, time::sleep};

/// Of the parts of a settings file's text: what would end one, or begin another.
const SPECIAL: &[char] = &['"', '\'', '\\', '$', '\n', '\r'];

/// Seconds for an answer, and how often it is asked again.
const PATIENCE: [&str; 4] = ["-t", "3", "-r", "3"];

/// What cannot be an outlet, if it cannot.
pub(crate) fn check(outlet: &SnmpOutlet) -> Result<(), &'static str> {
    let host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if !outlet.host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        || !outlet.host.chars().all(host)
    {
        return Err("the host is a name, an IPv4 address, or an IPv6 address in brackets");
    }
    let oid = |oid: &str| {
        oid.contains('.')
            && oid.trim_start_matches('.').split('.').all(|part| part.parse::<u32>().is_ok())
    };
    if ![Some(&outlet.oid), outlet.status_oid.as_ref()].into_iter().flatten().all(|text| oid(text))
    {
        return Err("an OID is numbers with dots between");
    }
    match (&outlet.community, &outlet.user, &outlet.auth_password, &outlet.privacy_password) {
        (Some(_), None, None, None) | (None, Some(_), Some(_), Some(_)) => {}
        _ => {
            let either = "either a community (version 2c), or user, auth_password and privacy_password (version 3)";
            return Err(either);
        }
    }
    let known = ["MD5", "SHA", "SHA-256", "SHA-512"];
    if outlet.auth.as_ref().is_some_and(|auth| !known.contains(&auth.as_str())) {
        return Err("`auth` is SHA, SHA-256, SHA-512 or MD5");
    }
    let secrets = [&outlet.auth_password, &outlet.privacy_password];
    if secrets.into_iter().flatten().any(|text| text.len() < 8) {
        return Err("SNMP's passwords have at least 8 characters (RFC 3414)");
    }
    let texts = [&outlet.community, &outlet.user].into_iter().chain(secrets);
    if texts.flatten().any(|text| text.is_empty() || text.contains(SPECIAL)) {
        return Err(
            "community, user and passwords are not empty and have no quotes, backslashes or `$`",
        );
    }
    Ok(())
}

/// An outlet, and the folder with its secrets, which goes with it.
struct Agent<'a> {
    outlet: &'a SnmpOutlet,
    settings: TempDir,
}

pub(super) async fn switch(outlet: &SnmpOutlet, act: PowerAct) -> Result<Option<bool>, PowerError> {
    let failed = |error: io::Error| PowerError::Refused(format!("the settings: {error}"));
    let settings = settings(outlet).map_err(failed)?;
    let agent = Agent { outlet, settings };
    match (act, outlet.cycle) {
        (PowerAct::On, _) => agent.set(outlet.on).await?,
        (PowerAct::Off, _) => agent.set(outlet.off).await?,
        (PowerAct::Cycle, Some(cycle)) => agent.set(cycle).await?,
        (PowerAct::Cycle, None) => {
            agent.set(outlet.off).await?;
            sleep(OFF).await;
            agent.set(outlet.on).await?;
        }
        (PowerAct::Status, _) => {}
    }
    let oid = outlet.status_oid.as_ref().unwrap_or(&outlet.oid);
    let value = agent.ask("snmpget", &[oid]).await?;
    let value: i32 = value.trim().parse().map_err(|_| PowerError::Refused(value))?;
    Ok(Some(value == outlet.is_on.unwrap_or(outlet.on)))
}

/// A folder that nobody else can read, with what Net-SNMP's snmp.conf(5) has.
fn settings(outlet: &SnmpOutlet) -> io::Result<TempDir> {
    // Only texts may be in quotes.
    let text = match &outlet.community {
        Some(community) => format!("defVersion 2c\ndefCommunity \"{community}\"\n"),
        None => {
            let given = |text: &Option<String>| text.clone().unwrap_or_default();
            format!(
                "defVersion 3\ndefSecurityLevel authPriv\ndefAuthType {}\ndefPrivType AES\n\
                 defSecurityName \"{}\"\ndefAuthPassphrase \"{}\"\ndefPrivPassphrase \"{}\"\n",
                outlet.auth.as_deref().unwrap_or("SHA"),
                given(&outlet.user),
                given(&outlet.auth_password),
                given(&outlet.privacy_password),
            )
        }
    };
    let private = fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().permissions(private).tempdir()?;
    fs::write(folder.path().join("snmp.conf"), text)?;
    Ok(folder)
}

impl Agent<'_> {
    async fn set(&self, value: i32) -> Result<(), PowerError> {
        self.ask("snmpset", &[&self.outlet.oid, "i", &value.to_string()]).await.map(drop)
    }

    async fn ask(&self, program: &'static str, words: &[&str]) -> Result<String, PowerError> {
        let (outlet, folder) = (self.outlet, self.settings.path());
        let address = format!("udp:{}:{}", outlet.host, outlet.port.unwrap_or(161));
        let prepare = |command: &mut Command| {
            command.args(PATIENCE).arg("-Oqv").arg(address).args(words);
            // Numbers need no names for them.
            command.env("MIBS", "").env("SNMPCONFPATH", folder).env("SNMP_PERSISTENT_DIR", folder);
        };
        let done = run(program, "snmp", prepare).await?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let why = String::from_utf8_lossy(&done.stderr);
        let mut lines = why.lines().map(str::trim);
        let said = lines.clone().find_map(|line| line.strip_prefix("Reason: "));
        // Before that it may tell what folders it has made.
        let said = said.or_else(|| lines.rfind(|line| !line.is_empty()));
        let why = said.unwrap_or("it does not say why").to_owned();
        if why.contains("Timeout") || why.contains("Unknown host") {
            // A wrong community gets no answer either.
            let why = format!("{why}; wrong address or community");
            return Err(PowerError::Unreachable { address: self.outlet.host.clone(), why });
        }
        Err(PowerError::Refused(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(change: impl FnOnce(&mut SnmpOutlet)) -> SnmpOutlet {
        let mut outlet = SnmpOutlet {
            host: "192.0.2.7".into(),
            oid: "1.3.6.1.4.1.318.1.1.4.4.2.1.3.4".into(),
            on: 1,
            off: 2,
            community: Some("private".into()),
            ..SnmpOutlet::default()
        };
        change(&mut outlet);
        outlet
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(check(&outlet(|_| ())), Ok(()));
        assert_eq!(check(&outlet(|o| o.host = "[2001:db8::1]".into())), Ok(()));
        let version_3 = outlet(|o| {
            o.community = None;
            o.user = Some("u".into());
            o.auth_password = Some("eight ch".into());
            o.privacy_password = Some("eight ch".into());
        });
        assert_eq!(check(&version_3), Ok(()));
        let bad: [fn(&mut SnmpOutlet); 9] = [
            |o| o.host = "-v1".into(),
            |o| o.host = "a b".into(),
            |o| o.host = String::new(),
            |o| o.oid = "sysName.0".into(),
            |o| o.status_oid = Some("-v".into()),
            |o| o.community = None,
            |o| o.user = Some("u".into()),
            |o| o.community = Some("a\"b".into()),
            |o| o.community = Some("${HOME}".into()),
        ];
        for change in bad {
            assert!(check(&outlet(change)).is_err());
        }
        let short = SnmpOutlet { auth_password: Some("seven c".into()), ..version_3 };
        assert!(check(&short).is_err());
    }

    #[test]
    fn nobody_else_can_read_the_secrets() {
        let folder = settings(&outlet(|_| ())).unwrap();
        let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
        let text = fs::read_to_string(folder.path().join("snmp.conf")).unwrap();
        assert_eq!(text, "defVersion 2c\ndefCommunity \"private\"\n");
    }
}
