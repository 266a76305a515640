//! `xenoboot image-pack`: a disk's image as files that any web server can serve.

use crate::{
    operator::text::size,
    ui::{Output, WithHint, interactive},
};
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::fs::{FileType, Mode, OFlags};
use std::{fs::File, os::unix::fs::MetadataExt as _, path::PathBuf};
use xenoboot_pack::{
    Options, Packed, Source as _, Usage, index,
    source::Raw,
    store::{INDEX, Store},
};
use xenoboot_wire::Digest;

/// Arguments of `xenoboot image-pack`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  xenoboot image-pack debian.raw www/debian\n  xenoboot image-pack /dev/sdb www/debian --level 19 --json\n\nThe folder is served by any web server; a machine writes the image with\n  xb image write --sha256 HEX https://server/debian/image.xbi --disk largest\n\nPacking a later state of the disk into the same folder writes only what has changed."
)]
pub(crate) struct Args {
    /// A disk, or a raw image of one
    source: PathBuf,
    /// The folder; what it has already is not written again
    folder: PathBuf,
    /// What the image is called there
    #[arg(long, value_name = "NAME", default_value = INDEX)]
    name: String,
    /// KiB a chunk: a power of two from 64 to 16384
    #[arg(long, value_name = "KIB", default_value_t = index::CHUNK >> 10)]
    chunk_size: u64,
    /// How closely zstd compresses, 1 to 22
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(i32).range(1..=22))]
    level: i32,
    /// Bytes a sector of the disk [default: what the disk says; 512 for a file]
    #[arg(long, value_name = "BYTES")]
    sector_size: Option<u32>,
    /// Pack what file systems do not use, too
    #[arg(long)]
    whole: bool,
    /// How many threads [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<()> {
    let chunk = args.chunk_size.saturating_mul(1024);
    ensure!(
        index::CHUNKS.contains(&chunk) && chunk.is_power_of_two(),
        "{} KiB a chunk is no power of two from 64 to 16384",
        args.chunk_size
    );
    ensure!(
        !args.name.is_empty() && !args.name.contains('/') && !args.name.starts_with('.'),
        "{:?} is no name for a file",
        args.name
    );
    let shown = args.source.display();
    let (source, sector) = open(args)?;
    let usage = match args.whole {
        true => Usage::default(),
        false => {
            Usage::find(&source, sector.into()).with_context(|| format!("cannot read {shown}"))?
        }
    };
    let store = Store::create(&args.folder)
        .with_context(|| format!("cannot make {}", args.folder.display()))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or(threads).clamp(1, 256);
    let options = Options { chunk, sector, level: args.level, threads };
    let bar = bar(source.size());
    let packed = xenoboot_pack::pack(&source, &usage, &store, &options, &|bytes| bar.inc(bytes))
        .with_context(|| format!("cannot pack {shown} into {}", args.folder.display()))?;
    bar.finish_and_clear();
    let bytes = packed.index.encode();
    let path = store.finish(&args.name, &bytes).context("cannot write the root index")?;
    let digest = Digest::of(&bytes);
    if output.json {
        println!("{}", json(&packed, &path, &digest));
    } else {
        print(&packed, &path, &digest);
    }
    Ok(())
}

/// The source, and how many bytes its sectors have.
fn open(args: &Args) -> Result<(Raw, u32)> {
    let shown = args.source.display();
    // Of a block device: refused while something has it mounted.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let open = |flags| rustix::fs::open(&args.source, flags, Mode::empty()).map(File::from);
    let mut file = open(flags).with_context(|| format!("cannot open {shown}"))?;
    let mut sector = args.sector_size.unwrap_or(512);
    if FileType::from_raw_mode(file.metadata()?.mode()) == FileType::BlockDevice {
        file = open(flags | OFlags::EXCL)
            .with_context(|| format!("cannot open {shown}"))
            .hint("a disk that is mounted changes while it is read: unmount it first")?;
        sector = rustix::fs::ioctl_blksszget(&file)?;
    }
    let source = Raw::new(file).with_context(|| format!("cannot read {shown}"))?;
    let bytes = u64::from(sector);
    ensure!(
        (512..=65536).contains(&bytes) && bytes.is_power_of_two(),
        "{sector} bytes are no sector"
    );
    ensure!(
        source.size() > 0 && source.size().is_multiple_of(bytes),
        "{shown} has {} bytes, which are no whole sectors of {sector}",
        source.size()
    );
    Ok((source, sector))
}

fn bar(size: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {eta} left",
    );
    if interactive() {
        ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    } else {
        ProgressBar::hidden()
    }
}

fn json(packed: &Packed, path: &std::path::Path, digest: &Digest) -> serde_json::Value {
    let index = &packed.index;
    serde_json::json!({
        "index": path,
        "sha256": digest,
        "size": index.size,
        "chunk_size": index.chunk,
        "sector_size": index.sector,
        "chunks": { "data": index.data, "zeros": packed.zeros, "unused": packed.unused },
        "packed": index.packed,
        "written": packed.written,
    })
}

fn print(packed: &Packed, path: &std::path::Path, digest: &Digest) {
    let index = &packed.index;
    println!(
        "packed {} into {}: {} chunks with data ({}), {} of zeros, {} unused; {} written",
        size(index.size),
        path.display(),
        index.data,
        size(index.packed),
        packed.zeros,
        packed.unused,
        size(packed.written)
    );
    println!("sha256 {digest}");
}
