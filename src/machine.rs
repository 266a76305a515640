//! `xenoboot machine`: who may boot, and what they are called.

mod enrol;
mod explain;
mod show;

use crate::{
    operator::{Access, Client, text, watch::Watch},
    ssh,
    ui::Output,
};
use anyhow::bail;
use clap::Subcommand;
use xenoboot_server::api::{Approve, Expect, Groups, Labels, Machine, MachineDetails};

/// Arguments of `xenoboot machine`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "A machine is named by its name, its fingerprint or its key, or the first four or more characters of the last two."
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List machines: pending ones first
    #[command(
        after_help = "Examples:\n  xenoboot machine list\n  xenoboot machine list --watch\n  xenoboot machine list --json | jq -r '.[] | select(.state == \"pending\").fingerprint'"
    )]
    List(Watch),
    /// Show a machine: state, what it is assigned, last run and failure, hardware
    #[command(after_help = "Example:\n  xenoboot machine show cupboard")]
    Show {
        /// The machine
        machine: String,
        #[command(flatten)]
        watch: Watch,
    },
    /// Approve a machine that waits, or one that is yet to boot; or rename one
    #[command(
        after_help = "Compare the fingerprint with the one on the machine's screen before.\n\nExamples:\n  xenoboot machine approve 7ZQ4-0M3K-V9RB-22TC-HX5E --name cupboard --group attic\n  xenoboot machine approve 7ZQ4\n  xenoboot machine approve --key 7ZQ4-0M3K-V9RB-22TC-HX5E --name web-1     (before it has ever booted)"
    )]
    Approve(ApproveArgs),
    /// Refuse a machine: it gets nothing
    #[command(after_help = "Example:\n  xenoboot machine refuse cupboard")]
    Refuse {
        /// The machine
        machine: String,
    },
    /// Add a machine to groups, or remove it from them; without either, show them
    #[command(
        after_help = "Groups here decide what is assigned. For whom a bundle is valid is decided by the groups\nstamped into the image.\n\nExample:\n  xenoboot machine group cupboard --add attic --remove cellar"
    )]
    Group {
        /// The machine
        machine: String,
        /// Add it to this group; may be given several times
        #[arg(long = "add", value_name = "GROUP")]
        add: Vec<String>,
        /// Remove it from this group; may be given several times
        #[arg(long = "remove", value_name = "GROUP")]
        remove: Vec<String>,
    },
    /// Set labels of a machine, or take them away; without any, show them
    #[command(
        after_help = "Labels are for `xenoboot assign --labels`.\n\nExamples:\n  xenoboot machine label cupboard rack=a3 role=web\n  xenoboot machine label cupboard --remove role"
    )]
    Label {
        /// The machine
        machine: String,
        /// Labels to set
        #[arg(value_name = "KEY=VALUE", value_parser = label)]
        set: Vec<(String, String)>,
        /// Take this label away; may be given several times
        #[arg(long = "remove", value_name = "KEY")]
        remove: Vec<String>,
    },
    /// Say why a machine gets what it gets, step by step
    #[command(
        after_help = "=> marks what is in force, - what is not for this machine or over, * what else is known.\n\nExample:\n  xenoboot machine explain cupboard"
    )]
    Explain {
        /// The machine
        machine: String,
    },
    /// Give out a token that approves the machine which shows it first
    #[command(
        after_help = "The token is typed at the machine's console while it is pending, or given on its kernel's command line\n(xenoboot.token=TOKEN). It approves one machine, without anybody comparing fingerprints: give it to nobody else.\n\nExamples:\n  xenoboot machine invite --name cupboard --group attic\n  xenoboot machine invite --expires 1d --label rack=a3\n  xenoboot machine invite --list\n  xenoboot machine invite --take-back 3fa9c1d2"
    )]
    Invite(enrol::InviteArgs),
    /// Approve many machines that are yet to boot, from a table
    #[command(
        after_help = "The table is CSV. Its first line names the columns: key (a fingerprint or a key in hexadecimal), and as needed name,\ngroups and labels (KEY=VALUE), several with spaces or semicolons between. All machines are approved, or none.\n\nExample:\n  key,name,groups,labels\n  7ZQ4-0M3K-V9RB-22TC-HX5E,web-1,web eu,rack=a3 role=web\n\n  xenoboot machine import machines.csv"
    )]
    Import {
        /// The table
        file: std::path::PathBuf,
    },
    /// Give a machine another key, by which it stays the same machine
    #[command(
        after_help = "The old key is good until the new one is seen, and revoked then. Stamp the new key into the machine's image first\n(`xenoboot keygen machine`), and seal its secrets for it.\n\nExamples:\n  xenoboot machine rotate cupboard --key 7ZQ4-0M3K-V9RB-22TC-HX5E\n  xenoboot machine rotate cupboard --key 7ZQ4-0M3K-V9RB-22TC-HX5E --now --yes"
    )]
    Rotate(enrol::RotateArgs),
    /// Refuse a machine, and its key for ever: it was stolen
    #[command(after_help = "Example:\n  xenoboot machine revoke cupboard --yes")]
    Revoke {
        /// The machine
        machine: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Take away a machine's flags, and bring it back from rescue
    #[command(
        after_help = "A machine that failed again and again in the same place waits in rescue until then.\n\nExample:\n  xenoboot machine clear cupboard"
    )]
    Clear {
        /// The machine
        machine: String,
    },
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

#[derive(clap::Args)]
struct ApproveArgs {
    /// The machine
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    machine: Option<String>,
    /// A machine that has not booted yet, by its whole fingerprint or its key in hexadecimal
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Its name [default: the one stamped into its image, made unique]
    #[arg(long)]
    name: Option<String>,
    /// Add it to this group; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Set this label; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let access = args.access;
    let mut client = access.client()?;
    match args.verb {
        Verb::List(watch) => watch.run(|| {
            let machines: Vec<Machine> = client.get("machines")?;
            if output.json {
                println!("{}", text::json(&machines)?);
                return Ok(());
            }
            show::list(&machines)
        }),
        Verb::Show { machine, watch } => watch.run(|| {
            let machine: MachineDetails = client.get(&of(&machine, ""))?;
            show::one(&machine, output)
        }),
        Verb::Approve(args) => {
            let machine = approve(&mut client, args)?;
            ssh::remember(&access.path()?, &machine)?;
            show::done("approved", &machine, output)
        }
        Verb::Refuse { machine } => {
            let machine = client.post(&of(&machine, "/refuse"), &())?;
            show::done("refused", &machine, output)
        }
        Verb::Group { machine, add, remove } => {
            if let Some(both) = add.iter().find(|group| remove.contains(group)) {
                bail!("`{both}` is to be added and removed");
            }
            let machine = client.post(&of(&machine, "/groups"), &Groups { add, remove })?;
            show::groups(&machine, output)
        }
        Verb::Label { machine, set, remove } => {
            let labels = Labels { set: set.into_iter().collect(), remove };
            let machine = client.post(&of(&machine, "/labels"), &labels)?;
            show::labels(&machine, output)
        }
        Verb::Invite(args) => enrol::invite(&mut client, args, output),
        Verb::Import { file } => enrol::import(&mut client, &file, output),
        Verb::Rotate(args) => enrol::rotate(&mut client, args, output),
        Verb::Revoke { machine, yes } => enrol::revoke(&mut client, &machine, yes, output),
        Verb::Explain { machine } => {
            explain::print(&client.get(&of(&machine, "/explain"))?, output)
        }
        Verb::Clear { machine } => {
            let machine = client.post(&of(&machine, "/clear"), &())?;
            show::done("cleared", &machine, output)
        }
    }
}

fn approve(client: &mut Client, args: ApproveArgs) -> anyhow::Result<MachineDetails> {
    let ApproveArgs { machine, key, name, groups, labels } = args;
    let labels = labels.into_iter().collect();
    match (machine, key) {
        (_, Some(key)) => client.post("machines", &Expect { key, name, groups, labels }),
        (Some(machine), None) => {
            client.post(&of(&machine, "/approve"), &Approve { name, groups, labels })
        }
        (None, None) => bail!("no machine is named"),
    }
}

/// The path of a machine.
pub(crate) fn of(machine: &str, rest: &str) -> String {
    format!("machines/{}{rest}", escaped(machine))
}

/// Text in a URL (RFC 3986, section 2.1).
pub(crate) fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_~.".contains(&b);
    let escaped = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    // A segment of dots alone would be another path.
    if text.bytes().all(|b| b == b'.') {
        return text.bytes().map(|b| format!("%{b:02X}")).collect();
    }
    text.bytes().map(escaped).collect()
}
