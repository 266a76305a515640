//! The demonstration: a virtual machine boots the image, finds its server by the pinned key, runs a signed
//! script that repairs a broken disk, and reports. Started by `cargo xtask demo`, with the folder of the unpacked
//! package e2fsck-static as its argument.

mod disk;
mod follow;
mod times;

use anyhow::{Context, Result, ensure};
use disk::Disk;
use qemu_tests::{Nic, Operator, Vm, paths, scenario::tail, wait};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

/// The machine's name.
const MACHINE: &str = "cupboard";

fn main() -> ExitCode {
    let folder = paths::target().join("demo");
    match env::args_os()
        .nth(1)
        .context("usage: demo E2FSCK-FOLDER")
        .and_then(|fsck| demo(&folder, Path::new(&fsck)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demonstration failed: {error:#}");
            eprintln!(
                "The end of the machine's console:\n{}",
                tail(&folder.join("machine.serial"), 30)
            );
            eprintln!("Everything is kept in {}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn demo(folder: &Path, fsck: &Path) -> Result<()> {
    let start = Instant::now();
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let fsck = fsck_program(fsck)?;

    println!("\nThe disk");
    let disk = Disk::make(&folder.join("disk"))?;
    said(start, "made an ext4 file system and overwrote its primary superblock");
    println!("      {}", disk.complaint(&fsck)?);

    println!("\nThe operator");
    let operator = Operator::in_folder(folder)?;
    said(start, &format!("server at https://{}, known by its pin", operator.server.address));
    println!("      {}", operator.server.pin);
    bundle(&operator, folder, &fsck)?;
    said(start, "built and signed the bundle `repair`, pushed it and assigned it");
    let fingerprint = operator.new_machine(MACHINE)?;
    let image = operator.image_of(MACHINE)?;
    said(start, &format!("stamped the image for the machine `{MACHINE}`"));

    println!("\nThe machine (virtual, 512 MB, BIOS, boots the CD)");
    let power_on = Instant::now();
    let machine = Vm::in_folder(folder, "machine").cd(image).nic(Nic::User).disk(&disk.path);
    let mut vm = machine.start()?;
    said(start, "powered on");
    ensure!(operator.approve(MACHINE)? == fingerprint, "another machine asked for work");
    said(start, &format!("it asks for work; approved its key {fingerprint}"));
    println!("\nThe live log, as the operator sees it");
    follow::run(&operator, MACHINE)?;
    vm.expect("phase wait", wait::SOON)?;
    let total = power_on.elapsed();
    vm.picture(&folder.join("screen.png"))?;
    let times = times::Times::read(&vm.console.text());
    drop(vm);

    println!("\nThe disk afterwards");
    disk.check(&fsck)?;
    println!("      e2fsck finds no error; the file is edited: {}", disk::EDITED);
    times.print(total);
    println!("\nIts screen: {}", folder.join("screen.png").display());
    Ok(())
}

fn said(start: Instant, what: &str) {
    println!("{:>6.1} s {what}", start.elapsed().as_secs_f64());
}

fn fsck_program(package: &Path) -> Result<PathBuf> {
    let places = ["sbin/e2fsck.static", "usr/sbin/e2fsck.static"];
    let found = places.map(|place| package.join(place)).into_iter().find(|path| path.exists());
    found.with_context(|| format!("{} has no e2fsck.static", package.display()))
}

/// The bundle in `demo/repair`, with e2fsck put beside it.
fn bundle(operator: &Operator, folder: &Path, fsck: &Path) -> Result<()> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/repair");
    let source = folder.join("repair");
    fs::create_dir_all(source.join("files"))?;
    for file in ["bundle.toml", "files/run.sh"] {
        fs::copy(from.join(file), source.join(file))
            .with_context(|| from.join(file).display().to_string())?;
    }
    fs::copy(fsck, source.join("e2fsck")).with_context(|| fsck.display().to_string())?;
    let key = Operator::key(&operator.fleet(), "signer");
    let key = key.to_str().context("the folder's name is not text")?;
    operator.run(&["bundle", "build", "repair", "--fleet", "fleet", "-o", "repair.bundle"])?;
    operator.run(&["bundle", "sign", "repair.bundle", "--key", key])?;
    operator.run(&["bundle", "push", "repair.bundle"])?;
    operator.run(&["assign", "repair", "--default"])?;
    ensure!(folder.join("repair.bundle").exists(), "no bundle was built");
    Ok(())
}
