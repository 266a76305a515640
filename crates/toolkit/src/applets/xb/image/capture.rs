//! `xb image capture`.

use super::shown;
use crate::{
    applet::{Args, usage_error},
    imaging::{choose, progress::Progress},
    json::Json,
    partitions::Disk,
    sizes::{Style, human},
};
use anyhow::{Context as _, bail};
use std::{fs::File, path::Path};
use xenoboot_pack::{
    Options, Source as _, Usage,
    chunk::Packer,
    index::{CHUNK, CHUNKS},
    source::Raw,
    store::{INDEX, Store},
};
use xenoboot_sys::blockdev;
use xenoboot_wire::Digest;

/// What all threads' buffers together may have, bytes.
const MEMORY: u64 = 64 << 20;

pub(super) fn run(args: &Args, disk: &str, folder: &Path) -> anyhow::Result<u8> {
    let chunk = args.number::<u64>("chunk-size")?.map_or(CHUNK, |kib| kib.saturating_mul(1024));
    if !CHUNKS.contains(&chunk) || !chunk.is_power_of_two() {
        return usage_error("the value of --chunk-size is no power of two from 64 to 16384");
    }
    let level = args.number("level")?.unwrap_or(3);
    if !(1..=22).contains(&level) {
        return usage_error("the value of --level is not from 1 to 22");
    }
    let name = args.text("name")?.unwrap_or(INDEX);
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return usage_error(format!("{name:?} is no name for a file"));
    }
    let (path, why) = choose::find(disk, false)?;
    eprintln!("xb image: disk {} ({why})", path.display());
    let disk = Disk::open(&path, false)?;
    if disk.device && blockdev::in_use(&path) {
        bail!("{} is in use, and changes while it is read: umount it first", path.display());
    }
    let source = Raw::new(File::open(&path)?)?;
    let sector = u32::try_from(disk.sector)?;
    if source.size() == 0 || !source.size().is_multiple_of(disk.sector) {
        bail!("{} has no whole sectors", path.display());
    }
    let usage = match args.has("whole") {
        true => Usage::default(),
        false => Usage::find(&source, disk.sector)?,
    };
    let store =
        Store::create(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let fitting = usize::try_from(MEMORY / Packer::memory(level, chunk))?.max(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(fitting);
    let options = Options { chunk, sector, level, threads };
    let progress = Progress::new(source.size());
    let packed = shown(&progress, "capturing", args, || {
        let done = |bytes| progress.add(bytes);
        xenoboot_pack::pack(&source, &usage, &store, &options, &done)
            .with_context(|| format!("cannot capture {}", path.display()))
    })?;
    let bytes = packed.index.encode();
    let root = store.finish(name, &bytes)?;
    let digest = Digest::of(&bytes);
    if args.has("json") {
        let mut object = Json::object();
        object.put("index", Json::text(root.to_string_lossy()));
        object.put("sha256", Json::text(digest.to_string()));
        object.put("size", Json::Number(packed.index.size));
        object.put("data", Json::Number(packed.index.data));
        object.put("packed", Json::Number(packed.index.packed));
        object.put("written", Json::Number(packed.written));
        println!("{object}");
    } else {
        let size = |bytes| human(bytes, Style::Long);
        println!(
            "captured {} of {} as {}: {} chunks with data, {} packed",
            size(packed.index.size),
            path.display(),
            root.display(),
            packed.index.data,
            size(packed.index.packed)
        );
        println!("sha256 {digest}");
    }
    Ok(0)
}
