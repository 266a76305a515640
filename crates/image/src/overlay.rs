//! An operator's own files, added to the initramfs.

use crate::initramfs::Tree;
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Folders that are links in the image, and where they lead: the kernel would put a folder in their place.
const LINKS: &[(&str, &str)] =
    &[("bin", "usr/bin"), ("sbin", "usr/bin"), ("lib", "usr/lib"), ("usr/sbin", "usr/bin")];

/// What the image is made of: an overlay adds to it.
const OURS: &[&str] = &[
    "init",
    "dev",
    "proc",
    "sys",
    "run",
    "tmp",
    "etc/xenoboot",
    "usr/lib/xenoboot",
    "usr/lib/modules",
];

/// The archive of all that is in `folder`, and its lines of the manifest.
///
/// # Errors
/// When there is something that cannot be added, or that is the image's own.
pub(crate) fn archive(folder: &Path) -> Result<(Vec<u8>, String)> {
    let mut tree = Tree::default();
    add(&mut tree, folder, Path::new(""))
        .with_context(|| format!("overlay {}", folder.display()))?;
    let manifest = std::mem::take(&mut tree.manifest);
    let mut bytes = tree.archive.finish();
    // The kernel looks for what follows at multiples of four.
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    Ok((bytes, manifest))
}

fn add(tree: &mut Tree, folder: &Path, below: &Path) -> Result<()> {
    let at = folder.join(below);
    let entries = fs::read_dir(&at).with_context(|| at.display().to_string())?;
    let mut paths = entries.map(|e| Ok(e?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    for from in paths {
        let path = from.strip_prefix(folder).context("a path outside of its folder")?;
        let name = place(path)?;
        let meta = fs::symlink_metadata(&from)?;
        let kind = meta.file_type();
        if kind.is_dir() {
            tree.folders(&format!("{name}/"));
            add(tree, folder, path)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&from)?;
            let target = target
                .to_str()
                .with_context(|| format!("{name} leads to a name that is not UTF-8"))?;
            tree.folders(&name);
            tree.archive.symlink(&name, target);
        } else if kind.is_file() {
            // Only what matters on the machine: the builder's umask shall not change the image.
            let mode = if meta.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            tree.essential(&name, mode, &fs::read(&from).with_context(|| name.clone())?);
        } else {
            bail!("{name} is neither file, folder nor symbolic link");
        }
    }
    Ok(())
}

/// Where a file goes.
fn place(path: &Path) -> Result<String> {
    let name = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    ensure!(!name.contains('\n'), "{name:?}: a name with a line break");
    let link = LINKS.iter().find(|(link, _)| path.starts_with(link));
    let name = match link {
        Some((link, target)) => format!("{target}{}", name.strip_prefix(link).unwrap_or_default()),
        None => name.to_owned(),
    };
    let ours = OURS.iter().find(|ours| Path::new(&name).starts_with(ours));
    ensure!(ours.is_none(), "/{name} is the image's own");
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpio;
    use std::os::unix::fs::symlink;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xenoboot-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn files_go_where_the_links_lead() {
        let at = folder("overlay");
        fs::create_dir_all(at.join("sbin")).unwrap();
        fs::create_dir_all(at.join("etc/site")).unwrap();
        fs::write(at.join("sbin/tool"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(at.join("sbin/tool"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(at.join("etc/site/a"), "a").unwrap();
        symlink("a", at.join("etc/site/b")).unwrap();
        let (bytes, manifest) = archive(&at).unwrap();
        let found: Vec<_> =
            cpio::entries(&bytes).flatten().map(|(p, m, _)| (p, m & 0o777)).collect();
        assert!(found.contains(&("usr/bin/tool", 0o755)), "{found:?}");
        assert!(found.contains(&("etc/site/a", 0o644)) && found.contains(&("etc/site/b", 0o777)));
        assert!(!found.iter().any(|(path, _)| path.starts_with("sbin")), "{found:?}");
        assert!(manifest.contains(" 10 /usr/bin/tool\n"), "{manifest}");
        assert_eq!(bytes, archive(&at).unwrap().0);
        fs::remove_dir_all(at).unwrap();
    }

    #[test]
    fn the_images_own_files_are_not_replaced() {
        for path in
            ["init", "lib/modules/x", "etc/xenoboot/site/site.toml", "usr/lib/xenoboot/agent"]
        {
            assert!(place(Path::new(path)).is_err(), "{path}");
        }
        assert_eq!(place(Path::new("lib/firmware/x")).unwrap(), "usr/lib/firmware/x");
        assert_eq!(place(Path::new("library")).unwrap(), "library");
    }
}
