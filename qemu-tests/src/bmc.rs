//! A management controller: OpenIPMI's `ipmi_sim`, whose chassis is a file that a test watches.

use crate::wait::wait_until;
use anyhow::{Context as _, Result};
use std::{
    fs::{self, File},
    net::UdpSocket,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A running controller. Dropped, it is killed.
pub struct Bmc {
    child: Child,
    /// Its UDP port on the loopback.
    pub port: u16,
    calls: PathBuf,
}

impl Bmc {
    /// Starts one that knows the user `operator` with the password `secret`. Its files lie in `folder`, which is made.
    pub fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder.join("state"))?;
        let (calls, chassis) = (folder.join("calls"), folder.join("chassis"));
        // It is as it was told last: `set power 0`, or 1. Before it switches on again it waits until it is off.
        let program = format!(
            "#!/bin/sh\ncase $1 in\nget) echo power:$(tail -n 1 {0} | sed 's/.* //') ;;\n\
             *) echo \"$@\" >> {0} ;;\nesac\n",
            calls.display()
        );
        fs::write(&calls, "1\n")?;
        fs::write(&chassis, program)?;
        fs::set_permissions(&chassis, fs::Permissions::from_mode(0o755))?;
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let lan = format!(
            "name \"bmc\"\nset_working_mc 0x20\n startlan 1\n  addr 127.0.0.1 {port}\n  priv_limit admin\n  \
             allowed_auths_admin md5\n  guid a123456789abcdefa123456789abcdef\n endlan\n \
             chassis_control \"{}\"\n user 2 true \"operator\" \"secret\" admin 10 md5\n",
            chassis.display()
        );
        fs::write(folder.join("lan.conf"), lan)?;
        let controller = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n";
        fs::write(folder.join("emu"), controller)?;
        let log = File::create(folder.join("log"))?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "ipmi_sim", "-n", "-c"])
            .arg(folder.join("lan.conf"))
            .arg("-f")
            .arg(folder.join("emu"))
            .arg("-s")
            .arg(folder.join("state"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("ipmi_sim")?;
        Ok(Self { child, port, calls })
    }

    /// Waits until it has switched its machine off and on.
    pub fn expect_cycle(&self, limit: Duration) -> Result<()> {
        wait_until("the controller to switch off and on", limit, || {
            let calls = fs::read_to_string(&self.calls)?;
            let after_off = calls.split_once("set power 0").map(|(_, after)| after);
            Ok(after_off.filter(|after| after.contains("set power 1")).map(drop))
        })
    }
}

impl Drop for Bmc {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
