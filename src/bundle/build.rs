//! `xenoboot bundle build`.

use super::{
    content::Content,
    need_dir,
    recipe::{Listed, Recipe},
    show,
    store::Stored,
};
use crate::{
    fleet::read_trust,
    keyfile::Passphrases,
    time,
    ui::{Output, WithHint},
};
use anyhow::{Context, bail};
use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use xenoboot_bundle::{
    File, FilePath, Manifest, inspect, limits,
    sealed::{Label, seal},
    sign,
};
use xenoboot_wire::{Digest, FleetId};
use zeroize::Zeroizing;

/// How many bytes of files travel inside the manifest at most: with them it still fits into the
/// server's first answer, which saves the machine a round trip.
const INLINE_TOTAL: usize = 192 << 10;

/// What `--help` shows after the options.
pub(super) const HELP: &str = r#"Example:
  xenoboot bundle build repair -o repair.bundle --fleet example --key example/signers/signer.key

The folder holds bundle.toml and, in files/, what is unpacked on the machine. Files up to 64 KiB travel
inside the bundle, larger ones beside it (in NAME.blobs). bundle.toml:

  name = "repair"
  any = true                  # or machines = ["KEY", ...], groups = ["web", ...]
  entry = "run.sh"            # files/run.sh, made executable
  args = ["--fast"]
  valid-for = "30d"           # or not-after = "2027-01-01T00:00:00Z"
  time-limit = "1h"
  memory-limit = "256M"       # default: what the machine can spare
  needs = ["toolbox"]         # mkfs.xfs, lvm, ...: the packaged programs on the boot medium
  on-success = "reboot"       # "wait", "power-off", "run-again 10m"
  on-failure = "wait"
  min-image = "0.1.0"
  serial = 7                  # default: Unix time
  seal-for = ["KEY", ...]     # the machines that can open the secrets; default: machines
  [secrets]                   # sealed files: on those machines `xb secret luks` prints this one
  luks = "luks.key"
  [[file]]                    # a file from elsewhere
  path = "bin/e2fsck"
  from = "../tools/e2fsck"
  mode = "0755"

Without --key the bundle is a draft: sign it with `xenoboot bundle sign`."#;

/// Arguments of `xenoboot bundle build`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that holds bundle.toml
    dir: PathBuf,
    /// The new bundle's file [default: NAME.bundle]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The fleet's folder or trust file; may stand in bundle.toml as `fleet = "ID"` instead
    #[arg(long, value_name = "DIR", env = "XENOBOOT_FLEET")]
    fleet: Option<PathBuf>,
    /// Sign with this key file; may be given several times
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    passphrases: Passphrases,
    /// The serial, in place of the one in bundle.toml
    #[arg(long, value_name = "N")]
    serial: Option<u64>,
    /// The time of making [default: now]; with it and the serial given, the same files make the same bundle
    #[arg(long, value_name = "TIME", value_parser = time::parse, env = "SOURCE_DATE_EPOCH")]
    created: Option<u64>,
}

/// A file that will be in the bundle.
struct Source {
    content: Content,
    mode: u32,
}

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    need_dir(&args.dir)?;
    let recipe = Recipe::read(&args.dir)?;
    let path = args.output.clone().unwrap_or_else(|| format!("{}.bundle", recipe.name).into());
    if path.extension().is_some_and(|e| e == "blobs") {
        bail!("{} is where the blobs go, expected a name like NAME.bundle", path.display());
    }
    let keys = args.passphrases.open(&args.keys)?;
    let (manifest, blobs) = manifest(args, &recipe)?;
    let envelope =
        sign(&manifest, &keys).with_context(|| format!("cannot build {}", path.display()))?;
    let stored = Stored { path, envelope };
    for (digest, content) in &blobs {
        stored.add_blob(content, digest)?;
    }
    // The envelope last: where there is one, its blobs are there.
    stored.write()?;
    show::summary(&stored, &inspect(&stored.envelope)?, output)
}

fn manifest(args: &Args, recipe: &Recipe) -> anyhow::Result<(Manifest, BTreeMap<Digest, Content>)> {
    let created = args.created.map_or_else(time::now, Ok)?;
    let entry = recipe.entry()?;
    let fleet = fleet(args, recipe)?;
    let mut sources = sources(&args.dir, recipe)?;
    seal_secrets(&args.dir, recipe, fleet, &mut sources)?;
    let (files, blobs) = files(sources, &entry)?;
    let (on_success, on_failure) = recipe.then();
    let manifest = Manifest {
        name: recipe.name.clone(),
        serial: args.serial.or(recipe.serial).unwrap_or(created),
        created,
        not_after: recipe.not_after(created)?,
        fleet,
        machines: recipe.machines()?,
        min_image: recipe.min_image(),
        entry,
        args: recipe.args.clone(),
        time_limit_s: recipe.time_limit_s(),
        memory_limit: recipe.memory_limit(),
        on_success,
        on_failure,
        files,
        needs: recipe.needs()?,
        extensions: Vec::new(),
    };
    Ok((manifest, blobs))
}

fn fleet(args: &Args, recipe: &Recipe) -> anyhow::Result<FleetId> {
    let named = args.fleet.as_deref().map(read_trust).transpose()?.map(|trust| trust.fleet);
    match (named, recipe.fleet) {
        (Some(a), Some(b)) if a != b => {
            bail!("bundle.toml is for fleet {b}, the command line says {a}")
        }
        (Some(fleet), _) | (None, Some(fleet)) => Ok(fleet),
        (None, None) => Err(anyhow::anyhow!("it is not said for which fleet the bundle is"))
            .hint("name the fleet's folder with --fleet DIR"),
    }
}

/// What is in `files/`, and what is listed.
fn sources(dir: &Path, recipe: &Recipe) -> anyhow::Result<BTreeMap<FilePath, Source>> {
    let mut found = BTreeMap::new();
    let root = dir.join("files");
    if root.exists() {
        collect(&root, "", &mut found)?;
    }
    for Listed { path, from, mode } in &recipe.file {
        let from = dir.join(from);
        let mode = match mode {
            Some(mode) => mode.0,
            None => mode_of(&from)?,
        };
        let path: FilePath =
            path.parse().with_context(|| format!("`path = {path:?}` is not allowed"))?;
        let content = Content::File(from);
        if found.insert(path.clone(), Source { content, mode }).is_some() {
            bail!("{path} is there twice: listed, and in files/ or listed again");
        }
    }
    Ok(found)
}

/// Adds what `[secrets]` lists, sealed.
fn seal_secrets(
    dir: &Path,
    recipe: &Recipe,
    fleet: FleetId,
    found: &mut BTreeMap<FilePath, Source>,
) -> anyhow::Result<()> {
    for (name, from) in &recipe.secrets {
        let from = dir.join(from);
        let named = || format!("the secret {name:?}, {}", from.display());
        let label = Label::new(fleet, name).with_context(named)?;
        let secret = read_secret(&from).with_context(named)?;
        let sealed = seal(label, &secret, recipe.readers()?).with_context(named)?;
        let path = label.path().with_context(named)?;
        let source = Source { content: Content::Sealed(sealed), mode: 0o600 };
        if found.insert(path.clone(), source).is_some() {
            bail!("{path} is there twice: a secret, and in files/ or listed");
        }
    }
    Ok(())
}

/// At most one byte more than a secret may have, so that too long a one is found out.
fn read_secret(from: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new(Vec::with_capacity(limits::SECRET + 1));
    fs::File::open(from)?.take(limits::SECRET as u64 + 1).read_to_end(&mut secret)?;
    Ok(secret)
}

/// Collects regular files under `dir`, whose path in the bundle begins with `prefix`.
fn collect(dir: &Path, prefix: &str, found: &mut BTreeMap<FilePath, Source>) -> anyhow::Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", dir.display()))?;
        let from = entry.path();
        let name = entry.file_name();
        let name = name.to_str().with_context(|| format!("{} is not UTF-8", from.display()))?;
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().with_context(|| format!("cannot read {}", from.display()))?;
        if kind.is_dir() {
            collect(&from, &format!("{path}/"), found)?;
        } else if kind.is_file() {
            let mode = mode_of(&from)?;
            let path =
                path.parse().with_context(|| format!("{} is not allowed", from.display()))?;
            found.insert(path, Source { content: Content::File(from), mode });
        } else {
            let problem = format!("{} is not a regular file", from.display());
            return Err(anyhow::anyhow!(problem))
                .hint("a bundle holds regular files alone; make links from its script");
        }
    }
    Ok(())
}

fn mode_of(path: &Path) -> anyhow::Result<u32> {
    let meta = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !meta.is_file() {
        bail!("{} is not a regular file", path.display());
    }
    // Only what matters on the machine: the builder's umask shall not change the bundle.
    Ok(if meta.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 })
}

/// The manifest's files, and the blobs among them. The entry is made executable.
fn files(
    sources: BTreeMap<FilePath, Source>,
    entry: &FilePath,
) -> anyhow::Result<(Vec<File>, BTreeMap<Digest, Content>)> {
    if !sources.contains_key(entry) {
        return Err(anyhow::anyhow!("the entry `{entry}` is not among the bundle's files"))
            .hint("`entry` is a path below files/, or a listed file's path");
    }
    let (mut files, mut blobs, mut inline) = (Vec::new(), BTreeMap::new(), 0);
    for (path, Source { content, mode }) in sources {
        let mode = if path == *entry { mode | 0o111 } else { mode };
        let size = content.size()?;
        if size <= limits::INLINE as u64 && inline + usize::try_from(size)? <= INLINE_TOTAL {
            let content = content.read()?;
            inline += content.len();
            files.push(File::inline(path, mode, content));
        } else {
            let (digest, size) = content.hash(|_| Ok(()))?;
            files.push(File { path, mode, size, digest, content: None });
            blobs.insert(digest, content);
        }
    }
    Ok((files, blobs))
}
