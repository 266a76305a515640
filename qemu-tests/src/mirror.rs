//! A small mirror of Debian for scenarios that install one from its packages: they are as Debian has them, but for the
//! kernel, which has the few modules that it needs here. The lists are signed by a key of their own. It is made once, and
//! kept in the cache under a name for what it is made of.

use crate::root_image::{self, run};
use anyhow::{Context, Result, ensure};
use std::{
    fmt::Write,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};
use xenoboot_image::{
    apt::{Apt, Package, SUITE},
    sha256,
};

/// A change to how it is made gives it another name, by these words or by what it is made of.
const EDITION: &str = "mirror 2";

/// The package with the kernel, its initial RAM disk, and units that say when the system is up.
pub const KERNEL: &str = "linux-image-small";

/// Those that are installed anyway: what debootstrap itself asks for, and what the scripts of the others do. Debian has thirty
/// more of them, which take minutes without hardware virtualisation.
const REQUIRED: &[&str] = &[
    "base-files",
    "base-passwd",
    "coreutils",
    "dash",
    "diffutils",
    "dpkg",
    "grep",
    "libc-bin",
    "libc6",
    "mawk",
    "mount",
    "perl-base",
    "sed",
];

/// Those that a scenario asks for.
pub const ASKED_FOR: &[&str] = &["systemd-sysv", "udev"];

/// What loads the kernel's modules when they are asked for: kernels depend on it.
const LOADER: &str = "kmod";

/// What the initial RAM disk is made of.
const BUSYBOX: &str = "busybox-static";

/// A mirror.
pub struct Mirror {
    /// What a web server has to serve.
    pub www: PathBuf,
    /// The key that it is signed with.
    pub keyring: PathBuf,
    /// A key that signed nothing.
    pub other_keyring: PathBuf,
}

/// The mirror of the release that images are made of.
pub fn debian() -> Result<Mirror> {
    let cache = xenoboot_image::cache_folder()?;
    let folder = cache.join("mirror");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let lock = File::create(folder.join("busy"))?;
    lock.lock()?;
    let apt = Apt::new(&cache.join("apt"))?;
    let names = [REQUIRED, ASKED_FOR, &[LOADER, BUSYBOX]].concat();
    let packages = root_image::packages(&apt, "mirror", &names, &[])?;
    let digests: Vec<&str> = packages.iter().map(|p| p.sha256.as_str()).collect();
    let made_of = [&[EDITION, KERNEL], REQUIRED, &root_image::made_of(), &digests];
    let kept = folder.join(sha256(made_of.concat().join("\n").as_bytes()));
    if !kept.exists() {
        let made = tempfile::tempdir_in(&folder)?;
        make(&apt, &packages, made.path())?;
        fs::rename(made.keep(), &kept)?;
    }
    Ok(Mirror {
        www: kept.join("www"),
        keyring: kept.join("signer.gpg"),
        other_keyring: kept.join("other.gpg"),
    })
}

fn make(apt: &Apt, packages: &[Package], at: &Path) -> Result<()> {
    let www = at.join("www");
    let lists = www.join("dists").join(SUITE);
    fs::create_dir_all(www.join("pool"))?;
    fs::create_dir_all(lists.join("main/binary-amd64"))?;
    let tree = tempfile::tempdir_in(at)?;
    for package in packages {
        if package.name == BUSYBOX || package.name.starts_with("linux-image-") {
            root_image::unpack(apt, package, tree.path())?;
        } else {
            fs::copy(apt.fetch(package)?, www.join(deb(&package.name)))?;
        }
    }
    kernel(tree.path(), &www)?;
    let copied = packages.iter().map(|package| package.name.as_str());
    let mut list = String::new();
    for name in copied.chain([KERNEL]).filter(|name| www.join(deb(name)).exists()) {
        list += &stanza(&www, name)?;
    }
    fs::write(lists.join("main/binary-amd64/Packages"), &list)?;
    // debootstrap takes no notice of a last line.
    let release = format!(
        "Suite: stable\nCodename: {SUITE}\nArchitectures: amd64\nSHA256:\n {} {} main/binary-amd64/Packages\n\
         Components: main\n",
        sha256(list.as_bytes()),
        list.len()
    );
    fs::write(lists.join("Release"), release)?;
    sign(&lists, at)
}

/// A package's file below the mirror.
fn deb(name: &str) -> String {
    format!("pool/{name}.deb")
}

/// The package with the kernel, of a tree with Debian's and with busybox.
fn kernel(tree: &Path, www: &Path) -> Result<()> {
    root_image::kernel(tree)?;
    let own = tree.join("package");
    fs::create_dir_all(own.join("usr/lib"))?;
    fs::create_dir_all(own.join("DEBIAN"))?;
    for path in ["boot", "usr/lib/modules"] {
        fs::rename(tree.join(path), own.join(path)).with_context(|| path.to_owned())?;
    }
    root_image::units(&own)?;
    let control = format!(
        "Package: {KERNEL}\nVersion: 1\nArchitecture: amd64\nPriority: optional\nMaintainer: nobody\nDepends: {LOADER}\n\
         Description: a small kernel\n"
    );
    fs::write(own.join("DEBIAN/control"), control)?;
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Znone", "--build"]);
    run(build.arg(&own).arg(www.join(deb(KERNEL)))).map(drop)
}

/// What the list of packages says of one.
fn stanza(www: &Path, name: &str) -> Result<String> {
    let path = www.join(deb(name));
    let said = run(Command::new("dpkg-deb").arg("--field").arg(&path))?;
    let text = String::from_utf8(said.stdout).with_context(|| path.display().to_string())?;
    let priority = if REQUIRED.contains(&name) { "required" } else { "optional" };
    let mut stanza = String::new();
    // The description is the last, and of many lines.
    for line in text.lines().take_while(|line| !line.starts_with("Description")) {
        if line.starts_with("Priority:") {
            writeln!(stanza, "Priority: {priority}")?;
        } else {
            writeln!(stanza, "{line}")?;
        }
    }
    let content = fs::read(&path)?;
    let (size, digest) = (content.len(), sha256(&content));
    write!(stanza, "Filename: {}\nSize: {size}\nSHA256: {digest}\n\n", deb(name))?;
    Ok(stanza)
}

/// Signs the list of lists, and leaves the key, and another, in `at`.
fn sign(lists: &Path, at: &Path) -> Result<()> {
    for name in ["other", "signer"] {
        let home = tempfile::tempdir()?;
        let gpg = |words: &[&str]| {
            let mut gpg = Command::new("gpg");
            gpg.args(["--batch", "--quiet", "--homedir"]).arg(home.path()).args(words);
            run(gpg.current_dir(lists))
        };
        gpg(&["--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never"])?;
        fs::write(at.join(format!("{name}.gpg")), gpg(&["--export"])?.stdout)?;
        if name == "signer" {
            gpg(&["--output", "InRelease", "--clear-sign", "Release"])?;
        }
        // Its agent would stay.
        let mut end = Command::new("gpgconf");
        run(end.arg("--homedir").arg(home.path()).args(["--kill", "all"]))?;
    }
    ensure!(lists.join("InRelease").exists(), "gpg signed nothing");
    Ok(())
}
