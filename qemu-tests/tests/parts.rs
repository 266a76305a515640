//! Functions of the recipes' scripts on files and folders, without a machine: what they would write is looked at.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes")
}

/// Runs a script in a folder, with `$recipes`; returns what it printed, or its exit status and that.
fn shell(folder: &Path, script: &str) -> Result<String, (i32, String)> {
    let mut sh = Command::new("sh");
    sh.arg("-euc").arg(script).env("recipes", recipes()).env("LC_ALL", "C").current_dir(folder);
    let out = sh.output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if out.status.success() { Ok(text) } else { Err((out.status.code().unwrap(), text)) }
}

fn file(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn read(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A machine with one card, a site file, and what `ip` says of them.
struct Here {
    folder: TempDir,
}

const STATIC4: &str = "[[network.link]]\nmac = \"52:54:00:12:34:56\"\n\
    ipv4 = { address = \"192.0.2.7/24\", gateway = \"192.0.2.1\" }\n";
const STATIC6: &str = "ipv6 = { address = \"2001:DB8::7/64\", gateway = \"fe80::1\" }\n";

impl Here {
    fn new(site: &str) -> Self {
        let here = Self { folder: tempfile::tempdir().unwrap() };
        let at = here.path();
        file(at, "site.toml", site);
        file(at, "cards/eth0/address", "52:54:00:12:34:56\n");
        file(at, "cards/eth0/device/vendor", "");
        file(at, "cards/eth0.7/address", "52:54:00:12:34:56\n");
        file(at, "resolv.conf", "nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
        file(at, "addresses", "");
        file(at, "route4", "default via 192.0.2.1 dev eth0\n");
        file(at, "route6", "default via fe80::1 dev eth0 metric 1024\n");
        here.addresses(&[("inet", "192.0.2.7/24"), ("inet6", "2001:db8::7/64")])
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn addresses(self, all: &[(&str, &str)]) -> Self {
        let line = |(family, address): &(&str, &str)| {
            format!("2: eth0    {family} {address} scope global eth0\n")
        };
        file(self.path(), "addresses", &all.iter().map(line).collect::<String>());
        self
    }

    /// Sets up a system that has these files, and returns its root.
    fn set_up(&self, network: &str, has: &[&str]) -> Result<PathBuf, (i32, String)> {
        let root = self.path().join("root");
        let _ = fs::remove_dir_all(&root);
        for path in has {
            file(&root, path, "of the image\n");
        }
        let script = format!(
            "ip() {{ case \"$*\" in '-6 route'*) cat route6 ;; route*) cat route4 ;; *addr*) cat addresses ;; esac; }}
            chroot() {{ echo \"$@\" >> chroot; }}
            xb() {{ echo \"$@\" >> reports; }}
            . \"$recipes/parts/say.sh\"
            . \"$recipes/parts/network.sh\"
            . \"$recipes/parts/new-system.sh\"
            site=site.toml cards=cards resolver=resolv.conf NETWORK={network} XENOBOOT_RUN=run name=web-1
            mkdir -p root
            check_new_system
            set_up_network root
            set_up_seed root"
        );
        shell(self.path(), &script).map(|_| root)
    }
}

const NETWORKD: &[&str] = &["usr/lib/systemd/systemd-networkd"];
const NETPLAN: &[&str] =
    &["usr/sbin/netplan", "etc/netplan/90-default.yaml", "usr/lib/systemd/systemd-networkd"];
const IFUPDOWN: &[&str] = &["usr/sbin/ifup", "usr/lib/systemd/systemd-networkd"];

#[test]
fn static_addresses_for_networkd() {
    let here = Here::new(&format!("{STATIC4}{STATIC6}"));
    let root = here.set_up("auto", NETWORKD).unwrap();
    assert_eq!(
        read(&root, "etc/systemd/network/05-xenoboot.network"),
        "[Match]\nMACAddress=52:54:00:12:34:56\n\n[Network]\nIPv6AcceptRA=no\nAddress=192.0.2.7/24\n\
        Address=2001:db8::7/64\nDNS=192.0.2.53\nDNS=2001:db8::53\n\n[Route]\nGateway=192.0.2.1\n\
        GatewayOnLink=yes\n\n[Route]\nGateway=fe80::1\nGatewayOnLink=yes\n"
    );
    assert_eq!(read(&root, "etc/resolv.conf"), "nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
    assert_eq!(read(here.path(), "chroot"), "root systemctl enable systemd-networkd\n");
    // Where something keeps that file, it is left to it.
    let root = here.set_up("auto", &[NETWORKD, &["usr/bin/resolvectl"]].concat()).unwrap();
    assert!(!root.join("etc/resolv.conf").exists());
}

#[test]
fn static_addresses_for_netplan() {
    let here = Here::new(&format!("{STATIC4}{STATIC6}"));
    let root = here.set_up("auto", NETPLAN).unwrap();
    let path = "etc/netplan/50-xenoboot.yaml";
    assert_eq!(
        read(&root, path),
        "network:\n  version: 2\n  ethernets:\n    first:\n      match:\n        \
        macaddress: \"52:54:00:12:34:56\"\n      dhcp4: false\n      dhcp6: false\n      \
        accept-ra: false\n      addresses: [\"192.0.2.7/24\", \"2001:db8::7/64\"]\n      routes:\n        \
        - {to: default, via: \"192.0.2.1\", on-link: true}\n        \
        - {to: default, via: \"fe80::1\", on-link: true}\n      nameservers:\n        \
        addresses: [\"192.0.2.53\", \"2001:db8::53\"]\n"
    );
    assert_eq!(fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777, 0o600);
    // What the image had for all cards would be joined with it.
    assert!(!root.join("etc/netplan/90-default.yaml").exists());
    assert!(!root.join("etc/systemd/network").exists());
}

#[test]
fn static_addresses_for_ifupdown() {
    let here = Here::new(&format!("{STATIC4}{STATIC6}"));
    let root = here.set_up("auto", IFUPDOWN).unwrap();
    assert_eq!(
        read(&root, "etc/network/interfaces"),
        "auto lo\niface lo inet loopback\n\nauto mac/52:54:00:12:34:56=first\n\
        iface first inet static\n    address 192.0.2.7/24\n    gateway 192.0.2.1\n\
        iface first inet6 static\n    address 2001:db8::7/64\n    gateway fe80::1\n    \
        dns-nameservers 192.0.2.53 2001:db8::53\n"
    );
    assert!(read(&root, "etc/resolv.conf").contains("192.0.2.53"));
}

/// Only what the site file has is static, of each family by itself.
#[test]
fn what_came_by_dhcp_comes_by_dhcp() {
    let site = "[[server]]\nurl = \"https://192.0.2.9\"\n";
    let here = Here::new(site).addresses(&[("inet", "192.0.2.7/24")]);
    let networkd = |here: &Here, network| {
        let root = here.set_up(network, NETWORKD).unwrap();
        assert!(!root.join("etc/resolv.conf").exists());
        read(&root, "etc/systemd/network/05-xenoboot.network")
    };
    let head = "[Match]\nMACAddress=52:54:00:12:34:56\n\n[Network]\n";
    assert_eq!(networkd(&here, "auto"), format!("{head}DHCP=ipv4\n"));
    assert_eq!(networkd(&here, "dhcp"), format!("{head}DHCP=yes\n"));
    let dynamic = [("inet", "192.0.2.7/24"), ("inet6", "2001:db8::abc/64 dynamic")];
    let here = Here::new(STATIC4).addresses(&dynamic);
    let root = here.set_up("auto", NETWORKD).unwrap();
    assert_eq!(
        read(&root, "etc/systemd/network/05-xenoboot.network"),
        format!(
            "{head}Address=192.0.2.7/24\nDNS=192.0.2.53\nDNS=2001:db8::53\n\n[Route]\n\
            Gateway=192.0.2.1\nGatewayOnLink=yes\n"
        )
    );
    let root = here.set_up("auto", IFUPDOWN).unwrap();
    let interfaces = read(&root, "etc/network/interfaces");
    assert!(interfaces.contains("inet6 auto") && !interfaces.contains("fe80::1"), "{interfaces}");
    let root = here.set_up("dhcp", NETPLAN).unwrap();
    let netplan = read(&root, "etc/netplan/50-xenoboot.yaml");
    assert!(netplan.ends_with("      dhcp4: true\n      dhcp6: true\n"), "{netplan}");
}

#[test]
fn a_network_that_cannot_be_carried_over_is_refused_before_anything_is_changed() {
    let here = Here::new(STATIC4);
    for (route, words) in
        [("", "no default route"), ("default via 192.0.2.1 dev eth0.7\n", "a VLAN")]
    {
        file(here.path(), "route4", route);
        file(here.path(), "route6", "");
        let (status, said) = here.set_up("auto", NETWORKD).unwrap_err();
        assert!(status == 3 && said.contains(words), "{status} {said}");
        let root = here.set_up("keep", NETWORKD).unwrap();
        assert!(!root.join("etc/systemd").exists());
    }
    let (status, said) = here.set_up("magic", NETWORKD).unwrap_err();
    assert!(status == 3 && said.contains("NETWORK=magic"), "{status} {said}");
    let here = Here::new(STATIC4);
    let (status, said) = here.set_up("auto", &[]).unwrap_err();
    assert!(status == 1 && said.contains("neither netplan nor ifupdown"), "{status} {said}");
}

#[test]
fn cloud_init_finds_its_seed() {
    let here = Here::new(STATIC4);
    file(here.path(), "seed/user-data", "#cloud-config\n");
    let image = [NETPLAN, &["usr/bin/cloud-init", "etc/cloud/cloud.cfg"]].concat();
    let root = here.set_up("auto", &image).unwrap();
    let seed = "var/lib/cloud/seed/nocloud";
    assert_eq!(read(&root, &format!("{seed}/user-data")), "#cloud-config\n");
    let meta = read(&root, &format!("{seed}/meta-data"));
    assert_eq!(meta, "instance-id: run\nlocal-hostname: web-1\n");
    let mode = fs::metadata(root.join(seed)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    // It leaves the network to us, unless it was told what it is.
    let off = "etc/cloud/cloud.cfg.d/99-xenoboot-network.cfg";
    assert_eq!(read(&root, off), "network: {config: disabled}\n");
    file(here.path(), "seed/network-config", "version: 2\n");
    file(here.path(), "seed/meta-data", "instance-id: own\n");
    let root = here.set_up("auto", &image).unwrap();
    assert!(!root.join(off).exists() && !root.join("etc/netplan/50-xenoboot.yaml").exists());
    assert_eq!(read(&root, &format!("{seed}/network-config")), "version: 2\n");
    assert_eq!(read(&root, &format!("{seed}/meta-data")), "instance-id: own\n");
    assert!(!here.path().join("reports").exists());
    here.set_up("auto", NETPLAN).unwrap();
    assert!(read(here.path(), "reports").contains("no cloud-init"));
}

/// Either half of a GPT, its header or its entries.
#[test]
fn half_a_partition_table_is_made_whole() {
    let script = "kept=kept log=log; mkdir -p kept
        blockdev() { case $1 in --getsize64) stat -c %s \"$2\" ;; *) echo 512 ;; esac; }
        lsblk() { echo gpt; }
        did() { echo \"did $*\"; }
        lost() { echo \"lost $*\"; }
        . \"$recipes/repair/files/tables.sh\"
        repair_table disk";
    // Sectors of 8 MiB: header and first entries of either table.
    for (sector, words) in [
        (1, "the partition table was taken from its backup"),
        (2, "the partition table was taken from its backup"),
        (16_383, "the backup of the partition table was written anew"),
        (16_351, "the backup of the partition table was written anew"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::File::create(&disk).unwrap().set_len(8 << 20).unwrap();
        let table = "printf 'label: gpt\\nsize=1MiB\\nsize=2MiB, name=data\\n' | sfdisk -q disk";
        shell(folder.path(), table).unwrap();
        let whole = fs::read(&disk).unwrap();
        let mut damaged = whole.clone();
        damaged.iter_mut().skip(sector * 512 + 60).take(100).for_each(|byte| *byte ^= 0x5a);
        fs::write(&disk, &damaged).unwrap();
        let said = shell(folder.path(), script).unwrap();
        assert!(said.contains(&format!("did disk: {words}")), "{sector}: {said}");
        assert!(!said.contains("lost"), "{sector}: {said}");
        assert!(fs::read(&disk).unwrap() == whole, "{sector}: not as it was");
        assert!(shell(folder.path(), script).unwrap().is_empty());
    }
}
