//! From packages and programs to an image.

use crate::{
    apt::{Apt, Package},
    efi,
    initramfs::{self, Programs},
    iso9660, loader, modules,
    recipe::Recipe,
    site::Stamp,
    tools::{run, sha256},
};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Packages beside the kernel that every image is made from.
pub const PACKAGES: &[&str] =
    &["isolinux", "syslinux-common", "shim-signed", "grub-efi-amd64-signed"];

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
    let work = tempfile_in(cache)?;
    let result = Build { inputs, apt, cache, work: &work, say }.image(output);
    let _ = fs::remove_dir_all(&work);
    result
}

struct Build<'a> {
    inputs: &'a Inputs<'a>,
    apt: &'a Apt,
    cache: &'a Path,
    work: &'a Path,
    say: &'a dyn Fn(&str),
}

impl Build<'_> {
    fn image(&self, output: &Path) -> Result<Report> {
        let mut trees = BTreeMap::new();
        for package in &self.inputs.packages {
            (self.say)(&format!("unpacking {} {}", package.name, package.version));
            trees.insert(package.name.as_str(), self.apt.unpack(package)?);
        }
        let kernel_tree = trees
            .iter()
            .find(|(name, _)| name.starts_with("linux-image-"))
            .map(|(_, tree)| tree)
            .context("no kernel among the packages")?;
        (self.say)("choosing modules");
        let rules = modules::Rules::parse(self.inputs.module_rules);
        let modules = modules::choose(kernel_tree, &rules, self.work)?;
        let programs = self.programs()?;
        let recipe = self.recipe(&programs, &modules.release);
        let disk = self.work.join("disk");
        for folder in ["boot/grub", "isolinux", "licenses"] {
            fs::create_dir_all(disk.join(folder))?;
        }
        (self.say)("packing the initramfs");
        let mut base = initramfs::modules(&modules)?;
        let modules_size = base.len() as u64;
        let image_toml = recipe.to_toml()?;
        let packed = self.programs_archive(&recipe, &programs, &modules, &image_toml)?;
        let programs_size = packed.len() as u64;
        base.extend(packed);
        fs::write(disk.join("boot/base.img"), &base)?;
        let kernel = kernel_tree.join("boot").join(format!("vmlinuz-{}", modules.release));
        fs::copy(&kernel, disk.join("boot/kernel"))
            .with_context(|| kernel.display().to_string())?;
        fs::write(disk.join("image.toml"), &image_toml)?;
        self.licences(&disk, &trees)?;

        let date = volume_date(&recipe.recipe, &self.inputs.stamp);
        let uuid = iso9660::uuid_of(&date).context("volume date")?;
        fs::write(disk.join("boot/site.img"), self.inputs.stamp.archive(&uuid)?)?;
        self.loaders(&disk, &trees, &uuid)?;
        (self.say)("writing the image");
        self.xorriso(&disk, &trees, &date, output)?;
        let size = |name: &str| fs::metadata(disk.join(name)).map(|m| m.len());
        let sizes = vec![
            ("kernel".into(), size("boot/kernel")?),
            ("modules".into(), modules_size),
            ("programs".into(), programs_size),
            ("site".into(), size("boot/site.img")?),
            ("EFI loaders".into(), size("boot/efi.img")?),
            ("image".into(), fs::metadata(output)?.len()),
        ];
        Ok(Report { sizes, unused_rules: modules.unused })
    }

    fn programs(&self) -> Result<Programs> {
        let read = |name| initramfs::program(self.inputs.guest, name);
        let mut applets = self.inputs.applets.clone();
        applets.sort();
        applets.dedup();
        ensure!(applets.iter().any(|name| name == "sh"), "the toolkit has no shell");
        Ok(Programs {
            init: read("init")?,
            agent: read("agent")?,
            toolkit: read("toolkit")?,
            applets,
        })
    }

    fn recipe(&self, programs: &Programs, kernel: &str) -> Recipe {
        let named =
            [("init", &programs.init), ("agent", &programs.agent), ("toolkit", &programs.toolkit)];
        let programs: BTreeMap<_, _> =
            named.into_iter().map(|(name, content)| (name.to_owned(), sha256(content))).collect();
        let mut packages = self.inputs.packages.clone();
        packages.sort();
        let command_line =
            format!("{} {}", loader::COMMAND_LINE, self.inputs.append).trim_end().to_owned();
        let everything = format!(
            "{}\n{kernel}\n{command_line}\n{programs:?}\n{packages:?}\n{}\n{:?}",
            self.inputs.version, self.inputs.module_rules, self.inputs.applets
        );
        Recipe {
            version: self.inputs.version.to_owned(),
            recipe: sha256(everything.as_bytes()),
            kernel: kernel.to_owned(),
            command_line,
            programs,
            packages,
        }
    }

    /// Compressing takes longest: kept by the recipe's digest.
    fn programs_archive(
        &self,
        recipe: &Recipe,
        programs: &Programs,
        modules: &modules::Modules,
        image_toml: &str,
    ) -> Result<Vec<u8>> {
        let parts = self.cache.join("parts");
        fs::create_dir_all(&parts)?;
        let kept = parts.join(&recipe.recipe);
        if let Ok(packed) = fs::read(&kept) {
            return Ok(packed);
        }
        let packed = initramfs::programs(programs, modules, image_toml)?;
        let partial = self.work.join("programs");
        fs::write(&partial, &packed)?;
        fs::rename(&partial, &kept)?;
        Ok(packed)
    }

    fn loaders(&self, disk: &Path, trees: &BTreeMap<&str, PathBuf>, uuid: &str) -> Result<()> {
        let from = |package: &str, path: &str| {
            let tree = trees.get(package).with_context(|| format!("no package {package}"))?;
            let path = tree.join(path);
            fs::read(&path).with_context(|| path.display().to_string())
        };
        let isolinux = disk.join("isolinux");
        fs::write(
            isolinux.join("isolinux.bin"),
            from("isolinux", "usr/lib/ISOLINUX/isolinux.bin")?,
        )?;
        let library = from("syslinux-common", "usr/lib/syslinux/modules/bios/ldlinux.c32")?;
        fs::write(isolinux.join("ldlinux.c32"), library)?;
        fs::write(isolinux.join("isolinux.cfg"), loader::isolinux(self.inputs.append))?;
        let config = loader::grub(self.inputs.append, uuid);
        fs::write(disk.join("boot/grub/grub.cfg"), &config)?;
        let efi = efi::image(&efi::Loaders {
            shim: &from("shim-signed", "usr/lib/shim/shimx64.efi.signed")?,
            grub: &from(
                "grub-efi-amd64-signed",
                "usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed",
            )?,
            config: config.as_bytes(),
        })?;
        Ok(fs::write(disk.join("boot/efi.img"), efi)?)
    }

    /// What the image redistributes: each package's licences, and where its source is.
    fn licences(&self, disk: &Path, trees: &BTreeMap<&str, PathBuf>) -> Result<()> {
        let mut index = String::from(
            "What this medium redistributes from Debian, unchanged: binary package and version, source\n\
             package and version. The sources are in Debian's archive under these names; the licences\n\
             are in the files beside this one.\n\nXenoboot itself: Apache License 2.0; the crates that it is built from are\n\
             listed in its Cargo.lock.\n\n",
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

    fn xorriso(
        &self,
        disk: &Path,
        trees: &BTreeMap<&str, PathBuf>,
        date: &[u8; 16],
        output: &Path,
    ) -> Result<()> {
        let date = String::from_utf8_lossy(date).into_owned();
        let mbr = trees
            .get("isolinux")
            .context("no package isolinux")?
            .join("usr/lib/ISOLINUX/isohdpfx.bin");
        let partial = output.with_extension("iso.partial");
        let _ = fs::remove_file(&partial);
        let made = run(Command::new("xorriso")
            // A fixed moment: every date that the image holds is the same in each build.
            .env("SOURCE_DATE_EPOCH", "946684800")
            .args([
                "-no_rc",
                "-as",
                "mkisofs",
                "-quiet",
                "-V",
                "XENOBOOT",
                "-r",
                "-iso-level",
                "3",
                "-o",
            ])
            .arg(&partial)
            .arg("-isohybrid-mbr")
            .arg(mbr)
            .args(["-c", "isolinux/boot.cat", "-b", "isolinux/isolinux.bin"])
            .args(["-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"])
            .args([
                "-eltorito-alt-boot",
                "-e",
                "boot/efi.img",
                "-no-emul-boot",
                "-isohybrid-gpt-basdat",
            ])
            .arg(format!("--modification-date={date}"))
            .args([
                "--gpt_disk_guid",
                "modification-date",
                "--set_all_file_dates",
                "2000010100000000",
            ])
            .arg(disk));
        if made.is_err() {
            let _ = fs::remove_file(&partial);
        }
        made?;
        fs::rename(&partial, output).with_context(|| output.display().to_string())
    }
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
fn tempfile_in(cache: &Path) -> Result<PathBuf> {
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
