//! The site initramfs: what differs between sites and machines, in a cpio archive of fixed size.

use crate::cpio;
use anyhow::{Result, ensure};

/// Bytes of the site initramfs in every image: stamping replaces it where it lies.
pub const SIZE: usize = 64 << 10;

/// Where its files are on the machine, without the leading slash.
const FOLDER: &str = "etc/xenoboot/site";

/// What an image is stamped with. The texts must have been checked: nothing here looks into them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// `site.toml`.
    pub site: String,
    /// `trust.toml`.
    pub trust: String,
    /// `machine.toml`.
    pub machine: Option<String>,
    /// The machine's private key, PKCS#8 DER.
    pub key: Option<Vec<u8>>,
}

impl Stamp {
    /// The initramfs for a medium with the given identifier, [`SIZE`] bytes.
    ///
    /// # Errors
    /// When the files are larger than there is room for.
    pub fn archive(&self, medium: &str) -> Result<Vec<u8>> {
        let mut archive = cpio::Archive::new();
        let mut file = |name: &str, mode, content: &[u8]| {
            archive.file(&format!("{FOLDER}/{name}"), mode, content);
        };
        file("site.toml", 0o644, self.site.as_bytes());
        file("trust.toml", 0o644, self.trust.as_bytes());
        if let Some(machine) = &self.machine {
            file("machine.toml", 0o644, machine.as_bytes());
        }
        if let Some(key) = &self.key {
            file("machine.key", 0o600, key);
        }
        file("medium", 0o644, format!("{medium}\n").as_bytes());
        // Last of all: where this is missing, the loader did not deliver everything.
        file("end", 0o644, b"");
        let mut bytes = archive.finish();
        ensure!(
            bytes.len() <= SIZE,
            "site, trust and machine files take {} bytes; there is room for {SIZE}",
            bytes.len()
        );
        bytes.resize(SIZE, 0);
        Ok(bytes)
    }

    /// Reads a site initramfs. `None` when it is not one.
    #[must_use]
    pub fn read(archive: &[u8]) -> Option<Self> {
        let mut stamp = Self::default();
        for entry in cpio::entries(archive) {
            let (path, _, content) = entry?;
            let text = || String::from_utf8(content.to_vec()).ok();
            match path.strip_prefix(FOLDER)?.trim_start_matches('/') {
                "site.toml" => stamp.site = text()?,
                "trust.toml" => stamp.trust = text()?,
                "machine.toml" => stamp.machine = Some(text()?),
                "machine.key" => stamp.key = Some(content.to_vec()),
                _ => {}
            }
        }
        Some(stamp)
    }

    /// Whether this image was made for a site yet.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.site.is_empty() && self.trust.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stamped_is_read_back() {
        let stamp = Stamp {
            site: "s".into(),
            trust: "t".into(),
            machine: Some("m".into()),
            key: Some(vec![1, 2, 3]),
        };
        let bytes = stamp.archive("2026-11-23-01-20-00-00").unwrap();
        assert_eq!(bytes.len(), SIZE);
        assert!(Stamp::read(&bytes).unwrap() == stamp);
        assert!(!stamp.is_blank());
        let last = cpio::entries(&bytes).flatten().last().unwrap();
        assert_eq!(last.0, "etc/xenoboot/site/end");
    }

    #[test]
    fn too_much_is_refused() {
        let stamp = Stamp { site: "x".repeat(SIZE), ..Stamp::default() };
        assert!(stamp.archive("u").unwrap_err().to_string().contains("there is room for"));
    }
}
