//! `xenoboot image stamp`, and the files that an image is stamped with.

use super::may_write;
use crate::{
    keyfile::{NewKey, read_machine_key},
    ui::Output,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};
use xenoboot_image::{site::Stamp, stamp};
use xenoboot_site::{Machine, Site, Trust};
use xenoboot_wire::MachineKey;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The image to start from
    base: PathBuf,
    /// The new image
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Replace the output if it is there
    #[arg(long)]
    force: bool,
}

/// What an image is stamped with. What is not given stays as it is in the image, but for a
/// machine's key, which goes with its name.
#[derive(clap::Args)]
pub(crate) struct Source {
    /// Servers, pins and network
    #[arg(long, value_name = "FILE")]
    site: Option<PathBuf>,
    /// Fleet, signers and threshold
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// The machine's name and groups
    #[arg(long, value_name = "FILE", conflicts_with = "machine_name")]
    machine: Option<PathBuf>,
    /// The machine's name, if that is all there is to say
    #[arg(long, value_name = "NAME")]
    machine_name: Option<String>,
    /// The machine's private key
    #[arg(long, value_name = "FILE", conflicts_with = "new_key")]
    machine_key: Option<PathBuf>,
    /// Make a private key for the machine and keep a copy in FILE
    #[arg(long, value_name = "FILE")]
    new_key: Option<PathBuf>,
}

impl Source {
    /// `before` with what is given put in its place, all of it checked. A site and whom to trust there come
    /// both or not at all.
    pub(crate) fn read(&self, before: Stamp) -> Result<Stamp> {
        let mut stamp = before;
        if let Some(path) = &self.site {
            stamp.site = checked(path, |text| Site::parse(text).map(drop))?;
        }
        if let Some(path) = &self.trust {
            stamp.trust = checked(path, |text| Trust::parse(text).map(drop))?;
        }
        if self.machine.is_some() || self.machine_name.is_some() {
            stamp.machine = Some(self.machine()?);
            stamp.key = None;
        }
        match (stamp.site.is_empty(), stamp.trust.is_empty()) {
            (true, false) => bail!("trust without a site: give --site too"),
            (false, true) => bail!("a site without trust: give --trust too"),
            (true, true) if stamp.machine.is_some() || self.names_a_key() => {
                bail!("a machine without a site: give --site and --trust too")
            }
            _ => {}
        }
        if let Some(path) = &self.new_key {
            NewKey::generate()?.write(path, None)?;
        }
        if let Some(path) = self.new_key.as_ref().or(self.machine_key.as_ref()) {
            stamp.key = Some(read_machine_key(path)?.0.to_vec());
        }
        Ok(stamp)
    }

    /// Removes the key that [`Source::read`] made, when no image came of it.
    pub(crate) fn forget_new_key(&self) {
        self.new_key.iter().for_each(|path| drop(fs::remove_file(path)));
    }

    fn names_a_key(&self) -> bool {
        self.machine_key.is_some() || self.new_key.is_some()
    }

    fn machine(&self) -> Result<String> {
        match (&self.machine, &self.machine_name) {
            (Some(path), _) => checked(path, |text| Machine::parse(text).map(drop)),
            (None, Some(name)) => {
                let machine = Machine { name: Some(name.clone()), groups: Vec::new() };
                let text = machine.to_toml();
                Machine::parse(&text).with_context(|| format!("the machine name {name:?}"))?;
                Ok(text)
            }
            (None, None) => bail!("neither a machine file nor a name"),
        }
    }
}

fn checked<E>(path: &Path, check: impl FnOnce(&str) -> Result<(), E>) -> Result<String>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    check(&text).with_context(|| path.display().to_string())?;
    Ok(text)
}

/// The public half of a stamped key, or of the one in a key file.
pub(crate) fn public(source: &Source) -> Result<Option<MachineKey>> {
    let path = source.new_key.as_ref().or(source.machine_key.as_ref());
    path.map(|path| Ok(MachineKey(read_machine_key(path)?.1))).transpose()
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<()> {
    may_write(&args.output, args.force)?;
    let before = stamp::inspect(&args.base)?.stamp;
    let new = args.source.read(before)?;
    if new.is_blank() {
        bail!("nothing to stamp with: give --site and --trust");
    }
    let stamped = stamp::stamp(&args.base, &new, &args.output);
    if stamped.is_err() {
        args.source.forget_new_key();
    }
    let uuid = stamped?;
    let fingerprint = public(&args.source)?.map(|key| key.fingerprint());
    if output.json {
        println!(
            "{}",
            serde_json::json!({ "image": args.output, "uuid": uuid, "fingerprint": fingerprint })
        );
        return Ok(());
    }
    println!("{}: volume {uuid}", args.output.display());
    if let Some(fingerprint) = fingerprint {
        println!(
            "machine key {fingerprint}; approve it with: xenoboot machine approve {fingerprint}"
        );
    }
    Ok(())
}
