//! Where files are, and how they are asked for.

/// The longest configuration file that is read, bytes: what programs write, GRUB's.
pub const MAX_TEXT: usize = 1 << 20;

/// The same where people write, and each file is one of many.
pub(crate) const MAX_SMALL_TEXT: usize = 64 << 10;

/// The kind of a partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// GUID partition table.
    Gpt,
    /// The old one, of four primary partitions.
    Msdos,
}

/// A file system that can be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// What it is called here: the kernel's name, such as `sda2`. No two have the same.
    pub name: String,
    /// Other names, as GRUB spells them: `lvm/vg-root`, `md/0`.
    pub names: Vec<String>,
    /// The disk that it is on, counted from 0; `None` when that means nothing.
    pub disk: Option<usize>,
    /// The partition's table and its number.
    pub part: Option<(Table, u32)>,
    /// The file system's type, as mount(8) names it.
    pub kind: String,
    /// The file system's identifier, or empty.
    pub uuid: String,
    /// The file system's label, or empty.
    pub label: String,
    /// The partition's identifier, or empty.
    pub part_uuid: String,
    /// The partition's name, or empty.
    pub part_label: String,
}

/// A path on a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Which of [`Files::devices`].
    pub device: usize,
    /// From the file system's root; begins with `/`, has no `.`, no `..` and no `//`.
    pub path: String,
}

impl Default for Place {
    /// The root of the first device.
    fn default() -> Self {
        Self::new(0, "/")
    }
}

impl Place {
    /// A place by a path that need not be clean. `..` does not lead out of the device.
    #[must_use]
    pub fn new(device: usize, path: &str) -> Self {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        Self { device, path: format!("/{}", parts.join("/")) }
    }

    /// What `path` means in this folder: from the root when it begins with `/`.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        if path.starts_with('/') {
            Self::new(self.device, path)
        } else {
            Self::new(self.device, &format!("{}/{path}", self.path))
        }
    }

    /// The folder that it is in.
    #[must_use]
    pub fn parent(&self) -> Self {
        self.join("..")
    }

    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A file of so many bytes.
    File(u64),
    /// A folder.
    Folder,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("there is no such file")]
    Missing,
    /// It is longer than what is taken.
    #[error("it has more than {0} bytes")]
    TooLong(usize),
    /// The system's words.
    #[error("{0}")]
    Failed(String),
}

/// The file systems of a machine, for reading only.
pub trait Files {
    /// Every file system, in the order of the disks.
    fn devices(&self) -> &[Device];

    /// What is at a place, symbolic links followed within the device; `None` for nothing.
    fn what(&self, place: &Place) -> Option<What>;

    /// Up to `most` bytes of a file from `offset` on; fewer at its end.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn read(&self, place: &Place, offset: u64, most: usize) -> Result<Vec<u8>, ReadError>;

    /// The names in a folder, sorted; none when it is not there.
    fn list(&self, folder: &Place) -> Vec<String>;
}

/// A whole text file, of at most so many bytes. What is no UTF-8 is replaced; line ends are `\n`.
pub(crate) fn text(files: &dyn Files, place: &Place, most: usize) -> Result<String, ReadError> {
    let bytes = files.read(place, 0, most + 1)?;
    if bytes.len() > most {
        return Err(ReadError::TooLong(most));
    }
    Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
}

/// Whether a file is there.
pub(crate) fn is_file(files: &dyn Files, place: &Place) -> bool {
    matches!(files.what(place), Some(What::File(_)))
}

/// The place that `names`, without regard to case, lead to: what a FAT would say on any file system.
pub(crate) fn any_case(files: &dyn Files, device: usize, names: &[&str]) -> Option<Place> {
    let mut place = Place::new(device, "/");
    for name in names {
        let plain = place.join(name);
        place = match files.what(&plain) {
            Some(_) => plain,
            None => {
                let there = files.list(&place);
                place.join(there.iter().find(|other| other.eq_ignore_ascii_case(name))?)
            }
        };
    }
    Some(place)
}
