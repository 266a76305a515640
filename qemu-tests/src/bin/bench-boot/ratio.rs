//! Paired runs: ours, then the baseline, then ours again.

use crate::{
    baseline::{self, PACKAGES, Settings},
    files::Files,
    ours::Ours,
    stamps::{self, COMMAND_LINE, SCRIPT},
};
use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Nic, Vm, VmBuilder,
    figure::{Figure, Limit, median},
    programs,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use xenoboot_image::{apt::Apt, cache_folder};

/// Not over this share of the baseline's time.
const LIMIT: f64 = 0.45;

/// Measures `pairs` pairs by each of two clocks. The figure is the median of the ratios by the clock that
/// counts instructions: by the other, under emulation, most of what is measured is the emulator's
/// translating of code that runs once.
pub(crate) fn measure(folder: &Path, ours: &Ours, pairs: usize) -> Result<Figure> {
    let baseline = Baseline::prepare(folder, ours)?;
    println!(
        "\nMilliseconds from `Run /init as init process` to the script's first line, by the kernel's clock.\n\
         Under emulation that clock counts instructions (one a nanosecond) and idle time; in the columns\n\
         \"wall\" it is the host's.\n"
    );
    println!("| pair | ours | baseline | ratio | ours, wall | baseline, wall | ratio, wall |");
    println!("|---|---|---|---|---|---|---|");
    let (mut ratios, mut walls) = (Vec::new(), Vec::new());
    for pair in 1..=pairs {
        let own = |name: &str| {
            Ok::<_, anyhow::Error>(ours.direct(name, &ours.iso, COMMAND_LINE)?.nic(Nic::User))
        };
        let counted = [
            once(own(&format!("ours-{pair}"))?.instruction_clock())?,
            once(baseline.machine(folder, ours, &format!("baseline-{pair}")).instruction_clock())?,
        ];
        let wall = [
            once(own(&format!("ours-wall-{pair}"))?)?,
            once(baseline.machine(folder, ours, &format!("baseline-wall-{pair}")))?,
        ];
        let ratio = |[own, theirs]: [f64; 2]| own / theirs;
        println!(
            "| {pair} | {:.0} | {:.0} | {:.3} | {:.0} | {:.0} | {:.3} |",
            counted[0],
            counted[1],
            ratio(counted),
            wall[0],
            wall[1],
            ratio(wall)
        );
        ratios.push(ratio(counted));
        walls.push(ratio(wall));
    }
    let wall = median(walls).context("nothing was measured")?;
    println!("\nMedian of the ratios by the host's clock: {wall:.3}");
    let value = median(ratios).context("nothing was measured")?;
    Ok(Figure { name: "boot-ratio", value, unit: "ratio", limit: Limit::Most(LIMIT) })
}

fn once(machine: VmBuilder) -> Result<f64> {
    stamps::wait(&mut machine.start()?)
}

/// The baseline's initramfs and the server that it asks.
struct Baseline {
    initramfs: PathBuf,
    _files: Files,
}

impl Baseline {
    fn prepare(folder: &Path, ours: &Ours) -> Result<Self> {
        let apt = Apt::new(&cache_folder()?.join("apt"))?;
        let tree = folder.join("packages");
        programs::unpack(PACKAGES, &tree)?;
        let kernel =
            ours.recipe.packages.iter().find(|package| package.name.starts_with("linux-image-"));
        let modules = apt.unpack(kernel.context("the image names no kernel")?)?;
        let below = format!("lib/modules/{}", ours.recipe.kernel);
        let places = [modules.join("usr").join(&below), modules.join(&below)];
        let modules =
            places.into_iter().find(|path| path.exists()).context("the kernel has no modules")?;

        let (signer, signature) = sign(folder, &tree, SCRIPT)?;
        let contents =
            [("/script".to_owned(), SCRIPT.into()), ("/script.minisig".to_owned(), signature)];
        let files = Files::serve(contents.into())?;
        let url = format!("https://10.0.2.2:{}/script", files.port());
        let settings = Settings { url: &url, pin: files.pin(), signer: &signer };
        let initramfs = baseline::build(&tree, &modules, folder, &settings)?;
        Ok(Self { initramfs, _files: files })
    }

    fn machine(&self, folder: &Path, ours: &Ours, name: &str) -> VmBuilder {
        let vm = Vm::in_folder(folder, name);
        vm.kernel(&ours.kernel, &self.initramfs, COMMAND_LINE).nic(Nic::User)
    }
}

/// Signs by the packaged minisign, with its own loader and libraries; the public key and the signature.
fn sign(folder: &Path, tree: &Path, script: &str) -> Result<(String, Vec<u8>)> {
    let at = |name: &str| folder.join(name);
    let libraries = tree.join("usr/lib/x86_64-linux-gnu");
    let minisign = |arguments: &[&str]| {
        let mut command = Command::new(programs::loader(tree));
        command.arg("--library-path").arg(&libraries).arg(tree.join("usr/bin/minisign"));
        let out = command.args(arguments).current_dir(folder).output().context("minisign")?;
        ensure!(out.status.success(), "minisign: {}", String::from_utf8_lossy(&out.stderr));
        Ok(())
    };
    fs::write(at("script"), script)?;
    minisign(&["-G", "-W", "-f", "-p", "signer.pub", "-s", "signer.sec"])?;
    minisign(&["-S", "-s", "signer.sec", "-m", "script", "-x", "script.minisig"])?;
    let public = fs::read_to_string(at("signer.pub"))?;
    let line = public.lines().nth(1).context("minisign wrote no public key")?;
    Ok((line.to_owned(), fs::read(at("script.minisig"))?))
}
