//! Files that are changed in their place.

use super::{Machine, Output};
use anyhow::{Context as _, ensure};
use std::{
    fs::{self, File},
    io::BufWriter,
    path::Path,
    process,
};

impl Machine<'_> {
    pub(super) fn in_place(&mut self, name: &str, suffix: &str) -> anyhow::Result<Option<u8>> {
        if !self.input.ready() && self.input.status > 0 {
            return Ok(None);
        }
        let path = Path::new(name);
        let shown = || format!("couldn't edit {name}");
        let meta = fs::metadata(path).with_context(shown)?;
        ensure!(meta.is_file(), "couldn't edit {name}: not a regular file");
        let rights = meta.permissions();
        let folder = path.parent().unwrap_or(Path::new("."));
        let temporary = folder.join(format!("sed{:06}.tmp", process::id()));
        let file = File::create_new(&temporary)
            .with_context(|| format!("couldn't open temporary file {}", temporary.display()))?;
        file.set_permissions(rights)?;
        let new = Output::new(Box::new(BufWriter::new(file)));
        let old = std::mem::replace(&mut self.out, new);
        let result = self.cycles().and_then(|quit| Ok(self.out.to.flush().map(|()| quit)?));
        self.out = old;
        if result.is_ok() && !suffix.is_empty() {
            // As GNU's, the name goes in as it was given, with its folders.
            let copy = if suffix.contains('*') {
                folder.join(suffix.replace('*', name))
            } else {
                format!("{name}{suffix}").into()
            };
            let renamed = fs::rename(path, copy).with_context(|| format!("cannot rename {name}"));
            if renamed.is_err() {
                fs::remove_file(&temporary).with_context(shown)?;
            }
            renamed?;
        }
        match &result {
            Ok(_) => fs::rename(&temporary, path).with_context(shown)?,
            Err(_) => fs::remove_file(&temporary).with_context(shown)?,
        }
        result
    }
}

/// What a chain of links leads to, named from the last one's folder as GNU's names it.
pub(super) fn followed(name: &str) -> anyhow::Result<String> {
    let mut path = std::path::PathBuf::from(name);
    for _ in 0..40 {
        if name == "-" {
            break;
        }
        let meta =
            fs::symlink_metadata(&path).with_context(|| format!("couldn't readlink {name}"))?;
        if !meta.is_symlink() {
            break;
        }
        let target = fs::read_link(&path).with_context(|| format!("couldn't readlink {name}"))?;
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Ok(path.to_string_lossy().into_owned())
}
