//! The disk: an ext4 file system whose primary superblock has been overwritten.

use anyhow::{Context, Result, ensure};
use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Its size in bytes: with blocks of 4 KiB, the first backup superblock is at block 32768, 128 MiB in.
const SIZE: u64 = 256 << 20;

/// A line that the repair script writes.
pub(crate) const EDITED: &str = "state=repaired";

/// The disk's image.
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
}

impl Disk {
    /// Makes the file system with some files, then overwrites its primary superblock.
    pub(crate) fn make(path: &Path) -> Result<Self> {
        let tree = path.with_extension("tree");
        fs::create_dir_all(tree.join("etc"))?;
        fs::create_dir_all(tree.join("data"))?;
        fs::write(tree.join("etc/machine.conf"), "name=cupboard\nstate=broken\n")?;
        let records: String = (0..20_000).map(|n| format!("record {n}: {}\n", n * n)).collect();
        fs::write(tree.join("data/records"), records)?;
        let sums = run(Command::new("sha256sum").arg("data/records").current_dir(&tree))?;
        fs::write(tree.join("SHA256SUMS"), sums.stdout)?;
        File::create(path)?.set_len(SIZE)?;
        let make = ["-q", "-F", "-t", "ext4", "-b", "4096", "-L", "data", "-d"];
        run(Command::new("mke2fs").args(make).arg(&tree).arg(path).env("PATH", search_path()))?;
        fs::remove_dir_all(&tree)?;
        // The primary superblock: 1 KiB at offset 1 KiB.
        let mut file = File::options().write(true).open(path)?;
        file.seek(SeekFrom::Start(1024))?;
        file.write_all(&[0xa5; 1024])?;
        Ok(Self { path: path.to_path_buf() })
    }

    /// What e2fsck says of the disk as it is.
    pub(crate) fn complaint(&self, fsck: &Path) -> Result<String> {
        let out = Command::new(fsck).arg("-n").arg(&self.path).output().context("e2fsck")?;
        ensure!(!out.status.success(), "the disk is not broken");
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        let line = said.lines().find(|line| line.contains("superblock"));
        Ok(line.unwrap_or("e2fsck finds no file system").trim().to_owned())
    }

    /// Checks that it was repaired, and the file edited.
    pub(crate) fn check(&self, fsck: &Path) -> Result<()> {
        run(Command::new(fsck).args(["-f", "-n"]).arg(&self.path))
            .context("the disk is still broken")?;
        let read = ["-R", "cat /etc/machine.conf"];
        let out =
            run(Command::new("debugfs").args(read).arg(&self.path).env("PATH", search_path()))?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        ensure!(text.lines().any(|line| line == EDITED), "the file was not edited: {text}");
        Ok(())
    }
}

/// With the folders of administrators' programs, which a user's search path may lack.
fn search_path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

fn run(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {}", said.trim());
    Ok(output)
}
