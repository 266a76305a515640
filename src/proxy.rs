//! `xenoboot proxy`: the way to a machine's console, for OpenSSH's `ProxyCommand`.

use crate::{machine::of, operator::Access, ssh::SUFFIX};

/// Arguments of `xenoboot proxy`.
#[derive(clap::Args)]
#[command(
    after_help = "Standard input and output are connected with the SSH server on the machine, through the server, which sees ciphertext.\n\nExamples:\n  ssh -o ProxyCommand='xenoboot proxy %h' root@cupboard\n  xenoboot ssh --config >> ~/.ssh/config      (for ssh, scp, sftp, rsync and all that use them)"
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    /// The machine
    machine: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    // As `xenoboot ssh --config` has it.
    let machine = args.machine.strip_suffix(SUFFIX).unwrap_or(&args.machine);
    args.access.client()?.relay(&of(machine, "/console"))
}
