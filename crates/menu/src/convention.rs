//! Kernels at places where kernels are, with no configuration that tells of them.

use crate::{
    entry::{Entry, Kind, Loader, Menu},
    files::{self, Files, Place},
    fstab, version,
};

/// What kernels are called.
const KERNELS: [&str; 3] = ["vmlinuz", "bzImage", "vmlinux"];

/// What the initial RAM disk of a kernel `vmlinuz{}` is called.
const INITRDS: [&str; 8] = [
    "initrd.img{}",
    "initramfs{}.img",
    "initrd{}.img",
    "initrd{}",
    "initramfs{}",
    "initrd{}.gz",
    "initramfs{}-fallback.img",
    "initrd{}.img.old",
];

/// The most kernels of a device.
const MAX_KERNELS: usize = 100;

/// The kernels in a device's `/boot` and in its root, newest first.
pub(crate) fn menu(files: &dyn Files, device: usize) -> Menu {
    let mut kernels: Vec<Place> = Vec::new();
    for folder in ["/boot", "/"] {
        let folder = Place::new(device, folder);
        let is_kernel = |name: &String| KERNELS.iter().any(|kernel| name.starts_with(kernel));
        let mut names: Vec<String> = files.list(&folder).into_iter().filter(is_kernel).collect();
        names.sort_by(|a, b| version::compare(b, a));
        kernels.extend(names.iter().map(|name| folder.join(name)));
    }
    kernels.truncate(MAX_KERNELS);
    kernels.retain(|kernel| files::is_file(files, kernel));
    let root = root(files, device);
    let mut menu = Menu::default();
    menu.entries.extend(kernels.into_iter().map(|kernel| entry(files, kernel, root.as_deref())));
    menu.entries.iter_mut().take(1).for_each(|entry| entry.default = true);
    menu
}

fn entry(files: &dyn Files, kernel: Place, root: Option<&str>) -> Entry {
    let name = kernel.name().to_owned();
    let suffix = KERNELS.iter().find_map(|kernel| name.strip_prefix(kernel)).unwrap_or_default();
    let suffix = suffix.strip_suffix(".efi").unwrap_or(suffix);
    let named = INITRDS.iter().map(|form| kernel.parent().join(&form.replace("{}", suffix)));
    let initrds = named.filter(|place| files::is_file(files, place)).take(1).collect();
    let trouble = root
        .is_none()
        .then(|| "which root file system belongs to it is not known: no fstab says so".to_owned());
    Entry {
        id: name.clone(),
        title: format!("Linux, {}", kernel.path),
        initrds,
        command_line: root.map_or_else(String::new, |root| format!("{root} ro")),
        trouble,
        ..Entry::new(Loader::Convention, Kind::Linux, kernel.clone(), kernel)
    }
}

/// What a kernel of this device is told of its root file system: by the fstab there, or by that of a system
/// whose `/boot` it is.
fn root(files: &dyn Files, device: usize) -> Option<String> {
    let own = fstab::read(files, device);
    let found = own.iter().find(|line| line.target == "/").cloned();
    let found = found.or_else(|| {
        let here = files.devices().get(device)?;
        (0..files.devices().len()).find_map(|other| {
            let lines = fstab::read(files, other);
            let is_boot = lines.iter().any(|line| line.target == "/boot" && line.means(here));
            lines.into_iter().find(|line| is_boot && line.target == "/")
        })
    })?;
    let mut words = format!("root={}", found.source);
    let options = found.options.split(',').filter(|option| option.starts_with("subvol"));
    let options: Vec<&str> = options.collect();
    if found.kind == "btrfs" && !options.is_empty() {
        words.push_str(&format!(" rootflags={}", options.join(",")));
    }
    Some(words)
}
