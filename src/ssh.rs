//! `xenoboot ssh` and `xenoboot console`: OpenSSH's client, told how to reach a machine and which key it must have.

mod known;

pub(crate) use known::{SUFFIX, remember};

use crate::{
    machine::of,
    operator::{Access, Client},
    ui::{self, WithHint},
};
use anyhow::{Context, anyhow, bail};
use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};
use xenoboot_server::api::MachineDetails;
use xenoboot_wire::MachineKey;

/// Arguments of `xenoboot ssh`.
#[derive(clap::Args)]
#[command(
    after_help = "What stands after the machine is the command to run there; without one there is a shell. Options for OpenSSH's\nssh come before the machine, each after --option.\n\nThe machine's key is its host key: `xenoboot machine approve` has noted it, or you are asked to compare its\nfingerprint with the machine's screen. Who may log in stands in the fleet's trust file: `xenoboot fleet add-operator`.\n\nExamples:\n  xenoboot ssh cupboard\n  xenoboot ssh cupboard dmesg --follow\n  xenoboot ssh --option=-L8080:127.0.0.1:80 cupboard\n  xenoboot ssh --config >> ~/.ssh/config; scp notes.txt cupboard.xenoboot:/tmp"
)]
pub(crate) struct Args {
    #[command(flatten)]
    way: Way,
    /// An argument for ssh, such as -v, -t, -i FILE, -L PORT:HOST:PORT; may be given several times
    #[arg(long = "option", short = 'o', value_name = "ARGUMENT", allow_hyphen_values = true)]
    options: Vec<OsString>,
    /// Print a piece of ssh_config instead, by which ssh, scp, sftp and rsync reach NAME.xenoboot
    #[arg(long, conflicts_with_all = ["machine", "command", "options", "fingerprint"])]
    config: bool,
    /// The machine
    #[arg(required_unless_present = "config")]
    machine: Option<String>,
    /// The command, and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Arguments of `xenoboot console`.
#[derive(clap::Args)]
#[command(
    after_help = "Shows what the machine's consoles have shown, and what they show from now on, until Ctrl-C. Nothing on the machine\nis disturbed by it.\n\nExample:\n  xenoboot console cupboard"
)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    way: Way,
    /// An argument for ssh, such as -i FILE; may be given several times
    #[arg(long = "option", short = 'o', value_name = "ARGUMENT", allow_hyphen_values = true)]
    options: Vec<OsString>,
    /// The machine
    machine: String,
}

/// How a machine is found and known.
#[derive(clap::Args)]
struct Way {
    #[command(flatten)]
    access: Access,
    /// The fingerprint on the machine's screen, when its key is not known here yet
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Some(machine) = args.machine else { return print_config(&args.way.access) };
    let mut ssh = args.way.ssh(&machine)?;
    ssh.args(args.options).arg("--").arg(machine).args(args.command);
    start(ssh)
}

pub(crate) fn console(args: ConsoleArgs) -> anyhow::Result<()> {
    let mut ssh = args.way.ssh(&args.machine)?;
    ssh.args(["-T", "-s"]).args(args.options).arg("--").arg(args.machine).arg("console");
    start(ssh)
}

/// Becomes ssh.
fn start(mut ssh: Command) -> anyhow::Result<()> {
    let failed = ssh.exec();
    Err::<(), _>(failed)
        .context("cannot run ssh")
        .hint("install OpenSSH's client: apt install openssh-client")
}

impl Way {
    /// ssh, with all that it has to know of the machine.
    fn ssh(&self, machine: &str) -> anyhow::Result<Command> {
        let mut client = self.access.client()?;
        let operator = self.access.path()?;
        let operator = operator.canonicalize().with_context(|| operator.display().to_string())?;
        let known = known::file(&operator);
        if !known::has(&known, machine)? {
            self.learn(&mut client, machine, &known)?;
        }
        let mut ssh = Command::new("ssh");
        for option in options(&operator, &known)? {
            ssh.arg("-o").arg(option);
        }
        ssh.arg("-o").arg("HostKeyAlias=".to_owned() + machine);
        Ok(ssh)
    }

    /// Takes the key from the server, when a person or `--fingerprint` says that it is right.
    fn learn(&self, client: &mut Client, machine: &str, known: &Path) -> anyhow::Result<()> {
        let details: MachineDetails = client.get(&of(machine, ""))?;
        let key = details
            .machine
            .key
            .as_deref()
            .context("the machine was never seen: it has shown no key")?;
        let key: MachineKey = key.parse().context("the server's answer has no key")?;
        let print = key.fingerprint();
        match &self.fingerprint {
            Some(given) if given.eq_ignore_ascii_case(&print) => {}
            Some(given) => bail!("the server says that {machine} has the key {print}, not {given}"),
            None if ask(machine, &print)? => {}
            None => bail!("the key of {machine} was not accepted"),
        }
        known::add(known, machine, &key)
    }
}

fn ask(machine: &str, print: &str) -> anyhow::Result<bool> {
    if !ui::interactive() {
        return Err(anyhow!("the key of {machine} is not known here")).hint(format!(
            "compare {print} with the machine's screen; then say --fingerprint {print}"
        ));
    }
    eprintln!(
        "The key of {machine} is not known here yet. By the server's word its fingerprint is\n\n    {print}\n"
    );
    eprint!("Does the machine's screen show the same? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// ssh's options for all machines: the way there, and strictly the keys that are known.
fn options(operator: &Path, known: &Path) -> anyhow::Result<Vec<String>> {
    Ok(vec![
        format!("ProxyCommand={}", proxy_command(operator, "%n")?),
        format!("UserKnownHostsFile={}", quoted(known)?),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "HostKeyAlgorithms=ssh-ed25519".to_owned(),
        "CheckHostIP=no".to_owned(),
        "User=root".to_owned(),
    ])
}

/// This program as a command for the shell that ssh gives it to; `host` is one of ssh's `%` words.
fn proxy_command(operator: &Path, host: &str) -> anyhow::Result<String> {
    let own = env::current_exe().context("this program does not find itself")?;
    let word = |path: &Path| -> anyhow::Result<String> {
        let text = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
        Ok(format!("'{}'", text.replace('\'', r"'\''").replace('%', "%%")))
    };
    Ok(format!("{} proxy --operator {} {host}", word(&own)?, word(operator)?))
}

/// A path in ssh_config.
fn quoted(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().filter(|text| !text.contains(['"', '\n', '%']));
    Ok(format!(
        "\"{}\"",
        text.with_context(|| format!("{}: ssh cannot be told such a name", path.display()))?
    ))
}

fn print_config(access: &Access) -> anyhow::Result<()> {
    let operator: PathBuf = access.path()?;
    let operator = operator.canonicalize().with_context(|| operator.display().to_string())?;
    let known = known::file(&operator);
    println!("# Machines of Xenoboot: ssh NAME.xenoboot");
    println!("Host *.xenoboot");
    for option in options(&operator, &known)? {
        let (name, value) = option.split_once('=').unwrap_or((&option, ""));
        println!("    {name} {value}");
    }
    Ok(())
}
