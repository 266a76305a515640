//! `xenoboot bundle list`: what the server has.

use crate::{
    operator::{
        Access, table,
        text::{self, ago, cell, size},
    },
    time,
    ui::Output,
};
use xenoboot_server::api::Bundle;

/// Arguments of `xenoboot bundle list`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
}

/// Examples for `--help`.
pub(super) const HELP: &str = "Examples:\n  xenoboot bundle list\n  xenoboot bundle list --json | jq -r '.[] | select(.name == \"repair\").serial'";

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let bundles: Vec<Bundle> = args.access.client()?.get("bundles")?;
    if output.json {
        println!("{}", text::json(&bundles)?);
        return Ok(());
    }
    if bundles.is_empty() {
        eprintln!("No bundle has been pushed yet: xenoboot bundle push");
        return Ok(());
    }
    let rows: Vec<_> = bundles.iter().map(row).collect();
    let headings = ["NAME", "SERIAL", "DIGEST", "SIZE", "SIGNATURES", "VALID UNTIL", "PUSHED"];
    Ok(table::print(headings, &rows)?)
}

fn row(bundle: &Bundle) -> [String; 7] {
    [
        cell(&bundle.name),
        bundle.serial.to_string(),
        bundle.bundle.get(..12).unwrap_or_default().to_owned(),
        size(bundle.total_size.unsigned_abs()),
        bundle.signatures.to_string(),
        time::show(bundle.not_after.unsigned_abs()),
        ago(bundle.pushed_ms),
    ]
}
