//! `xenoboot fleet`: whom the machines believe.
//!
//! A fleet's folder holds `trust.toml`, which goes into every image, and `signers/NAME.key`, the signers' private keys
//! that were made here.

mod operator;

use crate::{
    keyfile::{NewKey, NewPassphrase},
    ui::{Output, WithHint},
};
use anyhow::{Context, bail};
use clap::Subcommand;
use ring::rand::{SecureRandom, SystemRandom};
use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};
use xenoboot_bundle::{KeyId, TrustedSigners};
use xenoboot_site::{Signer, Trust, check_name, name_limits, show_key};
use xenoboot_wire::FleetId;

/// Arguments of `xenoboot fleet`.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a fleet: its trust file and its first signers' keys
    #[command(
        after_help = "Examples:\n  xenoboot fleet new example\n  xenoboot fleet new example --signer alice --signer bob --threshold 2"
    )]
    New(New),
    /// Show a fleet's signers
    #[command(after_help = "Example:\n  xenoboot fleet show example")]
    Show {
        /// The fleet's folder, or its trust file
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Let another signer sign for a fleet
    #[command(
        after_help = "Examples:\n  xenoboot fleet add-signer carol --dir example\n  xenoboot fleet add-signer carol --dir example --public-key KEY --threshold 2\n\nMachines believe a new signer when their image was stamped with the new trust file."
    )]
    AddSigner(AddSigner),
    /// Let an operator log in to the machines of a fleet
    #[command(
        after_help = "Examples:\n  xenoboot fleet add-operator alice ~/.ssh/id_ed25519.pub --dir example\n  xenoboot fleet add-operator ca ca.pub --authority-for oncall --dir example\n\nMachines know an operator when their image was stamped with the new trust file. Another way is a file `operators` in a\nsigned bundle."
    )]
    AddOperator(operator::Add),
    /// Let an operator log in no more
    #[command(after_help = "Example:\n  xenoboot fleet remove-operator alice --dir example")]
    RemoveOperator(operator::Remove),
}

#[derive(clap::Args)]
struct New {
    /// The fleet's name
    name: String,
    /// Its folder [default: the name]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A signer's name; may be given several times
    #[arg(long = "signer", value_name = "NAME", default_value = "signer")]
    signers: Vec<String>,
    /// How many signers must sign a bundle
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: usize,
    #[command(flatten)]
    passphrase: NewPassphrase,
}

#[derive(clap::Args)]
struct AddSigner {
    /// The signer's name
    name: String,
    /// The fleet's folder
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// The signer's public key, from `xenoboot keygen signer`; without it a key is made
    #[arg(long, value_name = "KEY", conflicts_with_all = ["passphrase_file", "no_passphrase"])]
    public_key: Option<String>,
    /// How many signers must sign a bundle from now on
    #[arg(long, value_name = "N")]
    threshold: Option<usize>,
    #[command(flatten)]
    passphrase: NewPassphrase,
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    match args.verb {
        Verb::New(args) => new(&args, output),
        Verb::Show { dir } => {
            print(&read_trust(&dir)?, output);
            Ok(())
        }
        Verb::AddSigner(args) => add_signer(args, output),
        Verb::AddOperator(args) => operator::add(args, output),
        Verb::RemoveOperator(args) => operator::remove(&args, output),
    }
}

fn new(args: &New, output: &Output) -> anyhow::Result<()> {
    for name in args.signers.iter().chain([&args.name]) {
        if !check_name(name) {
            bail!("`{name}` cannot be a name: it has {}", name_limits());
        }
    }
    if !(1..=args.signers.len()).contains(&args.threshold) {
        let problem = format!("a threshold of {} needs as many signers", args.threshold);
        return Err(anyhow::anyhow!(problem)).hint("name each with --signer NAME");
    }
    let dir = args.dir.clone().unwrap_or_else(|| args.name.clone().into());
    if dir.join("trust.toml").exists() {
        bail!("there is a fleet in {} already", dir.display());
    }
    let mut id = FleetId([0; 16]);
    SystemRandom::new()
        .fill(&mut id.0)
        .map_err(|_| anyhow::anyhow!("the system gave no random bytes"))?;
    let mut trust = Trust {
        fleet: id,
        name: args.name.clone(),
        threshold: args.threshold,
        signers: vec![],
        operators: vec![],
    };
    for name in &args.signers {
        trust.signers.push(make_signer(&dir, name, &args.passphrase)?);
    }
    write_trust(&dir, &trust)?;
    eprintln!("made {}", dir.display());
    print(&trust, output);
    Ok(())
}

fn add_signer(args: AddSigner, output: &Output) -> anyhow::Result<()> {
    let mut trust = read_trust(&args.dir)?;
    if !check_name(&args.name) {
        bail!("`{}` cannot be a name: it has {}", args.name, name_limits());
    }
    if trust.signers.iter().any(|s| s.name == args.name) {
        bail!("the fleet has a signer {} already", args.name);
    }
    trust.threshold = args.threshold.unwrap_or(trust.threshold);
    if !(1..=trust.signers.len() + 1).contains(&trust.threshold) {
        bail!("a threshold of {} needs as many signers", trust.threshold);
    }
    trust.signers.push(match &args.public_key {
        Some(key) => Signer {
            name: args.name.clone(),
            key: xenoboot_site::parse_key(key).map_err(anyhow::Error::msg)?,
        },
        None => make_signer(&args.dir, &args.name, &args.passphrase)?,
    });
    // Parsing what is to be written says whether the whole holds together: the key may be there already.
    let trust = Trust::parse(&trust.to_toml()).context("the signer cannot be added")?;
    write_trust(&args.dir, &trust)?;
    print(&trust, output);
    Ok(())
}

fn make_signer(dir: &Path, name: &str, passphrase: &NewPassphrase) -> anyhow::Result<Signer> {
    let folder = dir.join("signers");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let file = folder.join(format!("{name}.key"));
    let passphrase = passphrase.get(name)?;
    let key = NewKey::generate()?;
    key.write(&file, passphrase.as_ref().map(|p| p.as_str()))?;
    Ok(Signer { name: name.to_owned(), key: key.public()? })
}

/// Reads a fleet's trust file, given the file or the folder that holds it.
pub(crate) fn read_trust(path: &Path) -> anyhow::Result<Trust> {
    let file = if path.is_dir() { path.join("trust.toml") } else { path.to_owned() };
    let text = fs::read_to_string(&file)
        .with_context(|| format!("cannot read the trust file {}", file.display()))
        .hint("name the fleet's folder, which `xenoboot fleet new` made")?;
    Trust::parse(&text).with_context(|| format!("{} is not valid", file.display()))
}

/// The part of a trust file that decides whether a bundle may run.
pub(crate) fn trusted(trust: &Trust) -> TrustedSigners {
    TrustedSigners {
        fleet: trust.fleet,
        threshold: trust.threshold,
        keys: trust.signers.iter().map(|s| s.key).collect(),
    }
}

/// Replaces the trust file at once: whoever reads it sees the old or the new one.
fn write_trust(dir: &Path, trust: &Trust) -> anyhow::Result<()> {
    let path = dir.join("trust.toml");
    let write = || -> anyhow::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(trust.to_toml().as_bytes())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn print(trust: &Trust, output: &Output) {
    let signers = trust.signers.iter();
    if output.json {
        let signers: Vec<_> = signers
            .map(|s| {
                let id = KeyId::of(&s.key).to_string();
                serde_json::json!({ "name": s.name, "public_key": show_key(s.key), "id": id })
            })
            .collect();
        let (fleet, threshold) = (trust.fleet.to_string(), trust.threshold);
        let json = serde_json::json!({
            "name": trust.name, "fleet": fleet, "threshold": threshold, "signers": signers,
            "operators": trust.operators.iter().map(operator::json).collect::<Vec<_>>(),
        });
        println!("{json}");
        return;
    }
    println!("fleet      {} ({})", trust.name, trust.fleet);
    println!("threshold  {} of {}", trust.threshold, trust.signers.len());
    for Signer { name, key } in signers {
        println!("signer     {name}\n           public key {}", show_key(*key));
        println!("           key id     {}", KeyId::of(key));
    }
    for operator in &trust.operators {
        println!("{}", operator::shown(operator));
    }
}
