//! `xenoboot bundle push`: a bundle to the server, its blobs first, and of those only what the server lacks.

use crate::{
    operator::{
        Access, Client,
        text::{self, cell, size},
    },
    ui::{Output, WithHint, interactive},
};
use anyhow::{Context, ensure};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    pin::Pin,
    task::{self, Poll},
};
use xenoboot_bundle::{inspect, limits};
use xenoboot_server::api::{Blobs, Bundle};
use xenoboot_wire::Digest;

/// How much is read at a time, bytes.
const CHUNK: usize = 64 << 10;

/// Arguments of `xenoboot bundle push`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    /// The bundle's file; its blobs lie beside it in NAME.blobs
    file: PathBuf,
}

/// Examples for `--help`.
pub(crate) const HELP: &str = "Examples:\n  xenoboot bundle push repair.bundle\n  xenoboot bundle push repair.bundle --operator home/server/operator.toml";

pub(crate) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let shown = args.file.display();
    let envelope = read(&args.file).with_context(|| format!("cannot read {shown}"))?;
    let found = inspect(&envelope).with_context(|| format!("{shown} is not valid"))?;
    ensure!(!found.signers.is_empty(), "nobody has signed {shown}: xenoboot bundle sign");
    let blobs: BTreeMap<Digest, u64> = found.manifest.blobs().collect();
    let mut client = args.access.client()?;
    let asked = Blobs { blobs: blobs.keys().copied().collect() };
    // Each digest has 67 bytes in JSON: a bundle with as many blobs as there may be is under the server's limit.
    let missing: Blobs = client.post("blobs/missing", &asked)?;
    let missing: BTreeMap<Digest, u64> =
        blobs.into_iter().filter(|(d, _)| missing.blobs.contains(d)).collect();
    let sent = upload(&mut client, &args.file.with_extension("blobs"), &missing)?;
    let bundle: Bundle = client.post_bytes("bundles", envelope)?;
    if output.json {
        println!("{}", text::json(&bundle)?);
        return Ok(());
    }
    let digest = bundle.bundle.get(..12).unwrap_or_default();
    print!("pushed {} serial {} ({digest})", cell(&bundle.name), bundle.serial);
    match missing.len() {
        0 => println!(),
        1 => println!(", with 1 blob of {}", size(sent)),
        n => println!(", with {n} blobs of {}", size(sent)),
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limits::ENVELOPE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Uploads blobs; returns how many bytes they have.
fn upload(client: &mut Client, dir: &Path, missing: &BTreeMap<Digest, u64>) -> anyhow::Result<u64> {
    let total = missing.values().sum();
    let bar =
        if interactive() && total > 0 { ProgressBar::new(total) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    )?);
    for (digest, size) in missing {
        let path = dir.join(digest.to_string());
        let open = || -> anyhow::Result<File> {
            let file = File::open(&path)?;
            let found = file.metadata()?.len();
            ensure!(found == *size, "it has {found} bytes, the bundle says {size}");
            Ok(file)
        };
        let file = open().with_context(|| format!("cannot use the blob {}", path.display()));
        let file = file
            .hint("a bundle's blobs lie beside it, in NAME.blobs: copy both, or build it again")?;
        put(client, digest, (file, *size), &bar)
            .with_context(|| format!("cannot upload {}", path.display()))?;
    }
    bar.finish_and_clear();
    Ok(total)
}

/// Uploads a blob: as many bytes as are named from where the file stands.
pub(crate) fn put(
    client: &mut Client,
    digest: &Digest,
    (file, left): (File, u64),
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    client.put(&format!("blobs/{digest}"), Upload { file, left, bar: bar.clone() })
}

/// A file on its way.
struct Upload {
    file: File,
    left: u64,
    bar: ProgressBar,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut task::Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut chunk = vec![0; CHUNK.min(usize::try_from(self.left).unwrap_or(CHUNK))];
        // Nothing else happens on this thread meanwhile: a file may block it.
        match self.file.read(&mut chunk) {
            Ok(0) => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            Ok(n) => {
                chunk.truncate(n);
                self.left -= n as u64;
                self.bar.inc(n as u64);
                Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
            }
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
