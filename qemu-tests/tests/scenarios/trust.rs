//! Bundles that must not run, one after the other on one machine: each is refused with its own code, and
//! a good one runs afterwards.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    operator::Stamp,
    wait::{BOOT, RETRY},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What no refused bundle may print.
const EVIL: &str = "echo EVIL";

#[test]
fn bundles_that_must_not_run() -> Result<()> {
    Scenario::run("trust", |at| {
        let operator = Operator::start(at)?;
        let fleet = operator.new_fleet("two", &["alice", "bob", "carol"], 2)?;
        let stamp = Stamp {
            site: operator.site_by_host(operator.server.address.port()),
            fleet: &fleet,
            machine: None,
        };
        let mut vm =
            Vm::new(at, "vm").cd(operator.stamp_with("image", &stamp)?).nic(Nic::User).start()?;
        operator.approve("cupboard")?;
        vm.expect("phase wait", BOOT)?;

        let key = |signer: &str| Operator::key(&fleet, signer);
        let both = [key("alice"), key("bob")];
        let good = |name: &str| Bundle::new(name, EVIL).for_fleet(&fleet).signed_by(&both);
        let stranger = Operator::key(&operator.fleet(), "signer");

        let few = good("few").signed_by(&[key("alice")]);
        refused(&operator, &mut vm, &few, "XB-BUN-03")?;
        let unpinned = good("unpinned").signed_by(&[stranger]);
        refused(&operator, &mut vm, &unpinned, "XB-BUN-04")?;
        let expired = good("expired").created("2025-01-01T00:00:00Z");
        refused(&operator, &mut vm, &expired, "XB-BUN-05")?;
        let foreign = good("foreign").for_fleet(operator.fleet());
        refused(&operator, &mut vm, &foreign, "XB-BUN-06")?;
        let other = "0123456789abcdef".repeat(4);
        let elsewhere = good("elsewhere").unset("any").set("machines", &format!("[\"{other}\"]"));
        refused(&operator, &mut vm, &elsewhere, "XB-BUN-07")?;
        let newer = good("newer").set("min-image", "\"9.0.0\"");
        refused(&operator, &mut vm, &newer, "XB-BUN-08")?;

        operator.push(&good("bent"))?;
        bend_bundle(&operator, "EVIL", "EVIK")?;
        operator.run(&["assign", "bent", "--default"])?;
        shows(&mut vm, "XB-BUN-")?;

        vm.console.skip();
        operator.order(&Bundle::new("good", "echo good").for_fleet(&fleet).signed_by(&both))?;
        vm.expect("script: good", RETRY)?;
        ensure!(!vm.console.has("script: EVIL"), "a bundle ran that must not");
        Ok(())
    })
}

#[test]
fn blobs_that_are_damaged_on_the_server() -> Result<()> {
    Scenario::run("blobs", |at| {
        let operator = Operator::start(at)?;
        let big = at.path("big");
        fs::write(&big, (0..300_000u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>())?;
        let script = "sha256sum \"$(dirname \"$0\")/big\"; echo ran";
        operator.push(&Bundle::new("blobs", script).file("big", &big))?;
        let blob = blob_of(&operator, &big)?;
        let whole = fs::read(&blob)?;
        let mut vm = Vm::new(at, "vm").cd(operator.image()?).nic(Nic::User).start()?;
        operator.approve("cupboard")?;
        vm.expect("phase wait", BOOT)?;

        fs::write(&blob, &whole[..whole.len() / 2])?;
        operator.run(&["assign", "blobs", "--default"])?;
        shows(&mut vm, "XB-BLB-01")?;
        // In the part that it does not have yet: what came before the cut is not fetched again.
        let mut bent = whole.clone();
        bent[whole.len() - 100] ^= 4;
        fs::write(&blob, bent)?;
        shows(&mut vm, "XB-BLB-02")?;
        ensure!(!vm.console.has("script: ran"), "the script ran without its file");
        fs::write(&blob, &whole)?;
        vm.expect("script: ran", RETRY)?;
        Ok(())
    })
}

/// The bundle is assigned, and refused with `code`.
fn refused(operator: &Operator, vm: &mut Vm, bundle: &Bundle, code: &str) -> Result<()> {
    vm.console.skip();
    operator.order(bundle).with_context(|| bundle.name().to_owned())?;
    let line = vm.expect(code, RETRY).with_context(|| bundle.name().to_owned())?;
    says_what_next(&line)
}

fn shows(vm: &mut Vm, code: &str) -> Result<()> {
    vm.console.skip();
    let line = vm.expect(code, RETRY)?;
    says_what_next(&line)
}

fn says_what_next(line: &str) -> Result<()> {
    ensure!(line.contains("; "), "it does not say what happens next: {line}");
    Ok(())
}

/// Changes stored bundles at the server, as someone who has taken it would.
fn bend_bundle(operator: &Operator, from: &str, to: &str) -> Result<()> {
    let mut bent = 0;
    for file in files(operator.server.folder())? {
        let bytes = fs::read(&file)?;
        let at = bytes.windows(from.len()).rposition(|window| window == from.as_bytes());
        if let Some(at) = at {
            let mut bytes = bytes;
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            fs::write(&file, bytes)?;
            bent += 1;
        }
    }
    ensure!(bent > 0, "no stored bundle was found");
    Ok(())
}

/// The file in which the server keeps the blob with the content of `like`.
fn blob_of(operator: &Operator, like: &Path) -> Result<PathBuf> {
    let content = fs::read(like)?;
    let stored = files(operator.server.folder())?;
    let same = |file: &PathBuf| fs::read(file).is_ok_and(|bytes| bytes == content);
    stored.into_iter().find(same).context("the server does not store the blob as a file")
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}
