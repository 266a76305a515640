//! `--watch`: the same answer again and again, as it changes.

use std::{
    io::{self, IsTerminal, Write},
    thread::sleep,
    time::Duration,
};

/// Whether to ask again, and how often.
#[derive(clap::Args)]
pub(crate) struct Watch {
    /// Show it again every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = clap::value_parser!(u16).range(1..))]
    watch: Option<u16>,
}

impl Watch {
    /// Does it once, or for ever; on a terminal each time on a clean screen.
    pub(crate) fn run(&self, mut show: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
        let Some(seconds) = self.watch else { return show() };
        loop {
            if io::stdout().is_terminal() {
                print!("\x1b[H\x1b[2J");
            }
            show()?;
            io::stdout().flush()?;
            sleep(Duration::from_secs(seconds.into()));
        }
    }
}
