//! `xenoboot keygen`.

use crate::{
    keyfile::{NewKey, NewPassphrase},
    ui::Output,
};
use clap::Subcommand;
use std::path::PathBuf;
use xenoboot_bundle::KeyId;
use xenoboot_site::show_key;
use xenoboot_wire::MachineKey;

/// Arguments of `xenoboot keygen`.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a signing key, encrypted with a passphrase
    #[command(
        after_help = "Example:\n  xenoboot keygen signer -o alice.key\n  xenoboot fleet add-signer alice --public-key KEY   (on the fleet's side)"
    )]
    Signer {
        /// The new key file
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        passphrase: NewPassphrase,
    },
    /// Make a machine's key, to be stamped into its image
    #[command(
        after_help = "Example:\n  xenoboot keygen machine -o web-1.key\n\nThe file is not encrypted, because a machine boots unattended: whoever reads it can pose as the machine."
    )]
    Machine {
        /// The new key file
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    match args.verb {
        Verb::Signer { output: file, passphrase } => {
            let name = file.display().to_string();
            let passphrase = passphrase.get(&name)?;
            let key = NewKey::generate()?;
            key.write(&file, passphrase.as_ref().map(|p| p.as_str()))?;
            print_signer(&name, key.public()?, output);
        }
        Verb::Machine { output: file } => {
            let key = NewKey::generate()?;
            key.write(&file, None)?;
            print_machine(&file.display().to_string(), MachineKey(key.public()?), output);
        }
    }
    Ok(())
}

fn print_signer(file: &str, public: [u8; 32], output: &Output) {
    let (public, id) = (show_key(public), KeyId::of(&public));
    if output.json {
        let id = id.to_string();
        println!("{}", serde_json::json!({ "file": file, "public_key": public, "id": id }));
    } else {
        println!("key file    {file}\npublic key  {public}\nkey id      {id}");
    }
}

fn print_machine(file: &str, machine: MachineKey, output: &Output) {
    let fingerprint = machine.fingerprint();
    if output.json {
        let machine = machine.to_string();
        println!(
            "{}",
            serde_json::json!({ "file": file, "machine": machine, "fingerprint": fingerprint })
        );
    } else {
        println!("key file     {file}\nmachine      {machine}\nfingerprint  {fingerprint}");
    }
}
