//! `xenoboot assign`.

use crate::ui::Output;

/// Arguments of `xenoboot assign`.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args, _output: &Output) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
