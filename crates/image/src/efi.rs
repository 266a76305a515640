//! The EFI system partition inside the image: a small FAT file system with the signed loaders.

use anyhow::{Context, Result};
use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use std::io::{Cursor, Write};

/// What it holds.
pub struct Loaders<'a> {
    /// shim, which the firmware starts.
    pub shim: &'a [u8],
    /// GRUB, which shim starts.
    pub grub: &'a [u8],
    /// GRUB's configuration.
    pub config: &'a [u8],
}

/// Makes the file system. The same loaders give the same bytes.
///
/// # Errors
/// When they do not fit, which is a defect of this function.
pub fn image(loaders: &Loaders) -> Result<Vec<u8>> {
    let content = loaders.shim.len() + loaders.grub.len() + loaders.config.len();
    // Room for folders and tables; whole MiB, as the partition table wants.
    let size = (content + (256 << 10)).next_multiple_of(1 << 20);
    let mut disk = Cursor::new(vec![0; size]);
    let options = FormatVolumeOptions::new().volume_id(0x584E_424F).volume_label(*b"XENOBOOT   ");
    fatfs::format_volume(&mut disk, options).context("formatting the EFI partition")?;
    // Without its `chrono` feature fatfs knows no time: every date is the format's first.
    let volume =
        FileSystem::new(&mut disk, FsOptions::new()).context("opening the EFI partition")?;
    {
        let root = volume.root_dir();
        for folder in ["EFI", "EFI/BOOT", "boot", "boot/grub"] {
            root.create_dir(folder)?;
        }
        for (name, content) in [
            ("EFI/BOOT/BOOTX64.EFI", loaders.shim),
            ("EFI/BOOT/grubx64.efi", loaders.grub),
            ("boot/grub/grub.cfg", loaders.config),
        ] {
            let mut file = root.create_file(name)?;
            file.write_all(content)?;
            file.flush()?;
        }
    }
    volume.unmount()?;
    Ok(disk.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_twice_and_the_configuration_in_one_piece() {
        let config = b"search --fs-uuid 2026-11-23-01-20-00-00";
        let loaders = Loaders { shim: &[1; 1000], grub: &[2; 300_000], config };
        let bytes = image(&loaders).unwrap();
        assert_eq!(bytes, image(&loaders).unwrap());
        assert_eq!(bytes.windows(config.len()).filter(|w| w == config).count(), 1);
    }
}
