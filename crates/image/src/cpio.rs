//! The `newc` cpio format that the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Everything that could differ between two builds is fixed: owner, times, inode numbers; entries keep
//! the order in which they were added.

/// Builds one archive.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFCHR: u32 = 0o020_000;

impl Archive {
    /// An empty archive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder; its parent must have been added before it.
    pub fn folder(&mut self, path: &str, mode: u32) {
        self.entry(path, S_IFDIR | mode, 2, (0, 0), &[]);
    }

    /// Adds a regular file with permission bits `mode`.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, S_IFREG | mode, 1, (0, 0), content);
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) {
        self.entry(path, S_IFLNK | 0o777, 1, (0, 0), target.as_bytes());
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, mode: u32, major: u32, minor: u32) {
        self.entry(path, S_IFCHR | mode, 1, (major, minor), &[]);
    }

    /// The finished archive, padded with zeros to a multiple of 512 bytes, so that another may follow.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.inode = 0;
        self.raw("TRAILER!!!", 0, 0, 1, (0, 0), &[]);
        self.pad(512);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, links: u32, device: (u32, u32), content: &[u8]) {
        self.inode += 1;
        self.raw(path, self.inode, mode, links, device, content);
    }

    fn raw(
        &mut self,
        path: &str,
        inode: u32,
        mode: u32,
        links: u32,
        device: (u32, u32),
        content: &[u8],
    ) {
        let (major, minor) = device;
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
        // inode mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let fields = [inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, name, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad(4);
        self.bytes.extend_from_slice(content);
        self.pad(4);
    }

    fn pad(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }
}

/// The entries of an archive: path, mode and content. Ends at the trailer.
///
/// # Errors
/// `None` in place of an entry when the bytes are not a well-formed archive.
pub fn entries(mut bytes: &[u8]) -> impl Iterator<Item = Option<(&str, u32, &[u8])>> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let entry = parse(&mut bytes);
        done = entry.is_none_or(|(path, _, _)| path == "TRAILER!!!");
        if done && entry.is_some() { None } else { Some(entry) }
    })
}

fn parse<'a>(bytes: &mut &'a [u8]) -> Option<(&'a str, u32, &'a [u8])> {
    let all = *bytes;
    let field = |n: usize| {
        let text = std::str::from_utf8(all.get(6 + 8 * n..14 + 8 * n)?).ok()?;
        u32::from_str_radix(text, 16).ok()
    };
    if all.get(..6)? != b"070701" {
        return None;
    }
    let (mode, size, name) = (field(1)?, field(6)? as usize, field(11)? as usize);
    let path = all.get(110..110usize.checked_add(name)?.checked_sub(1)?)?;
    let start = (110 + name).checked_next_multiple_of(4)?;
    let end = start.checked_add(size)?;
    let content = all.get(start..end)?;
    *bytes = all.get(end.checked_next_multiple_of(4)?..)?;
    Some((std::str::from_utf8(path).ok()?, mode, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut archive = Archive::new();
        archive.folder("etc", 0o755);
        archive.file("etc/a", 0o600, b"hello");
        archive.symlink("b", "etc/a");
        archive.device("console", 0o600, 5, 1);
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 512, 0);
        let read: Vec<_> = entries(&bytes).map(Option::unwrap).collect();
        assert_eq!(read[1], ("etc/a", S_IFREG | 0o600, &b"hello"[..]));
        assert_eq!(read[2], ("b", S_IFLNK | 0o777, &b"etc/a"[..]));
        assert_eq!(read.len(), 4);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            entries(&bytes).take(100).for_each(drop);
        }

        #[test]
        fn a_damaged_archive_does_no_harm(at in 0usize..400, value: u8) {
            let mut archive = Archive::new();
            archive.file("some/file", 0o644, &[1; 100]);
            let mut bytes = archive.finish();
            bytes[at % 400] = value;
            entries(&bytes).take(100).for_each(drop);
        }
    }
}
