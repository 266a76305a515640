//! Files of the disks, as `xenoboot_menu` asks for them.

use rustix::fs::{Mode, OFlags, RawDir, ResolveFlags, openat2};
use std::{
    fs::{self, File},
    io,
    mem::MaybeUninit,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};
use xenoboot_menu::{Device, Files, Place, ReadError, What};

/// The most names of one folder.
const MAX_NAMES: usize = 20_000;

/// File systems that can be read.
#[derive(Debug, Default)]
pub(crate) struct Volumes {
    devices: Vec<Device>,
    /// Of each device the folders that a path may begin in, in the order of being tried.
    roots: Vec<Vec<File>>,
}

impl Volumes {
    /// Adds a device by its folders.
    pub(crate) fn add(&mut self, device: Device, roots: Vec<File>) {
        self.devices.push(device);
        self.roots.push(roots);
    }

    /// Opens what is at a place. Links lead nowhere but into the same device: what is on a disk is hostile.
    fn at(&self, place: &Place, flags: OFlags) -> io::Result<File> {
        let path = relative(place);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for root in self.roots.get(place.device).into_iter().flatten() {
            match within(root, path, flags) {
                Ok(file) => return Ok(file),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// A regular file, open for reading.
    pub(crate) fn open(&self, place: &Place) -> io::Result<File> {
        // A pipe must not be waited for.
        let file = self.at(place, OFlags::RDONLY | OFlags::NONBLOCK)?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::other("it is not a regular file"))
        }
    }
}

/// Opens a path of which nothing leads out of `root`.
pub(crate) fn within(root: &File, path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(File::from(openat2(root, path, flags, Mode::empty(), resolve)?))
}

/// Where an open file is, with all links followed.
pub(crate) fn path_of(file: &File) -> io::Result<PathBuf> {
    use std::os::fd::AsRawFd as _;
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

impl Files for Volumes {
    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn what(&self, place: &Place) -> Option<What> {
        let about = self.at(place, OFlags::PATH).ok()?.metadata().ok()?;
        if about.is_dir() {
            Some(What::Folder)
        } else {
            about.is_file().then_some(What::File(about.len()))
        }
    }

    fn read(&self, place: &Place, offset: u64, most: usize) -> Result<Vec<u8>, ReadError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::Missing,
            _ => ReadError::Failed(crate::partitions::plain(&error)),
        };
        let file = self.open(place).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len().saturating_sub(offset);
        let mut bytes = vec![0; most.min(usize::try_from(size).unwrap_or(most))];
        let mut length = 0;
        while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + length as u64).map_err(failed)? {
                0 => break,
                read => length += read,
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    fn list(&self, folder: &Place) -> Vec<String> {
        let path = relative(folder);
        let roots = self.roots.get(folder.device).into_iter().flatten();
        let folders =
            roots.filter_map(|root| within(root, path, OFlags::RDONLY | OFlags::DIRECTORY).ok());
        let mut names: Vec<String> = folders.flat_map(names_in).take(MAX_NAMES).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// A place's path as it is opened in one of the device's folders.
fn relative(place: &Place) -> &Path {
    let path = place.path.trim_start_matches('/');
    Path::new(if path.is_empty() { "." } else { path })
}

fn names_in(folder: File) -> Vec<String> {
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(folder, &mut buffer);
    let mut names = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." && names.len() < MAX_NAMES {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_do_not_lead_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("boot")).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(root.join("boot/vmlinuz-1"), "kernel").unwrap();
        symlink("/boot/vmlinuz-1", root.join("vmlinuz")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(folder.path().join("secret"), root.join("far")).unwrap();
        symlink("/proc/self/root/etc/passwd", root.join("magic")).unwrap();
        let mut volumes = Volumes::default();
        volumes.add(Device::default(), vec![File::open(&root).unwrap()]);
        let read = |path: &str| volumes.read(&Place::new(0, path), 0, 100);
        assert_eq!(read("/vmlinuz").unwrap(), b"kernel");
        assert_eq!(volumes.read(&Place::new(0, "/vmlinuz"), 2, 3).unwrap(), b"rne");
        for path in ["/out", "/far", "/magic", "/../secret", "/boot/none", "/vmlinuz/x"] {
            assert_eq!(read(path), Err(ReadError::Missing), "{path}");
        }
        assert!(matches!(read("/boot"), Err(ReadError::Failed(_))));
        assert_eq!(volumes.what(&Place::new(0, "/vmlinuz")), Some(What::File(6)));
        assert_eq!(volumes.what(&Place::new(0, "/boot")), Some(What::Folder));
        assert_eq!(volumes.list(&Place::new(0, "/boot")), ["vmlinuz-1"]);
        let open = volumes.open(&Place::new(0, "/vmlinuz")).unwrap();
        assert!(path_of(&open).unwrap().ends_with("boot/vmlinuz-1"));
    }
}
