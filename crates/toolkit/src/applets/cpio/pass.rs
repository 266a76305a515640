//! `cpio -p`: files copied into another folder.

use super::{Owner, blocks, folder, keep_time, metadata, tell, unwanted, wanted};
use crate::{
    applet::{Args, reason, usage_error},
    archive::{Extractor, Kind, Member, words},
    names::Names,
};
use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, BufRead, BufReader, Read as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

pub(super) fn pass(args: &Args) -> anyhow::Result<u8> {
    let [to] = args.operands.as_slice() else { return usage_error("which FOLDER?") };
    let (base, owner, names) = (folder(args), Owner::of(args)?, Names::read());
    if args.has("make-directories") {
        fs::create_dir_all(base.join(to))?;
    }
    let mut extractor = Extractor::new(base.join(to))?;
    extractor.times = args.has("preserve-modification-time");
    extractor.modes = true;
    extractor.parents = args.has("make-directories");
    extractor.owners |= owner.is_given();
    extractor.owners &= !args.has("no-preserve-owner");
    let (mut first_names, mut bytes, mut status) = (HashMap::new(), 0, 0);
    for name in wanted(args)? {
        let path = base.join(OsStr::from_bytes(&name));
        let copied = metadata(args, &path).map_err(anyhow::Error::from).and_then(|meta| {
            let mut member = member(args, &name, &path, &meta, &mut first_names)?;
            owner.give(&mut member, &names);
            if unwanted(args, &extractor.root, &member) {
                eprintln!(
                    "cpio: {} not created: newer or same age version exists",
                    member.path.display()
                );
                return Ok(());
            }
            bytes += member.size;
            let mut data: Box<dyn BufRead> = match member.kind {
                Kind::File => Box::new(
                    BufReader::with_capacity(1 << 17, File::open(&path)?).take(member.size),
                ),
                _ => Box::new(io::empty()),
            };
            if !(args.has("link") && extractor.link(&path, &member)?) {
                extractor.extract(&member, &mut data)?;
                keep_time(args, &path, &meta)?;
            }
            if let (Kind::Hardlink(first), true) = (&member.kind, args.has("verbose")) {
                eprintln!("cpio: {} linked to {}", shown(to, first), shown(to, &member.path));
            }
            Ok(())
        });
        match copied {
            Err(error) => {
                let text = error.downcast_ref().map_or_else(|| words(&error), reason);
                eprintln!("cpio: {}: {text}", path.display());
                status = 2;
            }
            Ok(()) => tell(args, &shown(to, Path::new(OsStr::from_bytes(&name)))),
        }
    }
    extractor.finish()?;
    blocks(args, bytes)?;
    Ok(status)
}

/// The name of a copy as the user would write it.
fn shown(to: &OsStr, name: &Path) -> String {
    let name = name.strip_prefix("/").unwrap_or(name);
    Path::new(to).join(name).display().to_string()
}

/// A file as a member; one that was copied by another name is a link to that.
fn member(
    args: &Args,
    name: &[u8],
    path: &Path,
    meta: &Metadata,
    first_names: &mut HashMap<(u64, u64), PathBuf>,
) -> anyhow::Result<Member> {
    let (kind, name) = (meta.file_type(), PathBuf::from(OsStr::from_bytes(name)));
    let (major, minor) = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
    let kind = if kind.is_dir() {
        Kind::Folder
    } else if kind.is_symlink() {
        Kind::Symlink(fs::read_link(path)?.into_os_string())
    } else if kind.is_char_device() {
        Kind::Char(major, minor)
    } else if kind.is_block_device() {
        Kind::Block(major, minor)
    } else if kind.is_fifo() {
        Kind::Fifo
    } else if let Some(first) = first_names.get(&(meta.dev(), meta.ino())) {
        Kind::Hardlink(first.clone())
    } else {
        if meta.nlink() > 1 {
            first_names.insert((meta.dev(), meta.ino()), name.clone());
        }
        Kind::File
    };
    Ok(Member {
        path: name,
        size: if kind == Kind::File { meta.size() } else { 0 },
        kind,
        sparse: args.has("sparse"),
        mode: meta.mode(),
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: meta.mtime(),
        ..Member::default()
    })
}
