//! install-debian-image: from an empty disk to a Debian that runs, at once by kexec and later from its own disk.

use super::{disk, file, root_of};
use anyhow::{Context, Result, ensure};
use qemu_tests::{Bundle, Nic, Operator, Scenario, Vm, Web, root_image, wait::BOOT};
use std::{fs, process::Command, time::Duration};

/// Unpacking and installing two boot loaders, without hardware virtualisation.
const INSTALL: Duration = Duration::from_secs(600);

/// The start of a whole system, without hardware virtualisation.
const UP: Duration = Duration::from_secs(400);

/// What QEMU's own network would tell by DHCP, without it.
const NETWORK: &str = "[[network.link]]\nmac = \"52:54:00:00:00:01\"\n\
    ipv4 = { address = \"10.0.2.15/24\", gateway = \"10.0.2.2\" }\nipv6 = \"off\"\ndns = [\"10.0.2.3\"]\n";

#[test]
fn a_debian_image_is_installed_and_boots_by_bios_and_uefi() -> Result<()> {
    Scenario::run("recipe-install", |at| {
        let (archive, digest) = root_image::debian()?;
        let www = at.path("www");
        fs::create_dir(&www)?;
        fs::copy(archive, www.join("root.tar.zst"))?;
        let web = Web::start(&www)?;
        let operator = Operator::start(at)?;
        let key = operator.new_key("cupboard")?;
        operator.approve_key(&key.fingerprint, "cupboard")?;
        let host_key = at.path("host.key");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&host_key);
        ensure!(keygen.status().context("ssh-keygen")?.success(), "no host key was made");
        let target = disk(&at.path("disk"), 700)?;
        let vm = |name: &str| Vm::new(at, name).nic(Nic::User).memory(768).disk(&target);

        let settings = format!(
            "IMAGE=\"{} {digest}\"\nDISK=largest\nFILE_SYSTEM=ext4\nESP_SIZE=64MiB\n\
             SWAP_SIZE=0\nHOSTNAME=\nNETWORK=auto\nKERNEL_WORDS='ro console=ttyS0 loglevel=5'\nFETCH_OPTIONS=-q\n\
             CONFIRM_SECONDS=600\nWATCHDOG=600\n",
            web.url("root.tar.zst")
        );
        let recipe = Bundle::recipe("install-debian-image", &settings).set("any", "true");
        let recipe = recipe.secret("ssh-host-ed25519", &host_key);
        let recipe = recipe.text("seed/user-data", "#cloud-config\n");
        operator.order(&recipe.set("seal-for", &format!("[\"{}\"]", key.public)))?;
        let image = operator.image_of_with_toolbox_on("cupboard", NETWORK)?;
        let mut machine = vm("installed").cd(image).start()?;
        machine.expect("the loaded kernel is started", BOOT + INSTALL)?;
        machine.expect("the installed system cupboard is up", UP)?;
        machine.expect("the server knows that this system is up", UP)?;
        ensure!(machine.qmp.events("RESET") == 0, "the machine went through its firmware");
        drop(machine);
        let root = root_of(&target)?;
        let there = fs::read_to_string(&host_key)?;
        ensure!(file(&root, "/etc/ssh/ssh_host_ed25519_key")? == there, "another host key");
        let network = file(&root, "/etc/systemd/network/05-xenoboot.network")?;
        for line in ["MACAddress=52:54:00:00:00:01", "Address=10.0.2.15/24", "Gateway=10.0.2.2"] {
            ensure!(network.lines().any(|there| there == line), "no {line}: {network}");
        }
        ensure!(!network.contains("DHCP="), "{network}");
        ensure!(file(&root, "/etc/resolv.conf")? == "nameserver 10.0.2.3\n", "other name servers");
        let seed = "/var/lib/cloud/seed/nocloud";
        ensure!(file(&root, &format!("{seed}/user-data"))? == "#cloud-config\n", "no seed");
        let meta = file(&root, &format!("{seed}/meta-data"))?;
        ensure!(meta.contains("local-hostname: cupboard\n"), "{meta}");

        for uefi in [false, true] {
            let machine = vm(if uefi { "uefi" } else { "bios" }).from_disk();
            let mut machine = if uefi { machine.uefi() } else { machine }.start()?;
            machine.expect("the installed system cupboard is up", UP)?;
        }
        Ok(())
    })
}
