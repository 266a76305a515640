//! Building and stamping: the same bytes from the same inputs; a stamp is quick and tells no secret.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm, paths,
    wait::{BOOT, SOON},
};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// What a stamp may take.
const STAMP: Duration = Duration::from_secs(2);

/// Builds an image from what that under test was made from.
fn build(operator: &Operator) -> Result<Command> {
    let (kernel, lock) = paths::made_from()?;
    let mut build = operator.plain(&["image", "build", "--no-toolbox", "--locked"])?;
    build.args(["--kernel", kernel, "--lock"]).arg(lock);
    Ok(build)
}

#[test]
fn built_again_elsewhere_it_has_the_same_bytes() -> Result<()> {
    Scenario::run("image-again", |at| {
        let operator = Operator::start(at)?;
        let (iso, target) = (paths::iso()?, paths::target());
        // Nothing is shared with the first build but the packages and the kernel: every other part is made anew.
        let cache = at.path("cache/xenoboot");
        fs::create_dir_all(&cache)?;
        for shared in ["apt", "kernel"] {
            symlink(xenoboot_image::cache_folder()?.join(shared), cache.join(shared))?;
        }
        let guest = at.path("programs");
        fs::create_dir(&guest)?;
        let programs = inspect(&operator, &iso)?;
        for name in ["init", "agent", "toolkit"] {
            let from = target.join("x86_64-unknown-linux-gnu/guest").join(name);
            fs::copy(&from, guest.join(name)).with_context(|| from.display().to_string())?;
            let digest = xenoboot_image::sha256(&fs::read(from)?);
            ensure!(programs["programs"][name] == digest, "the image has another {name}");
        }
        let crates = xenoboot_image::build::CRATES;
        fs::copy(target.join("x86_64-unknown-linux-gnu/guest").join(crates), guest.join(crates))?;
        let again = at.path("again.iso");
        let mut build = build(&operator)?;
        build.arg("--guest").arg(guest);
        build.arg("--output").arg(&again).env("XDG_CACHE_HOME", at.path("cache"));
        let output = build.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ensure!(fs::read(&again)? == fs::read(iso)?, "built twice, the images differ");
        let size = fs::metadata(&again)?.len();
        ensure!(size < 64_000_000, "the image has {size} bytes");
        Ok(())
    })
}

#[test]
fn an_operators_own_files_are_there() -> Result<()> {
    Scenario::run("image-overlay", |at| {
        let operator = Operator::start(at)?;
        let (target, base) = (paths::target(), at.path("base.iso"));
        let overlay = at.path("overlay");
        for folder in ["sbin", "etc/ours"] {
            fs::create_dir_all(overlay.join(folder))?;
        }
        let program = overlay.join("sbin/ours");
        fs::write(&program, "#!/bin/sh\necho ours says $(cat /etc/ours/word)\n")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        fs::write(overlay.join("etc/ours/word"), "hello")?;
        let mut build = build(&operator)?;
        build.arg("--overlay").arg(&overlay);
        build.arg("--guest").arg(target.join("x86_64-unknown-linux-gnu/guest"));
        let output = build.arg("--output").arg(&base).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        operator.order(&Bundle::new("ours", "ours; command -v sh"))?;
        let mut vm = Vm::new(at, "vm").cd(operator.image_from(&base)?).nic(Nic::User).start()?;
        operator.approve("cupboard")?;
        vm.expect("script: ours says hello", BOOT)?;
        // The image's own links are as they were.
        vm.expect("script: /usr/bin/sh", SOON)?;
        Ok(())
    })
}

#[test]
fn a_stamp_is_quick_and_keeps_its_secret() -> Result<()> {
    Scenario::run("image-stamp", |at| {
        let operator = Operator::start(at)?;
        let base = fs::read(paths::iso()?)?;
        let fingerprint = operator.new_machine("rack-12")?;
        let started = Instant::now();
        let stamped = operator.image_of("rack-12")?;
        let took = started.elapsed();
        ensure!(took < STAMP, "the stamp took {took:?}");

        let said = inspect(&operator, &stamped)?;
        ensure!(
            said["machine"]["name"] == "rack-12" && said["fingerprint"] == fingerprint,
            "{said}"
        );
        ensure!(said["servers"].as_array().is_some_and(|servers| servers.len() == 1), "{said}");
        let plain = operator.text(&["image", "inspect", &stamped.to_string_lossy()])?;
        let pem = fs::read_to_string(at.path("rack-12.key"))?;
        let secret: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        // The 16 bytes before it are the same in every key of its kind.
        let secret = secret.get(24..).context("the key file is too short")?;
        ensure!(!plain.contains(secret) && !said.to_string().contains(secret), "a key is shown");
        ensure!(fs::metadata(&stamped)?.permissions().mode() & 0o077 == 0, "others may read it");

        // For another machine: another volume; and the base is as it was.
        operator.new_machine("rack-13")?;
        let site = operator.site(&["https://192.0.2.1"]);
        let other = operator.stamp_as("other", &site, "rack-13")?;
        ensure!(inspect(&operator, &other)?["uuid"] != said["uuid"], "two volumes have one name");
        ensure!(fs::read(paths::iso()?)? == base, "the base image was changed");
        Ok(())
    })
}

#[test]
fn a_site_without_trust_makes_no_image() -> Result<()> {
    Scenario::run("image-refused", |at| {
        let operator = Operator::start(at)?;
        let (site, out) = (at.path("site.toml"), at.path("out.iso"));
        fs::write(&site, operator.site(&["https://192.0.2.1"]))?;
        let mut stamp = operator.plain(&["image", "stamp"])?;
        stamp.arg(paths::iso()?).arg("--site").arg(&site).arg("--output").arg(&out);
        let output = stamp.arg("--new-key").arg(at.path("new.key")).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && said.contains("--trust"), "{said}");
        ensure!(!out.exists() && !at.path("new.key").exists(), "something was left behind");
        Ok(())
    })
}

fn inspect(operator: &Operator, image: &Path) -> Result<Value> {
    operator.run(&["image", "inspect", &image.to_string_lossy()])
}
