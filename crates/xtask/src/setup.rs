//! The packages of Debian (or a relative) that the commands need.

use crate::run::check;
use anyhow::{Context, Result, bail};
use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

/// A package, and how one sees that what it is for is there already.
struct Need {
    package: &'static str,
    sign: Sign,
}

enum Sign {
    Program(&'static str),
    File(&'static str),
    Runs(&'static [&'static str]),
}

const NEEDS: &[Need] = &[
    Need { package: "qemu-system-x86", sign: Sign::Program("qemu-system-x86_64") },
    Need { package: "ovmf", sign: Sign::File("/usr/share/OVMF") },
    Need { package: "xorriso", sign: Sign::Program("xorriso") },
    Need { package: "mtools", sign: Sign::Program("mformat") },
    Need { package: "squashfs-tools", sign: Sign::Program("mksquashfs") },
    Need { package: "cryptsetup-bin", sign: Sign::Program("veritysetup") },
    Need { package: "kmod", sign: Sign::Program("depmod") },
    Need { package: "e2fsprogs", sign: Sign::Program("mke2fs") },
    Need { package: "dosfstools", sign: Sign::Program("mkfs.fat") },
    Need { package: "ntfs-3g", sign: Sign::Program("mkntfs") },
    Need { package: "btrfs-progs", sign: Sign::Program("mkfs.btrfs") },
    Need { package: "xfsprogs", sign: Sign::Program("mkfs.xfs") },
    Need { package: "qemu-utils", sign: Sign::Program("qemu-img") },
    // The originals that the toolkit's commands are compared with.
    Need { package: "bsdextrautils", sign: Sign::Program("hexdump") },
    Need { package: "binutils", sign: Sign::Program("strings") },
    Need { package: "bzip2", sign: Sign::Program("bzip2") },
    Need { package: "diffutils", sign: Sign::Program("cmp") },
    Need { package: "file", sign: Sign::Program("file") },
    Need { package: "gawk", sign: Sign::Program("gawk") },
    Need { package: "patch", sign: Sign::Program("patch") },
    Need { package: "time", sign: Sign::File("/usr/bin/time") },
    Need { package: "vim-tiny", sign: Sign::Program("vim.tiny") },
    Need { package: "xxd", sign: Sign::Program("xxd") },
    Need { package: "zstd", sign: Sign::Program("zstd") },
    Need { package: "cpio", sign: Sign::Program("cpio") },
    Need { package: "xz-utils", sign: Sign::Program("xz") },
    Need { package: "procps", sign: Sign::Program("vmstat") },
    Need { package: "psmisc", sign: Sign::Program("killall") },
    Need { package: "lsof", sign: Sign::Program("lsof") },
    Need { package: "pciutils", sign: Sign::Program("lspci") },
    Need { package: "fdisk", sign: Sign::Program("sfdisk") },
    // What a kernel is configured and built with.
    Need { package: "gcc", sign: Sign::Program("gcc") },
    Need { package: "make", sign: Sign::Program("make") },
    Need { package: "flex", sign: Sign::Program("flex") },
    Need { package: "bison", sign: Sign::Program("bison") },
    Need { package: "bc", sign: Sign::Program("bc") },
    Need { package: "libelf-dev", sign: Sign::File("/usr/include/libelf.h") },
    Need { package: "libssl-dev", sign: Sign::File("/usr/include/openssl/ssl.h") },
    Need { package: "openssl", sign: Sign::Program("openssl") },
    Need { package: "iproute2", sign: Sign::Program("ip") },
    Need { package: "curl", sign: Sign::Program("curl") },
    Need { package: "wget", sign: Sign::Program("wget") },
    Need { package: "iputils-ping", sign: Sign::Program("ping") },
    Need { package: "iputils-arping", sign: Sign::Program("arping") },
    Need { package: "bind9-host", sign: Sign::Program("host") },
    Need { package: "bind9-dnsutils", sign: Sign::Program("nslookup") },
    Need { package: "netcat-openbsd", sign: Sign::Program("nc") },
    Need { package: "net-tools", sign: Sign::Program("netstat") },
    Need { package: "ethtool", sign: Sign::Program("ethtool") },
    Need { package: "traceroute", sign: Sign::Program("traceroute") },
    Need { package: "dnsmasq-base", sign: Sign::Program("dnsmasq") },
    // What operators come to the console with.
    Need { package: "openssh-client", sign: Sign::Program("ssh") },
    Need { package: "rsync", sign: Sign::Program("rsync") },
    Need { package: "util-linux", sign: Sign::Program("setpriv") },
    // What signs a mirror of Debian.
    Need { package: "gpg", sign: Sign::Program("gpg") },
    // The dashboard is looked at with a browser.
    Need { package: "chromium", sign: Sign::Program("chromium") },
    Need { package: "chromium-driver", sign: Sign::Program("chromedriver") },
    // What switches machines by IPMI, and a management controller to switch.
    Need { package: "ipmitool", sign: Sign::Program("ipmitool") },
    Need { package: "openipmi", sign: Sign::Program("ipmi_sim") },
    // And by SNMP.
    Need { package: "snmp", sign: Sign::Program("snmpset") },
    Need { package: "gcc", sign: Sign::Program("cc") },
    // The server's other database; its client's programs are in the same folder.
    Need {
        package: "postgresql",
        sign: Sign::Runs(&["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb"]),
    },
    Need { package: "postgresql-client", sign: Sign::Program("psql") },
    // The server's unit is checked with it.
    Need { package: "systemd", sign: Sign::Program("systemd-analyze") },
    Need { package: "grub-common", sign: Sign::Program("grub-mkimage") },
    Need { package: "grub-pc-bin", sign: Sign::File("/usr/lib/grub/i386-pc/lnxboot.img") },
    Need { package: "python3", sign: Sign::Program("python3") },
    Need {
        package: "python3-venv",
        sign: Sign::Runs(&["python3", "-c", "import venv, ensurepip"]),
    },
];

/// Installs what is missing, after saying what.
pub(crate) fn run() -> Result<()> {
    let mut missing = missing();
    // Twice, because a package can take another away that was there, where the two come from different suites.
    for _ in 0..2 {
        if missing.is_empty() {
            return Ok(());
        }
        eprintln!("installing packages: {}", missing.join(" "));
        if !found("apt-get") {
            bail!("there is no apt-get here; install what Debian calls {}", missing.join(", "));
        }
        if install(&missing).is_err() {
            // The usual causes: package lists that were never fetched, or are old.
            check(&mut privileged(&["apt-get", "update", "-q"]))?;
            install(&missing)?;
        }
        missing = self::missing();
    }
    if !missing.is_empty() {
        bail!("installed, but still not usable: {}", missing.join(", "));
    }
    Ok(())
}

fn missing() -> Vec<&'static str> {
    let there = |need: &&Need| match need.sign {
        Sign::Program(name) => found(name),
        Sign::File(path) => Path::new(path).exists(),
        Sign::Runs(words) => runs(words),
    };
    NEEDS.iter().filter(|need| !there(need)).map(|need| need.package).collect()
}

fn install(packages: &[&str]) -> Result<()> {
    let mut words = vec!["apt-get", "install", "-q", "-y", "--no-install-recommends"];
    // All packages of QEMU must be of one suite: where its tools came from backports, so must the rest.
    let suite = backports();
    if let (Some(suite), true) = (&suite, packages.contains(&"qemu-system-x86")) {
        words.extend(["-t", suite]);
    }
    words.extend(packages);
    check(privileged(&words).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The name of the backports suite, when QEMU's disk tools are installed from it and it is still among the sources.
fn backports() -> Option<String> {
    let query = ["dpkg-query", "-W", "-f", "${Version}", "qemu-utils"];
    let version = output(&query).ok()?;
    let release = std::fs::read_to_string("/etc/os-release").ok()?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    let suite = format!("{codename}-backports");
    let sources = output(&["apt-cache", "policy"]).ok()?;
    let offered = sources.contains(&format!("n={suite},"));
    (version.contains("~bpo") && offered).then_some(suite)
}

fn privileged(words: &[&str]) -> Command {
    let root = output(&["id", "-u"]).is_ok_and(|id| id.trim() == "0");
    let words: Vec<_> = if root { words.to_vec() } else { [&["sudo"], words].concat() };
    let (program, arguments) = words.split_first().map_or(("true", &[][..]), |(p, a)| (*p, a));
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn output(words: &[&str]) -> Result<String> {
    let (program, arguments) = words.split_first().context("no command")?;
    let out = Command::new(program).args(arguments).stderr(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

fn runs(words: &[&str]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether a program is in the search path, or where administrators' programs are.
fn found(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).any(|file| file.exists())
}
