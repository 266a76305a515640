//! `xenoboot power`: switching machines on and off when nothing that runs on them can.

use crate::{
    operator::{
        Access,
        text::{self, cell},
    },
    ui::{Output, WithHint},
};
use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use xenoboot_server::api::{NewPower, Power, PowerAct, Switch, Switched};
use zeroize::Zeroizing;

/// Largest settings file that is read, bytes.
const MAX_FILE: u64 = 16 << 10;

/// Arguments of `xenoboot power`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
`set` reads FILE, which nobody else may read (chmod 600). One of:

  by = { driver = \"redfish\", url = \"https://bmc1.example.org\", user = \"u\", password = \"p\", pin = \"sha256//…\" }
  by = { driver = \"ipmi\", host = \"192.0.2.7\", user = \"u\", password = \"p\" }
  by = { driver = \"outlet\", on = \"http://192.0.2.8/on\", off = \"http://192.0.2.8/off\", status = \"http://192.0.2.8/\", is_on = \"ON\" }
  by = { driver = \"snmp\", host = \"192.0.2.9\", community = \"c\", oid = \"1.3.6.1.4.1.318.1.1.4.4.2.1.3.4\", on = 1, off = 2 }
  by = { driver = \"command\", program = \"rack-a\" }     # power.d/rack-a in the server's folder: ACT MACHINE

and, if wanted, `attempts = 2` and `wait_s = 300`: how often a machine that promised to come back (--confirm-within) and did
not is switched off and on. Exit status of `status`: 0 it is on, 3 it is off, 4 that cannot be told.

Examples:
  xenoboot power web-1 set web-1.toml
  xenoboot power web-1 status
  xenoboot power web-1 cycle"
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    /// The machine
    machine: String,
    /// What to do
    #[arg(value_enum)]
    act: Act,
    /// For `set`: the settings
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Act {
    /// Switch it on
    On,
    /// Switch it off, at once
    Off,
    /// Switch it off and on
    Cycle,
    /// Say whether it is on
    Status,
    /// Say how the server switches it
    Show,
    /// Tell the server how to switch it
    Set,
    /// Have the server forget how to switch it
    Forget,
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { access, machine, act, file } = args;
    ensure!((act == Act::Set) == file.is_some(), "a FILE goes with `set`, and with nothing else");
    let mut client = access.client()?;
    let path = format!("machines/{machine}/power");
    let switch = match act {
        Act::On => PowerAct::On,
        Act::Off => PowerAct::Off,
        Act::Cycle => PowerAct::Cycle,
        Act::Status => PowerAct::Status,
        Act::Show => return show(&client.get(&path)?, output),
        Act::Set => {
            let new = settings(&file.context("no FILE")?)?;
            return show(&client.put_json(&path, &new)?, output);
        }
        Act::Forget => {
            client.delete(&path)?;
            if !output.json {
                println!("forgotten");
            }
            return Ok(());
        }
    };
    let done: Switched = client.post(&path, &Switch { act: switch })?;
    let word = done.on.map_or("unknown", |on| if on { "on" } else { "off" });
    if output.json {
        println!("{}", text::json(&done)?);
    } else {
        println!("{word}");
    }
    match done.on {
        Some(false) if act == Act::Status => std::process::exit(3),
        None if act == Act::Status => std::process::exit(4),
        _ => Ok(()),
    }
}

fn show(power: &Power, output: &Output) -> anyhow::Result<()> {
    if output.json {
        println!("{}", text::json(power)?);
        return Ok(());
    }
    println!("driver    {}, {}", power.driver, cell(&power.address));
    println!("attempts  {}, {} s between, {} so far", power.attempts, power.wait_s, power.cycles);
    Ok(())
}

fn settings(path: &Path) -> anyhow::Result<NewPower> {
    let shown = path.display();
    let about = fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!("{shown} has a password in it, and others can read it (mode {mode:o}): chmod 600");
    }
    ensure!(about.len() <= MAX_FILE, "{shown} has more than {MAX_FILE} bytes");
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let text = Zeroizing::new(text);
    toml::from_str(&text)
        .with_context(|| format!("{shown} is not valid"))
        .hint("xenoboot power --help shows what is in it")
}
