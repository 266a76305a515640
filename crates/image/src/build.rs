//! From packages and programs to an image.

use crate::{
    apt::{Apt, Package},
    efi,
    initramfs::{self, Programs},
    iso9660, loader,
    modules::{self, Modules},
    parts::Parts,
    recipe::Recipe,
    site::Stamp,
    stamp::stamp,
    tools::sha256,
    xorriso,
};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Packages beside the kernel that every image is made from.
pub const PACKAGES: &[&str] =
    &["isolinux", "syslinux-common", "shim-signed", "grub-efi-amd64-signed"];

/// The list, in the folder of the static programs, of the crates that they are linked with.
pub const CRATES: &str = "crates.txt";

/// What an image is made from.
pub struct Inputs<'a> {
    /// The release of Xenoboot.
    pub version: &'a str,
    /// Folder with the static programs `init`, `agent` and `toolkit`.
    pub guest: &'a Path,
    /// Names under which the toolkit is called.
    pub applets: Vec<String>,
    /// `initramfs/modules.list`.
    pub module_rules: &'a str,
    /// Added to the kernel's command line.
    pub append: &'a str,
    /// The packages: the kernel's image and [`PACKAGES`].
    pub packages: Vec<Package>,
    /// What to stamp it with, if anything.
    pub stamp: Stamp,
}

/// What came of a build.
pub struct Report {
    /// What the image consists of: name and size in bytes of each part.
    pub sizes: Vec<(String, u64)>,
    /// Module rules that fit none of the kernel's modules.
    pub unused_rules: Vec<String>,
}

/// Builds `output`. `cache` keeps parts that do not change; `say` is told each step.
///
/// # Errors
/// When an input is missing or a tool fails; `output` is then not touched.
pub fn build(
    inputs: &Inputs,
    apt: &Apt,
    cache: &Path,
    output: &Path,
    say: &dyn Fn(&str),
) -> Result<Report> {
    let work = work_folder(cache)?;
    // Beside the output, so that it can be renamed.
    let blank = output.with_extension("blank.partial");
    let build = Build { inputs, apt, parts: Parts::open(cache)?, work: &work, say };
    let result = build.blank(&blank).and_then(|report| {
        if inputs.stamp == Stamp::default() {
            fs::rename(&blank, output).with_context(|| output.display().to_string())?;
        } else {
            // As for any other image: a private key is nowhere but in the output.
            stamp(&blank, &inputs.stamp, output)?;
        }
        Ok(report)
    });
    let _ = fs::remove_file(&blank);
    let _ = fs::remove_dir_all(&work);
    result
}

struct Build<'a> {
    inputs: &'a Inputs<'a>,
    apt: &'a Apt,
    parts: Parts,
    work: &'a Path,
    say: &'a dyn Fn(&str),
}

/// The unpacked packages by name.
type Trees<'a> = BTreeMap<&'a str, PathBuf>;

impl Build<'_> {
    /// Makes the image without a stamp.
    fn blank(&self, output: &Path) -> Result<Report> {
        let trees = self.unpack()?;
        (self.say)("choosing modules");
        let (kernel_package, kernel_tree) = self.kernel(&trees)?;
        let rules = modules::Rules::parse(self.inputs.module_rules);
        let modules =
            modules::choose((kernel_package, kernel_tree), &rules, &self.parts, self.work)?;
        let kernel = kernel_tree.join("boot").join(format!("vmlinuz-{}", modules.release));
        let kernel = fs::read(&kernel).with_context(|| kernel.display().to_string())?;
        (self.say)("packing the initramfs");
        let base = self.base(&modules)?;
        let line = loader::command_line(self.inputs.append)?;
        let loaders = Loaders::from(&trees)?;
        let crates = initramfs::program(self.inputs.guest, CRATES)?;
        let rest = [&kernel[..], &loaders.digest(), &crates];
        let recipe = self.recipe(&base, &modules.release, &line, &rest);

        let disk = self.work.join("disk");
        for folder in ["boot/grub", "isolinux", "licenses"] {
            fs::create_dir_all(disk.join(folder))?;
        }
        let about = initramfs::about(&recipe.to_toml()?, &base.manifest);
        let mut initramfs = [&base.modules[..], &base.programs, &about].concat();
        // The kernel looks for the next archive, the site's, at a multiple of four.
        initramfs.resize(initramfs.len().next_multiple_of(4), 0);
        let date = volume_date(&recipe.recipe, &Stamp::default());
        let uuid = iso9660::uuid_of(&date).context("volume date")?;
        let efi = loaders.write(&disk, &line, &uuid)?;
        let site = Stamp::default().archive(&uuid)?;
        fs::write(disk.join("boot/kernel"), &kernel)?;
        fs::write(disk.join("boot/base.img"), &initramfs)?;
        fs::write(disk.join("boot/site.img"), &site)?;
        fs::write(disk.join("image.toml"), recipe.to_toml()?)?;
        self.licences(&disk, &trees, &crates)?;
        (self.say)("writing the image");
        let sector = tree(&trees, "isolinux")?.join("usr/lib/ISOLINUX/isohdpfx.bin");
        xorriso::write(&disk, &sector, &date, output)?;
        let sizes = vec![
            ("kernel".into(), kernel.len() as u64),
            ("modules".into(), base.modules.len() as u64),
            ("programs".into(), base.programs.len() as u64),
            ("site".into(), site.len() as u64),
            ("EFI loaders".into(), efi),
            ("image".into(), fs::metadata(output)?.len()),
        ];
        Ok(Report { sizes, unused_rules: modules.unused })
    }

    fn unpack(&self) -> Result<Trees<'_>> {
        let mut trees = Trees::new();
        for package in &self.inputs.packages {
            (self.say)(&format!("unpacking {} {}", package.name, package.version));
            trees.insert(package.name.as_str(), self.apt.unpack(package)?);
        }
        Ok(trees)
    }

    fn kernel<'t>(&self, trees: &'t Trees<'_>) -> Result<(&Package, &'t Path)> {
        let kernel = |package: &&Package| package.name.starts_with("linux-image-");
        let package = self.inputs.packages.iter().find(kernel);
        let package = package.context("no kernel among the packages")?;
        Ok((package, tree(trees, &package.name)?))
    }

    fn base(&self, modules: &Modules) -> Result<Base> {
        let read = |name| initramfs::program(self.inputs.guest, name);
        let mut applets = self.inputs.applets.clone();
        applets.sort();
        applets.dedup();
        ensure!(applets.iter().any(|name| name == "sh"), "the toolkit has no shell");
        let (init, agent, toolkit) = (read("init")?, read("agent")?, read("toolkit")?);
        let named = [("init", &init), ("agent", &agent), ("toolkit", &toolkit)];
        let digests = named.map(|(name, content)| (name.to_owned(), sha256(content))).into();
        let programs = Programs { init, agent, toolkit, applets };
        let (programs, manifest) = initramfs::programs(&programs, modules, &self.parts)?;
        Ok(Base { modules: initramfs::modules(modules)?, programs, manifest, digests })
    }

    /// Says what the image is made of, with a digest over all of that.
    fn recipe(&self, base: &Base, kernel: &str, line: &str, rest: &[&[u8]]) -> Recipe {
        let mut packages = self.inputs.packages.clone();
        packages.sort();
        let mut everything = format!("{}\n{line}\n{packages:?}\n", self.inputs.version);
        for part in [&[&base.modules[..], &base.programs], rest].concat() {
            everything += &sha256(part);
        }
        Recipe {
            version: self.inputs.version.to_owned(),
            recipe: sha256(everything.as_bytes()),
            kernel: kernel.to_owned(),
            command_line: line.to_owned(),
            programs: base.digests.clone(),
            packages,
        }
    }

    /// What the image redistributes: each package's licences, and where its source is.
    fn licences(&self, disk: &Path, trees: &Trees, crates: &[u8]) -> Result<()> {
        fs::write(disk.join("licenses").join(CRATES), crates)?;
        let mut index = String::from(
            "Xenoboot itself: Apache License 2.0. What its programs on this medium are linked with:\n\
             - the crates in crates.txt, with their licences and where their sources are;\n\
             - the Rust standard library: MIT or Apache License 2.0, https://github.com/rust-lang/rust;\n\
             - the GNU C Library: GNU Lesser General Public License 2.1 or later,\n\
               https://sourceware.org/glibc/. With the sources of all the rest at hand, the programs can be\n\
               linked anew with another version of it.\n\n\
             What this medium redistributes from Debian, unchanged: binary package and version, source\n\
             package and version. The sources are in Debian's archive under these names; the licences\n\
             are in the files beside this one.\n\n",
        );
        for package in &self.inputs.packages {
            index +=
                &format!("{} {} (source: {})\n", package.name, package.version, package.source);
            let tree = trees.get(package.name.as_str()).context("package without a tree")?;
            let copyright = tree.join("usr/share/doc").join(&package.name).join("copyright");
            let text = fs::read(&copyright).with_context(|| copyright.display().to_string())?;
            fs::write(disk.join("licenses").join(format!("{}.txt", package.name)), text)?;
        }
        Ok(fs::write(disk.join("licenses/index.txt"), index)?)
    }
}

/// The base initramfs, but for what tells about it.
struct Base {
    modules: Vec<u8>,
    programs: Vec<u8>,
    manifest: String,
    /// SHA-256 of each program.
    digests: BTreeMap<String, String>,
}

/// The boot loaders' files.
struct Loaders {
    /// Name in the folder `isolinux`, and content.
    isolinux: Vec<(&'static str, Vec<u8>)>,
    shim: Vec<u8>,
    grub: Vec<u8>,
}

impl Loaders {
    fn from(trees: &Trees) -> Result<Self> {
        let from = |package: &str, path: &str| {
            let path = tree(trees, package)?.join(path);
            fs::read(&path).with_context(|| path.display().to_string())
        };
        let mut isolinux =
            vec![("isolinux.bin", from("isolinux", "usr/lib/ISOLINUX/isolinux.bin")?)];
        // reboot.c32 and what it needs are for when nothing can be loaded.
        for name in ["ldlinux.c32", "libcom32.c32", "reboot.c32"] {
            let path = format!("usr/lib/syslinux/modules/bios/{name}");
            isolinux.push((name, from("syslinux-common", &path)?));
        }
        let grub = "usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed";
        Ok(Self {
            isolinux,
            shim: from("shim-signed", "usr/lib/shim/shimx64.efi.signed")?,
            grub: from("grub-efi-amd64-signed", grub)?,
        })
    }

    /// Over the configurations; the files themselves are the packages'.
    fn digest(&self) -> Vec<u8> {
        [loader::isolinux(""), loader::grub("", "")].concat().into_bytes()
    }

    /// Puts them in their places and returns the size of the EFI partition in bytes.
    fn write(&self, disk: &Path, line: &str, uuid: &str) -> Result<u64> {
        for (name, content) in &self.isolinux {
            fs::write(disk.join("isolinux").join(name), content)?;
        }
        fs::write(disk.join("isolinux/isolinux.cfg"), loader::isolinux(line))?;
        let config = loader::grub(line, uuid);
        fs::write(disk.join("boot/grub/grub.cfg"), &config)?;
        let efi = efi::image(&efi::Loaders {
            shim: &self.shim,
            grub: &self.grub,
            config: config.as_bytes(),
        })?;
        fs::write(disk.join("boot/efi.img"), &efi)?;
        Ok(efi.len() as u64)
    }
}

fn tree<'t>(trees: &'t Trees, package: &str) -> Result<&'t Path> {
    let found = trees.get(package).map(PathBuf::as_path);
    found.with_context(|| format!("no package {package} among those to build from"))
}

/// Sixteen digits of a date that stand for the image's content: the volume's identifier. Every pair of
/// digits is within what a date may have, since boot loaders and `blkid` may look.
pub(crate) fn volume_date(recipe: &str, stamp: &Stamp) -> [u8; 16] {
    let mut content = recipe.as_bytes().to_vec();
    for part in [&stamp.site, &stamp.trust, stamp.machine.as_ref().unwrap_or(&String::new())] {
        content.extend_from_slice(sha256(part.as_bytes()).as_bytes());
    }
    content.extend_from_slice(sha256(stamp.key.as_deref().unwrap_or_default()).as_bytes());
    let digest = ring::digest::digest(&ring::digest::SHA256, &content);
    let mut bytes = digest.as_ref().iter().map(|byte| u32::from(*byte));
    let mut within = |low: u32, count: u32| {
        let word = bytes.next().unwrap_or(0) << 8 | bytes.next().unwrap_or(0);
        low + word % count
    };
    let (year, month, day) = (within(2000, 100), within(1, 12), within(1, 28));
    let (hour, minute, second, part) =
        (within(0, 24), within(0, 60), within(0, 60), within(0, 100));
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}{part:02}");
    text.as_bytes().try_into().unwrap_or([b'0'; 16])
}

/// A fresh folder for intermediate files.
fn work_folder(cache: &Path) -> Result<PathBuf> {
    let folder = cache.join(format!("work-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_date_is_a_date_and_depends_on_the_stamp() {
        let blank = volume_date("r", &Stamp::default());
        let uuid = iso9660::uuid_of(&blank).unwrap();
        let parts: Vec<u32> = uuid.split('-').map(|part| part.parse().unwrap()).collect();
        assert!((1..=12).contains(&parts[1]) && (1..=28).contains(&parts[2]) && parts[3] < 24);
        let stamped = Stamp { key: Some(vec![1]), ..Stamp::default() };
        assert_ne!(blank, volume_date("r", &stamped));
    }
}
