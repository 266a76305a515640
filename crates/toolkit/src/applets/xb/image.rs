//! `xb image`: disk images are written, verified and captured; archives of root file systems unpacked.

mod capture;
mod unpack;
mod verify;
mod write;

use crate::{
    applet::{Applet, Args, Opt, UsageError, usage_error},
    http::{exchange::Path as Way, options, stream::Patience, tls::Roots, url::Url},
    imaging::{
        choose,
        mirrors::{Mirrors, Place},
        progress::Progress,
        target::Target,
    },
    json::Json,
};
use anyhow::{Context as _, bail};
use std::{path::Path, time::Duration};
use xenoboot_pack::Index;
use xenoboot_wire::{
    Digest,
    script::{Request, SOCKET},
};

const fn flag(long: &'static str, help: &'static str) -> Opt {
    Opt { short: '\0', long, value: "", help }
}

const fn opt(long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short: '\0', long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "xb image",
    summary: "Writes an image to a disk, compares them, makes an image of a disk, or unpacks a root file system.",
    usage: "write [OPTION]... --disk DISK SOURCE...\nverify [OPTION]... --disk DISK SOURCE...\n\
            capture [OPTION]... DISK FOLDER\n\
            unpack [OPTION]... SOURCE... FOLDER\nchoose DISK\nlist [--json]",
    options: &[
        opt("disk", "DISK", "a path, a name of /dev/disk/by-id, or a selector"),
        opt("sha256", "HEX", "the SHA-256 of SOURCE; must be given for what comes from a server"),
        flag("verify", "read back what was written, from the disk"),
        flag("grow", "then let the table and the last partition reach the disk's end"),
        flag("fresh", "do not look whether the disk has some of it already"),
        flag("dry-run", "say what would be done"),
        flag("json", "print the result as JSON"),
        Opt { short: 'q', long: "quiet", value: "", help: "print no progress" },
        opt("retry", "NUMBER", "ask all mirrors so often for each file; 12 if not given"),
        opt("pinnedpubkey", "PINS", "trust these keys (sha256//...;...) and no certificate"),
        opt("cacert", "FILE", "trust these certificates (PEM), not those of browsers"),
        Opt { short: 'k', long: "insecure", value: "", help: "ask any server: digests decide" },
        opt("socket", "PATH", "the agent's socket, if not /run/xenoboot/agent.sock"),
        opt("name", "NAME", "what a captured image is called; image.xbi if not given"),
        opt("level", "NUMBER", "how closely to compress what is captured, 1 to 22; 3 if not given"),
        opt("chunk-size", "KIB", "of a captured image; 1024 if not given"),
        flag("whole", "capture what file systems do not use, too"),
    ],
    notes: "SOURCE is the root index of a packed image (.xbi), and more of them or their folders (with a '/' at the\n\
            end) are mirrors; or it is one raw image, plain or packed by gzip, xz, zstd or bzip2, or a qcow2. A packed image is\n\
            verified chunk by chunk before anything is written, and what the disk has already is neither\n\
            fetched nor written; a raw one is known to be right at its end only. Until an image is complete, no\n\
            firmware boots the disk; the same command goes on with it.\n\
            unpack puts an archive of tar, plain or packed, into FOLDER, where a new and empty file system is mounted, and what\n\
            else belongs to it, such as boot/efi; owners are the archive's numbers. The archive is kept there until it is verified;\n\
            until all is done there is FOLDER/.xenoboot-unfinished. More SOURCEs are mirrors: the same file elsewhere.\n\
            choose prints the path of the disk that DISK means, if it may be written.\n\
            A selector has words with commas between: largest, smallest, >=SIZE, <=SIZE (also smallest>=20G),\n\
            nvme, sata, sas, usb, virtio, ssd, hdd, serial=TEXT, model=TEXT, wwn=TEXT.\n\
            Exit status: 1 it failed, or the disk differs; 2 wrong command line; 3 nothing was changed, or it could\n\
            not be found out.",
    example: "xb image write --sha256 HEX https://a.example/debian/image.xbi https://b.example/debian/ --disk 'smallest>=20G' --grow\nxb image unpack --sha256 HEX https://a.example/root.tar.zst /mnt",
    run,
};

/// Nothing was changed; or what was asked could not be found out.
const NOT_BEGUN: u8 = 3;

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let result = match words.as_slice() {
        ["write", sources @ ..] => write::run(args, sources),
        ["verify", sources @ ..] => verify::run(args, sources),
        ["capture", disk, folder] => capture::run(args, disk, Path::new(folder)),
        ["unpack", sources @ .., folder] if !sources.is_empty() => {
            unpack::run(args, sources, folder)
        }
        ["unpack", ..] => usage_error("unpack needs a SOURCE and a FOLDER"),
        ["capture", ..] => usage_error("capture needs a DISK and a FOLDER"),
        ["choose", disk] => chosen(disk),
        ["choose", ..] => usage_error("choose needs one DISK"),
        ["list"] => list(args.has("json")),
        [] => usage_error("what shall be done? write, verify, capture, unpack, choose or list"),
        [other, ..] => usage_error(format!("unknown command {other:?}")),
    };
    match result {
        // What had begun says so itself.
        Err(error) if !error.is::<UsageError>() => {
            eprintln!("xb image: {error:#}");
            Ok(NOT_BEGUN)
        }
        other => other,
    }
}

/// The path of the disk that a selector means.
fn chosen(selector: &str) -> anyhow::Result<u8> {
    let (path, why) = choose::find(selector, true)?;
    eprintln!("xb image: disk {} ({why})", path.display());
    println!("{}", path.display());
    Ok(0)
}

/// Every disk, and why some must not be written.
fn list(json: bool) -> anyhow::Result<u8> {
    let disks = choose::all()?;
    if json {
        let disk = |disk: &choose::Candidate| {
            let mut object = Json::object();
            object.put("disk", Json::text(disk.path.to_string_lossy()));
            object.put("size", Json::Number(disk.size));
            object.put("transport", Json::text(&disk.transport));
            object.put("model", Json::text(&disk.identity.model));
            object.put("serial", Json::text(&disk.identity.serial));
            object.put("wwn", Json::text(&disk.identity.wwn));
            object.put("rotational", Json::Flag(disk.turns));
            object.put("by_id", Json::List(disk.identity.ids.iter().map(Json::text).collect()));
            object.put("refused", disk.trouble.as_ref().map_or(Json::Null, Json::text));
            object
        };
        println!("{}", Json::List(disks.iter().map(disk).collect()));
        return Ok(0);
    }
    for disk in &disks {
        println!("{}", disk.line());
        if let Some(trouble) = &disk.trouble {
            println!("  not written: {trouble}");
        }
    }
    Ok(0)
}

/// What `write` and `verify` have in common.
struct Common {
    sources: Vec<Place>,
    mirrors: Mirrors,
    way: Way,
    digest: Option<Digest>,
    rounds: u32,
}

impl Common {
    fn of(args: &Args, sources: &[&str]) -> anyhow::Result<Self> {
        let sources = sources.iter().map(|text| Place::parse(text));
        let sources = sources.collect::<anyhow::Result<Vec<_>>>()?;
        if sources.iter().all(Place::is_folder) {
            return usage_error("which image? SOURCE is the root index of one, or a raw one");
        }
        let plan = options::plan(Url::parse("http://localhost/")?, args)?;
        let digest = plan.digest.map(Digest);
        let mut way = plan.path;
        way.patience = Patience {
            connect: Duration::from_secs(20),
            stall: Some(Duration::from_secs(30)),
            deadline: None,
        };
        if !way.trust.pins.is_empty() && !args.has("cacert") {
            way.trust.roots = Roots::None;
        }
        let rounds = args.number("retry")?.unwrap_or(12);
        let mirrors = Mirrors::new(&sources, way.clone(), rounds, args.has("quiet"));
        Ok(Self { sources, mirrors, way, digest, rounds })
    }

    /// The one source that is a raw image.
    fn stream(&self) -> anyhow::Result<Option<&Place>> {
        let Some(place) = self.sources.iter().find(|place| place.is_raw()) else { return Ok(None) };
        if self.sources.len() > 1 {
            return usage_error("a raw image has one SOURCE");
        }
        Ok(Some(place))
    }

    /// The root index and its digest.
    fn index(&self) -> anyhow::Result<(Index, Digest)> {
        let files = || self.sources.iter().filter(|place| !place.is_folder());
        if self.digest.is_none() && files().any(|place| matches!(place, Place::Url(_))) {
            return usage_error("what comes from a server needs its --sha256");
        }
        if self.digest.is_none() && files().count() > 1 {
            return usage_error("several root indexes need their --sha256");
        }
        let bytes = self.mirrors.root(&self.sources, self.digest)?;
        let index = Index::decode(&bytes).context("the root index")?;
        Ok((index, Digest::of(&bytes)))
    }
}

/// The disk that `--disk` means; prints which and why.
fn target(args: &Args, write: bool) -> anyhow::Result<Target> {
    let Some(selector) = args.text("disk")? else {
        return usage_error("which --disk? `xb image list` shows all");
    };
    let (path, why) = choose::find(selector, write)?;
    let target = Target::open(&path, write)?;
    let size = crate::sizes::human(target.size, crate::sizes::Style::Long);
    eprintln!("xb image: disk {} of {size} ({why})", path.display());
    if write && target.is_read_only() {
        bail!("{} is read-only: blockdev --setrw, or its switch", path.display());
    }
    Ok(target)
}

/// Refuses a disk that cannot hold the image.
fn must_fit(index: &Index, target: &Target) -> anyhow::Result<()> {
    let shown = target.path.display();
    if index.size > target.size {
        bail!(
            "{shown} is smaller than the image: it has {} bytes, the image {}; choose a larger disk",
            target.size,
            index.size
        );
    }
    if target.device && u64::from(index.sector) != target.sector {
        bail!(
            "{shown} has sectors of {} bytes, the image was made for {}: its partitions would be elsewhere",
            target.sector,
            index.sector
        );
    }
    Ok(())
}

/// Does something while its progress is shown here and at the operator's.
fn shown<T>(
    progress: &Progress,
    what: &str,
    args: &Args,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let socket = args.value("socket").map_or(Path::new(SOCKET), Path::new);
    let tell = |request: Request| {
        // Somebody at the machine may use it without an agent.
        if socket.exists() {
            let _ = super::ask(socket, &request);
        }
    };
    let quiet = args.has("quiet");
    std::thread::scope(|scope| {
        scope.spawn(|| progress.show(what, &tell, quiet));
        let result = work();
        progress.end();
        result
    })
}
