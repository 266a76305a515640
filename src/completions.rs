//! `xenoboot completions`.

use clap::CommandFactory;
use clap_complete::Shell;

/// Arguments of `xenoboot completions`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  xenoboot completions bash > ~/.local/share/bash-completion/completions/xenoboot"
)]
pub(crate) struct Args {
    /// The shell to complete for
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    clap_complete::generate(
        args.shell,
        &mut crate::Cli::command(),
        "xenoboot",
        &mut std::io::stdout(),
    );
    Ok(())
}
