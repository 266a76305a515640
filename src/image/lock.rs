//! The packages that an image is built from: the newest, or those of a lock file.

use super::toolbox;
use crate::ui::WithHint;
use anyhow::{Context, Result, anyhow};
use std::path::Path;
use xenoboot_image::{
    apt::{Apt, Package},
    build::PACKAGES,
    kernel::Kernel,
    recipe::Lock,
    toolbox::List,
};

/// What decides which packages these are.
pub(super) struct Packages<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) list: Option<&'a List>,
    pub(super) apt: &'a Apt,
    pub(super) say: &'a dyn Fn(&str),
}

impl Packages<'_> {
    /// The newest of all but a kernel's source: that is the one it was built from.
    pub(super) fn newest(&self) -> Result<Lock> {
        (self.say)("fetching package lists");
        self.apt.update()?;
        let mut packages = match self.kernel {
            Kernel::Debian => self.apt.newest(&[self.apt.kernel_package()?.as_str()])?,
            Kernel::Made(made) => vec![made.source.clone()],
        };
        packages.extend(self.apt.newest(PACKAGES)?);
        (self.say)("resolving what packages depend on");
        let toolbox = self.list.map(|list| toolbox::resolve(list, self.apt)).transpose()?;
        Ok(Lock { packages, toolbox: toolbox.unwrap_or_default() })
    }

    /// Those of a lock file, all of which can be had.
    pub(super) fn locked(&self, path: &Path) -> Result<Lock> {
        let mut lock = Lock::load(path).hint("build once without --locked to make it")?;
        self.of_this_kernel(&lock.packages)
            .with_context(|| path.display().to_string())
            .hint("build without --locked, or with the --kernel that it was written for")?;
        match self.list {
            None => lock.toolbox.clear(),
            Some(list) => toolbox::covers(&lock.toolbox, list)
                .with_context(|| path.display().to_string())
                .hint("build once without --locked to lock what the list asks for now")?,
        }
        let all = [&lock.packages[..], &lock.toolbox].concat();
        if self.apt.has(&all) {
            return Ok(lock);
        }
        (self.say)("fetching package lists");
        self.apt.update()?;
        let gone: Vec<_> = self
            .apt
            .gone(&all)
            .into_iter()
            .map(|(package, now)| {
                let now = now.map_or_else(String::new, |now| format!(" (it has {now})"));
                format!("{} {}{now}", package.name, package.version)
            })
            .collect();
        if gone.is_empty() {
            return Ok(lock);
        }
        Err(anyhow!("gone from Debian's archive: {}", gone.join(", ")))
            .hint("build without --locked to take what is there now")
    }

    fn of_this_kernel(&self, packages: &[Package]) -> Result<()> {
        let fits = match self.kernel {
            Kernel::Debian => {
                packages.iter().any(|package| package.name.starts_with("linux-image-"))
            }
            Kernel::Made(made) => packages.contains(&made.source),
        };
        fits.then_some(()).context("it was written for another kernel")
    }
}
