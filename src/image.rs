//! `xenoboot image build|stamp|inspect`.

mod lock;
mod push;
mod show;
mod stamp;
mod toolbox;

use crate::ui::{Output, WithHint, interactive};
use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use indicatif::ProgressBar;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use xenoboot_image::{
    apt::Apt,
    build, cache_folder,
    kernel::{Kernel, Made},
    site::Stamp,
    toolbox::Inputs,
};

/// The kernel's modules that go into every image.
const MODULES: &str = include_str!("../initramfs/modules.list");

/// Arguments of `xenoboot image`.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build an image from Debian's packages and our static programs
    #[command(
        after_help = "Examples:\n  xenoboot image build -o base.iso\n  xenoboot image build --site site.toml --trust home/trust.toml -o home.iso\n  xenoboot image build --locked -o again.iso\n  xenoboot image build --no-toolbox --overlay ours -o small.iso\n  xenoboot image build --kernel purpose --no-toolbox -o old-machines.iso"
    )]
    Build(BuildArgs),
    /// Make from an image one for another site, server or machine
    #[command(
        after_help = "Examples:\n  xenoboot image stamp base.iso --site site.toml --trust home/trust.toml -o home.iso\n  xenoboot image stamp home.iso --machine-name web-1 --new-key web-1.key -o web-1.iso"
    )]
    Stamp(stamp::Args),
    /// Print what an image holds
    #[command(
        after_help = "Examples:\n  xenoboot image inspect home.iso\n  xenoboot image inspect /dev/sdb --json"
    )]
    Inspect {
        /// An image, or the device that it was written to
        image: PathBuf,
    },
    /// Print the list of the toolbox's packages, to edit it and build with it
    #[command(
        after_help = "Example:\n  xenoboot image toolbox-list > ours.list; echo bcache-tools >> ours.list; xenoboot image build --toolbox ours.list -o ours.iso"
    )]
    ToolboxList,
    /// Give the server an image's toolbox, for machines that cannot read theirs
    #[command(after_help = "Example:\n  xenoboot image push-toolbox home.iso")]
    PushToolbox(push::Args),
}

#[derive(clap::Args)]
struct BuildArgs {
    /// The new image
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Folder with the static programs init, agent and toolkit
    #[arg(
        long,
        value_name = "DIR",
        env = "XENOBOOT_GUEST",
        default_value = "target/x86_64-unknown-linux-gnu/guest"
    )]
    guest: PathBuf,
    #[command(flatten)]
    stamp: stamp::Source,
    /// Where the packages that were used are written, and read with --locked
    #[arg(long, value_name = "FILE", default_value = "image.lock")]
    lock: PathBuf,
    /// Use exactly the packages of the lock file
    #[arg(long)]
    locked: bool,
    /// Whose kernel: debian, purpose (the one that `cargo xtask kernel` built last), or the folder with one of those
    #[arg(long, value_name = "WHICH", default_value = "debian")]
    kernel: String,
    /// Words to add to the kernel's command line
    #[arg(long, value_name = "WORDS", default_value = "")]
    append: String,
    #[command(flatten)]
    toolbox: toolbox::Args,
    /// Folder with files and static programs to add to the image
    #[arg(long, value_name = "DIR")]
    overlay: Option<PathBuf>,
    /// Replace the output if it is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<()> {
    match args.verb {
        Verb::Build(args) => build_image(&args, output),
        Verb::Stamp(args) => stamp::run(&args, output),
        Verb::Inspect { image } => show::run(&image, output),
        Verb::ToolboxList => {
            print!("{}", toolbox::LIST);
            Ok(())
        }
        Verb::PushToolbox(args) => push::run(&args, output),
    }
}

fn build_image(args: &BuildArgs, output: &Output) -> Result<()> {
    may_write(&args.output, args.force)?;
    let kernel = kernel(&args.kernel, &cache_folder()?)?;
    let applets = applets(&args.guest)?;
    let stamp = args.stamp.read(Stamp::default())?;
    let built = build_with(args, kernel, applets, stamp, output);
    if built.is_err() {
        args.stamp.forget_new_key();
    }
    built
}

fn build_with(
    args: &BuildArgs,
    kernel: Kernel,
    applets: Vec<String>,
    stamp: Stamp,
    output: &Output,
) -> Result<()> {
    let bar = if interactive() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    bar.enable_steady_tick(Duration::from_millis(120));
    let say = |step: &str| bar.set_message(step.to_owned());
    let cache = cache_folder()?;
    let apt = Apt::new(&cache.join("apt"))?;
    let list = args.toolbox.list()?;
    let packages = lock::Packages { kernel: &kernel, list: list.as_ref(), apt: &apt, say: &say };
    let lock = if args.locked { packages.locked(&args.lock)? } else { packages.newest()? };
    let all = [&lock.packages[..], &lock.toolbox].concat();
    let size: u64 = all.iter().map(|package| package.size).sum();
    say(&format!("fetching {} packages ({} MB)", all.len(), size / 1_000_000));
    apt.fetch_all(&all)?;
    if !args.locked {
        lock.save(&args.lock)?;
    }
    let toolbox = list.map(|list| Inputs { list, packages: lock.toolbox });
    let inputs = build::Inputs {
        version: env!("CARGO_PKG_VERSION"),
        guest: &args.guest,
        applets,
        module_rules: MODULES,
        append: &args.append,
        kernel,
        packages: lock.packages,
        toolbox,
        overlay: args.overlay.as_deref(),
        stamp,
    };
    let report = build::build(&inputs, &apt, &cache, &args.output, &say)?;
    bar.finish_and_clear();
    for rule in report.unused_rules {
        eprintln!(
            "xenoboot: warning: the kernel has no module under {rule} (initramfs/modules.list)"
        );
    }
    if output.json {
        let sizes: serde_json::Map<_, _> =
            report.sizes.into_iter().map(|(name, size)| (name, size.into())).collect();
        println!("{}", serde_json::json!({ "image": args.output, "sizes": sizes }));
    } else {
        for (name, size) in &report.sizes {
            println!("{name:<12} {:>7.2} MB", *size as f64 / 1e6);
        }
    }
    Ok(())
}

/// The kernel that `which` names.
fn kernel(which: &str, cache: &Path) -> Result<Kernel> {
    let folder = match which {
        "debian" => return Ok(Kernel::Debian),
        "purpose" => Made::newest(cache),
        folder => PathBuf::from(folder),
    };
    let made = Made::open(&folder).with_context(|| format!("no kernel for --kernel {which}"));
    made.map(Kernel::Made).hint("build one with `cargo xtask kernel`")
}

/// The names under which the toolkit is called; it knows them itself.
fn applets(guest: &Path) -> Result<Vec<String>> {
    let toolkit = guest.join("toolkit");
    let said = Command::new(&toolkit)
        .arg("--list")
        .output()
        .with_context(|| format!("cannot run {}", toolkit.display()))
        .hint(
            "build the static programs with `cargo xtask image`, or name their folder with --guest",
        )?;
    ensure!(said.status.success(), "{} --list failed ({})", toolkit.display(), said.status);
    Ok(String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect())
}

/// Refuses to replace a file that nobody said to replace.
fn may_write(path: &Path, force: bool) -> Result<()> {
    if path.exists() && !force {
        return Err(anyhow::anyhow!("{} is there already", path.display()))
            .hint("say --force to replace it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_was_not_built_is_asked_for() -> Result<()> {
        let cache = tempfile::tempdir()?;
        assert_eq!(kernel("debian", cache.path())?, Kernel::Debian);
        let said = kernel("purpose", cache.path()).map_err(|error| format!("{error:#}"));
        let said = said.err().context("there is none")?;
        assert!(said.contains("no kernel for --kernel purpose"), "{said}");
        assert!(said.contains("kernel/purpose/release"), "{said}");
        assert!(kernel("/nowhere", cache.path()).is_err());
        Ok(())
    }
}
