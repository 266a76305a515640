//! The files that are searched.

use crate::{applet::Args, glob};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

/// How files are found.
pub(super) struct Walk<'a> {
    pub(super) args: &'a Args,
    pub(super) recursive: bool,
    pub(super) follow: bool,
}

impl Walk<'_> {
    /// Calls `each` for a file, or for every file below a folder, in the order of names. `above` are the device and
    /// inode of the folders that it is in: a link may lead round in a circle.
    pub(super) fn visit(
        &self,
        path: &Path,
        above: &mut Vec<(u64, u64)>,
        each: &mut impl FnMut(&Path),
    ) {
        if !self.recursive || !path.is_dir() {
            return each(path);
        }
        let Ok(entries) = fs::read_dir(path) else { return each(path) };
        let Ok(meta) = fs::metadata(path) else { return each(path) };
        let itself = (meta.dev(), meta.ino());
        if above.contains(&itself) {
            return eprintln!("grep: {}: warning: recursive directory loop", path.display());
        }
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        above.push(itself);
        for entry in entries {
            let path = entry.path();
            let kind = if self.follow { path.metadata() } else { entry.metadata() };
            match kind.map(|meta| meta.file_type()) {
                Ok(kind) if kind.is_dir() && !self.left_out(&path) => {
                    self.visit(&path, above, each);
                }
                Ok(kind) if kind.is_file() => each(&path),
                // A link to nothing.
                Err(_) if self.follow => each(&path),
                _ => {}
            }
        }
        above.pop();
    }

    /// Whether --exclude-dir names a folder.
    pub(super) fn left_out(&self, folder: &Path) -> bool {
        let name = folder.file_name().unwrap_or_default().as_bytes();
        let whole = folder.as_os_str().as_bytes();
        self.args.values("exclude-dir").map(OsStr::as_bytes).any(|glob| {
            let glob = glob.strip_suffix(b"/").unwrap_or(glob);
            glob::matches(glob, name) || glob::matches(glob, whole)
        })
    }
}
