//! install-debootstrap: from an empty disk to a Debian that runs, made of the packages of a mirror.

use super::{disk, file, reports, root_of};
use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm, Web, debian, mirror,
    wait::{BOOT, SOON},
};
use std::{fs, path::Path, time::Duration};

/// Unpacking and configuring packages, and installing two boot loaders, without hardware virtualisation.
const INSTALL: Duration = Duration::from_secs(1500);

/// The start of a whole system, without hardware virtualisation.
const UP: Duration = Duration::from_secs(400);

#[test]
fn a_debian_is_installed_from_packages_of_a_signed_mirror_only() -> Result<()> {
    Scenario::run("recipe-debootstrap", |at| {
        let mirror = mirror::debian()?;
        let web = Web::start(&mirror.www)?;
        let operator = Operator::start(at)?;
        let key = operator.new_key("cupboard")?;
        operator.approve_key(&key.fingerprint, "cupboard")?;
        let target = disk(&at.path("disk"), 700)?;
        let image = operator.image_of_with_toolbox("cupboard")?;
        let settings = format!(
            "SUITE={}\nMIRROR=\"{}\"\nCOMPONENTS=main\nKEYRING=mirror.gpg\nVARIANT=minbase\nPACKAGES=\"{} {}\"\n\
             EXCLUDE=apt\nDISK=largest\nFILE_SYSTEM=ext4\nESP_SIZE=64MiB\nSWAP_SIZE=0\nHOSTNAME=\nNETWORK=auto\n\
             KERNEL_WORDS='ro console=ttyS0 loglevel=5'\nCONFIRM_SECONDS=0\nWATCHDOG=600\n",
            debian::NOW,
            web.url("").trim_end_matches('/'),
            mirror::ASKED_FOR.join(" "),
            mirror::KERNEL,
        );
        let recipe = |keyring: &Path| {
            let recipe = Bundle::recipe("install-debootstrap", &settings).set("any", "true");
            recipe.file("mirror.gpg", keyring)
        };

        let machine = Vm::new(at, "vm").cd(image).nic(Nic::User).memory(768);
        let mut machine = machine.scratch(&target, None).start()?;
        machine.expect("boot medium: ", BOOT)?;
        operator.order(&recipe(&mirror.other_keyring))?;
        machine.expect("InRelease is not signed by a key of KEYRING=mirror.gpg", BOOT)?;
        machine.expect("phase wait", SOON)?;
        ensure!(fs::read(&target)?.iter().all(|byte| *byte == 0), "the disk was written to");

        operator.order(&recipe(&mirror.keyring))?;
        machine.expect("the loaded kernel is started", INSTALL)?;
        let told = reports(&operator, "cupboard")?;
        ensure!(told.contains_key("ssh-host-key"), "{told:#?}");
        machine.expect("the installed system cupboard is up", UP)?;
        ensure!(machine.qmp.events("RESET") == 0, "the machine went through its firmware");
        drop(machine);
        let root = root_of(&target)?;
        let network = file(&root, "/etc/systemd/network/05-xenoboot.network")?;
        for line in ["MACAddress=52:54:00:00:00:01", "DHCP=ipv4"] {
            ensure!(network.lines().any(|there| there == line), "no {line}: {network}");
        }
        let status = file(&root, "/var/lib/dpkg/status")?;
        let init =
            status.split("\n\n").find(|stanza| stanza.starts_with("Package: systemd-sysv\n"));
        let init = init.context("no systemd-sysv")?;
        ensure!(init.contains("\nStatus: install ok installed\n"), "{init}");
        // That such a disk boots by itself is seen with install-debian-image.
        ensure!(!status.contains("half-"), "{status}");
        Ok(())
    })
}
