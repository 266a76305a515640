//! `xenoboot bundle`: from a folder with a `bundle.toml` to a signed envelope at the server.

mod build;
mod content;
mod list;
mod recipe;
mod show;
mod store;

use crate::{
    fleet::{read_trust, trusted},
    keyfile::Passphrases,
    push, time,
    ui::{Output, WithHint},
};
use anyhow::{Context, bail};
use clap::Subcommand;
use std::path::PathBuf;
use store::Stored;
use xenoboot_bundle::{Envelope, Inspection, Machines, Subject, inspect, verify};
use xenoboot_wire::{Digest, MachineKey, Version};

/// Arguments of `xenoboot bundle`.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build a bundle from a folder that holds bundle.toml and files/
    #[command(after_help = build::HELP)]
    Build(build::Args),
    /// Add signatures to a bundle
    #[command(
        after_help = "Example:\n  xenoboot bundle sign repair.bundle --key example/signers/bob.key"
    )]
    Sign(Sign),
    /// Check a bundle as a machine would
    #[command(
        after_help = "Examples:\n  xenoboot bundle verify repair.bundle --fleet example\n  xenoboot bundle verify repair.bundle --fleet example --machine KEY --group web --at 2027-01-01T00:00:00Z"
    )]
    Verify(Verify),
    /// Show what a bundle says of itself, without verifying it
    #[command(after_help = "Example:\n  xenoboot bundle inspect repair.bundle --json")]
    Inspect {
        /// The bundle's file
        file: PathBuf,
    },
    /// Upload a signed bundle, and of its blobs those that the server lacks
    #[command(after_help = push::HELP)]
    Push(push::Args),
    /// List the bundles at the server: the latest first
    #[command(after_help = list::HELP)]
    List(list::Args),
}

#[derive(clap::Args)]
struct Sign {
    /// The bundle's file
    file: PathBuf,
    /// A signer's key file; may be given several times
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    passphrases: Passphrases,
}

#[derive(clap::Args)]
struct Verify {
    /// The bundle's file
    file: PathBuf,
    /// The fleet's folder, or its trust file
    #[arg(long, value_name = "DIR", env = "XENOBOOT_FLEET")]
    fleet: PathBuf,
    /// The machine to verify for, by its key [default: the first that the bundle names]
    #[arg(long, value_name = "KEY")]
    machine: Option<MachineKey>,
    /// A group that the machine is in; may be given several times
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    /// The version of the machine's image
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    image: Version,
    /// The time to verify for, such as 2027-01-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    at: Option<u64>,
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    match args.verb {
        Verb::Build(args) => build::run(&args, output),
        Verb::Sign(args) => sign(&args, output),
        Verb::Verify(args) => check(&args, output),
        Verb::Inspect { file } => {
            let stored = Stored::read(&file)?;
            let found = open(&stored)?;
            show::inspection(&stored, &found, output)
        }
        Verb::Push(args) => push::run(&args, output),
        Verb::List(args) => list::run(&args, output),
    }
}

fn open(stored: &Stored) -> anyhow::Result<Inspection> {
    inspect(&stored.envelope).with_context(|| format!("{} is not valid", stored.path.display()))
}

fn sign(args: &Sign, output: &Output) -> anyhow::Result<()> {
    let stored = Stored::read(&args.file)?;
    let mut envelope = Envelope::decode(&stored.envelope)
        .with_context(|| format!("{} is not a bundle", args.file.display()))?;
    for key in args.passphrases.open(&args.keys)? {
        envelope.add(&key).with_context(|| format!("cannot sign {}", args.file.display()))?;
    }
    let stored = Stored { path: args.file.clone(), envelope: envelope.encode() };
    stored.write()?;
    show::summary(&stored, &open(&stored)?, output)
}

fn check(args: &Verify, output: &Output) -> anyhow::Result<()> {
    let trust = read_trust(&args.fleet)?;
    let stored = Stored::read(&args.file)?;
    let (machine, groups) = subject(args, &stored);
    let subject = Subject {
        machine,
        groups: &groups,
        image: args.image,
        now_s: args.at.map_or_else(time::now, Ok)?,
        last_serial: None,
    };
    let manifest = match verify(&stored.envelope, &trusted(&trust), &subject) {
        Ok(manifest) => manifest,
        Err(error) => {
            let (code, file) = (error.code(), stored.path.display());
            let problem = anyhow::Error::new(error)
                .context(format!("{file} must not run: {code}, {}", code.title()));
            return Err(problem).hint(show::advice(code));
        }
    };
    for (digest, size) in manifest.blobs() {
        stored.check_blob(&digest, size)?;
    }
    show::verified(&stored, &manifest, &trust, output)
}

/// The machine to verify for: the one that was asked for, else one that the bundle is for.
fn subject(args: &Verify, stored: &Stored) -> (MachineKey, Vec<String>) {
    let mut groups = args.groups.clone();
    let (mut named, none) = (None, MachineKey([0; 32]));
    if let (Ok(found), None) = (inspect(&stored.envelope), args.machine)
        && let Machines::Listed { keys, groups: theirs } = found.manifest.machines
    {
        named = keys.first().copied();
        if named.is_none() && groups.is_empty() {
            groups.extend(theirs.into_iter().next());
        }
    }
    (args.machine.or(named).unwrap_or(none), groups)
}

/// The digest by which servers and machines name a bundle.
fn digest_of(stored: &Stored) -> Digest {
    Digest::of(&stored.envelope)
}

/// Refuses a folder that is no folder, with the path in the message.
fn need_dir(dir: &std::path::Path) -> anyhow::Result<()> {
    if !dir.is_dir() {
        bail!("{} is not a folder", dir.display());
    }
    Ok(())
}
