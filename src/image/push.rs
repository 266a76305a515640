//! `xenoboot image push-toolbox`.

use crate::{
    operator::{Access, text::size},
    push,
    ui::{Output, interactive},
};
use anyhow::{Context, Result};
use indicatif::ProgressBar;
use std::path::PathBuf;
use xenoboot_image::stamp;
use xenoboot_server::api::Blobs;
use xenoboot_wire::Digest;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    access: Access,
    /// The image
    image: PathBuf,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<()> {
    let (facts, file) = stamp::toolbox(&args.image)?;
    let digest: Digest = facts.sha256.parse().context("the image's toolbox")?;
    let mut client = args.access.client()?;
    let missing: Blobs = client.post("blobs/missing", &Blobs { blobs: vec![digest] })?;
    let lacking = missing.blobs.contains(&digest);
    if lacking {
        let bar = if interactive() { ProgressBar::new(facts.size) } else { ProgressBar::hidden() };
        push::put(&mut client, &digest, (file, facts.size), &bar)
            .with_context(|| format!("cannot upload the toolbox of {}", args.image.display()))?;
        bar.finish_and_clear();
    }
    if output.json {
        println!("{}", serde_json::json!({ "toolbox": digest, "uploaded": lacking }));
    } else if lacking {
        println!("pushed the toolbox {digest}, {}", size(facts.size));
    } else {
        println!("the server has the toolbox {digest} already");
    }
    Ok(())
}
