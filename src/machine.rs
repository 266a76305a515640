//! `xenoboot machine`: who may boot, and what they are called.

mod show;

use crate::{
    operator::{Access, Client, text},
    ssh,
    ui::Output,
};
use anyhow::bail;
use clap::Subcommand;
use xenoboot_server::api::{Approve, Expect, Groups, Machine, MachineDetails};

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
        after_help = "Examples:\n  xenoboot machine list\n  xenoboot machine list --json | jq -r '.[] | select(.state == \"pending\").fingerprint'"
    )]
    List,
    /// Show a machine: state, what it is assigned, last run and failure, hardware
    #[command(after_help = "Example:\n  xenoboot machine show cupboard")]
    Show {
        /// The machine
        machine: String,
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
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let access = args.access;
    let mut client = access.client()?;
    match args.verb {
        Verb::List => {
            let machines: Vec<Machine> = client.get("machines")?;
            if output.json {
                println!("{}", text::json(&machines)?);
                return Ok(());
            }
            show::list(&machines)
        }
        Verb::Show { machine } => {
            let machine: MachineDetails = client.get(&of(&machine, ""))?;
            show::one(&machine, output)
        }
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
    }
}

fn approve(client: &mut Client, args: ApproveArgs) -> anyhow::Result<MachineDetails> {
    let ApproveArgs { machine, key, name, groups } = args;
    match (machine, key) {
        (_, Some(key)) => client.post("machines", &Expect { key, name, groups }),
        (Some(machine), None) => client.post(&of(&machine, "/approve"), &Approve { name, groups }),
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
