//! wipe: the disks that are named, each by what it can; nothing else; and a report that the machine signed.

use super::{digest, disk, reports};
use anyhow::{Result, ensure};
use qemu_tests::{
    Bundle, Bus, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY, SOON},
};
use std::{fs, path::Path, path::PathBuf};

const MIB: usize = 1 << 20;

fn settings(serials: &str) -> String {
    format!("SERIALS=\"\n{serials}\n\"\nMETHOD=auto\nVERIFY=full\nMEDIUM=there\n")
}

#[test]
fn wipe_takes_the_named_disks_alone_and_its_report_is_signed() -> Result<()> {
    Scenario::run("recipe-wipe", |at| {
        let operator = Operator::start(at)?;
        let key = operator.new_key("cupboard")?;
        operator.approve_key(&key.fingerprint, "cupboard")?;
        let (kept, plain) = (full(&at.path("kept"))?, full(&at.path("plain"))?);
        let (nvme, sata) = (full(&at.path("nvme"))?, full(&at.path("sata"))?);
        let before = [digest(&kept)?, digest(&plain)?];
        let image = operator.image_of_with_toolbox("cupboard")?;
        let vm = Vm::new(at, "vm").cd(image).nic(Nic::User).disk(&kept).disk(&plain);
        let mut vm = vm.disk_on(Bus::Nvme, &nvme).disk_on(Bus::Sata, &sata).start()?;
        let wipe = |serials: &str| {
            operator.order(&Bundle::recipe("wipe", &settings(serials)).set("any", "true"))
        };
        vm.expect("boot medium: ", BOOT)?;
        // One that is there and one that is not: neither is touched. Then one that is in use.
        wipe("disk1\nDISK9")?;
        vm.expect("refused: no disk has the serial number \"DISK9\"", BOOT)?;
        vm.expect("phase wait", SOON)?;
        operator.order(&Bundle::new(
            "swap",
            "mkswap /dev/vdb > /dev/null && swapon /dev/vdb && echo swapping",
        ))?;
        vm.expect("script: swapping", RETRY)?;
        wipe("disk1")?;
        vm.expect("/dev/vdb is swap space in use", RETRY)?;
        vm.expect("phase wait", SOON)?;
        operator.order(&Bundle::new("stop", "swapoff /dev/vdb && echo stopped"))?;
        vm.expect("script: stopped", RETRY)?;

        wipe("disk1\ndisk2\ndisk3")?;
        // QEMU's disks pretend to discard: what they give back is what tells.
        vm.expect("after discard its content is still there", RETRY)?;
        vm.expect("the script succeeded", BOOT)?;
        vm.expect("phase wait", SOON)?;
        for disk in [&plain, &nvme, &sata] {
            ensure!(
                fs::read(disk)?.iter().all(|byte| *byte == 0),
                "{} has content",
                disk.display()
            );
        }
        ensure!(digest(&kept)? == before[0] && before[0] == before[1], "a disk that was not named");
        let told = reports(&operator, "cupboard")?;
        for (key, words) in [
            (
                "disk1",
                "serial=\"disk1\" model=\"\" size=8388608 method=overwrite verified=full at=20",
            ),
            (
                "disk2",
                "serial=\"disk2\" model=\"QEMU NVMe Ctrl\" size=8388608 method=format verified=",
            ),
            ("disk3", "serial=\"disk3\" model=\"QEMU HARDDISK\" size=8388608 method=overwrite"),
        ] {
            let value = told.get(key).cloned().unwrap_or_default();
            ensure!(value.starts_with(words), "{key}={value}");
        }
        let verify = ["run", "verify-report", "--machine", "cupboard", "--signed-by"];
        let said = operator.text(&[&verify, &[key.fingerprint.as_str()][..]].concat())?;
        ensure!(said.matches("verified  disk").count() == 3, "{said}");
        // Held against another machine's key, it is not what that machine signed.
        let other = operator.new_key("other")?.public;
        let refused = operator.text(&[&verify, &[other.as_str()][..]].concat());
        let refused = refused.err().map(|e| e.to_string()).unwrap_or_default();
        ensure!(refused.contains("3 of 3 signed reports are not"), "{refused}");
        Ok(())
    })
}

/// A disk that is full of data.
fn full(path: &Path) -> Result<PathBuf> {
    let disk = disk(path, 8)?;
    fs::write(&disk, (0..8 * MIB).map(|at| (at % 251) as u8 | 1).collect::<Vec<_>>())?;
    Ok(disk)
}
