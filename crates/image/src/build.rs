//! From packages and programs to an image.

use crate::{
    apt::{Apt, Package},
    efi,
    initramfs::{self, Programs},
    iso9660,
    kernel::Kernel,
    licences, loader,
    modules::{self, Modules},
    overlay,
    parts::Parts,
    recipe::Recipe,
    site::Stamp,
    stamp::stamp,
    toolbox::{self, Toolbox},
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
    /// Its kernel.
    pub kernel: Kernel,
    /// The packages: the kernel's, which is its image or its source, and [`PACKAGES`].
    pub packages: Vec<Package>,
    /// The toolbox, if there shall be one.
    pub toolbox: Option<toolbox::Inputs>,
    /// A folder whose files are added to the initramfs.
    pub overlay: Option<&'a Path>,
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
        let (kernel, modules) = self.kernel(&trees)?;
        (self.say)("packing the initramfs");
        let base = self.base(&modules)?;
        let toolbox = self.toolbox()?;
        let memory = self.inputs.kernel.memory();
        let line = loader::command_line(memory, self.inputs.append)?;
        let loaders = Loaders::from(&trees)?;
        let crates = initramfs::program(self.inputs.guest, CRATES)?;
        let rest = [&kernel[..], &loaders.digest(), &crates];
        let made = Made { base: &base, toolbox: toolbox.as_ref(), kernel: &modules.release };
        let recipe = self.recipe(&made, &line, &rest);

        let disk = self.work.join("disk");
        for folder in ["boot/grub", "isolinux", "licenses"] {
            fs::create_dir_all(disk.join(folder))?;
        }
        let about = initramfs::about(&recipe.to_toml()?, &base.manifest);
        let mut initramfs = [&base.modules[..], &base.programs, &base.overlay, &about].concat();
        // The kernel looks for the next archive, the site's, at a multiple of four.
        initramfs.resize(initramfs.len().next_multiple_of(4), 0);
        let date = volume_date(&recipe.recipe, &Stamp::default());
        let uuid = iso9660::uuid_of(&date).context("volume date")?;
        let efi = loaders.write(&disk, memory, &line, &uuid)?;
        let site = Stamp::default().archive(&uuid)?;
        fs::write(disk.join("boot/kernel"), &kernel)?;
        fs::write(disk.join("boot/base.img"), &initramfs)?;
        fs::write(disk.join("boot/site.img"), &site)?;
        fs::write(disk.join("image.toml"), recipe.to_toml()?)?;
        licences::write(&disk, &self.licensed(&trees)?, &crates, self.inputs.kernel.made())?;
        if let Some(toolbox) = &toolbox {
            fs::write(disk.join(toolbox::FILE), &toolbox.content)?;
        }
        (self.say)("writing the image");
        let sector = tree(&trees, "isolinux")?.join("usr/lib/ISOLINUX/isohdpfx.bin");
        xorriso::write(&disk, &sector, &date, output)?;
        let sizes = vec![
            ("kernel".into(), kernel.len() as u64),
            ("modules".into(), base.modules.len() as u64),
            ("programs".into(), base.programs.len() as u64),
            ("overlay".into(), base.overlay.len() as u64),
            ("site".into(), site.len() as u64),
            ("EFI loaders".into(), efi),
            ("toolbox".into(), toolbox.map_or(0, |toolbox| toolbox.facts.size)),
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

    /// The kernel and its modules.
    fn kernel(&self, trees: &Trees<'_>) -> Result<(Vec<u8>, Modules)> {
        if let Some(made) = self.inputs.kernel.made() {
            return Ok((made.image()?, made.modules(&self.parts, self.work)?));
        }
        let image = |package: &&Package| package.name.starts_with("linux-image-");
        let package = self.inputs.packages.iter().find(image);
        let package = package.context("no kernel among the packages")?;
        let tree = tree(trees, &package.name)?;
        let rules = modules::Rules::parse(self.inputs.module_rules);
        let modules = modules::choose((package, tree), &rules, &self.parts, self.work)?;
        let path = tree.join("boot").join(format!("vmlinuz-{}", modules.release));
        let kernel = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok((kernel, modules))
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
        let (overlay, added) = match self.inputs.overlay {
            Some(folder) => overlay::archive(folder)?,
            None => Default::default(),
        };
        let (modules, manifest) = (initramfs::modules(modules)?, manifest + &added);
        Ok(Base { modules, programs, overlay, manifest, digests })
    }

    fn toolbox(&self) -> Result<Option<Toolbox>> {
        let Some(inputs) = &self.inputs.toolbox else { return Ok(None) };
        (self.say)("packing the toolbox");
        toolbox::make(inputs, self.apt, &self.parts, self.work).map(Some)
    }

    /// Says what the image is made of, with a digest over all of that.
    fn recipe(&self, made: &Made, line: &str, rest: &[&[u8]]) -> Recipe {
        let Made { base, toolbox, kernel } = made;
        let toolbox = toolbox.map(|toolbox| toolbox.facts.clone());
        let mut packages = self.inputs.packages.clone();
        packages.sort();
        let mut everything =
            format!("{}\n{line}\n{packages:?}\n{toolbox:?}\n", self.inputs.version);
        for part in [&[&base.modules[..], &base.programs, &base.overlay], rest].concat() {
            everything += &sha256(part);
        }
        Recipe {
            version: self.inputs.version.to_owned(),
            recipe: sha256(everything.as_bytes()),
            kernel: (*kernel).to_owned(),
            command_line: line.to_owned(),
            overlay: (!base.overlay.is_empty()).then(|| sha256(&base.overlay)),
            programs: base.digests.clone(),
            toolbox,
            packages,
        }
    }

    /// Every package that the image redistributes, with its files.
    fn licensed(&self, trees: &Trees) -> Result<Vec<(&Package, PathBuf)>> {
        let mut all = Vec::new();
        for package in &self.inputs.packages {
            all.push((package, tree(trees, &package.name)?.to_path_buf()));
        }
        for package in self.inputs.toolbox.iter().flat_map(|toolbox| &toolbox.packages) {
            all.push((package, self.apt.unpack(package)?));
        }
        Ok(all)
    }
}

/// What an image is made of, as far as its recipe names it.
struct Made<'a> {
    base: &'a Base,
    toolbox: Option<&'a Toolbox>,
    kernel: &'a str,
}

/// The base initramfs, but for what tells about it.
struct Base {
    modules: Vec<u8>,
    programs: Vec<u8>,
    overlay: Vec<u8>,
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
        [loader::isolinux(0, ""), loader::grub(0, "", "")].concat().into_bytes()
    }

    /// Puts them in their places and returns the size of the EFI partition in bytes.
    fn write(&self, disk: &Path, memory: u64, line: &str, uuid: &str) -> Result<u64> {
        for (name, content) in &self.isolinux {
            fs::write(disk.join("isolinux").join(name), content)?;
        }
        fs::write(disk.join("isolinux/isolinux.cfg"), loader::isolinux(memory, line))?;
        let config = loader::grub(memory, line, uuid);
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
