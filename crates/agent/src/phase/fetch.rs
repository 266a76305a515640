//! fetch: the bundle's blobs, by digest, into a folder on a tmpfs. A transfer that was cut goes on where
//! it stopped; what is complete and right is kept for the next try.

use super::Phase;
use crate::{
    context::Context,
    failure::Failure,
    http::{Connection, Interrupted, STALL},
    layout,
};
use futures_util::{TryStreamExt as _, stream};
use ring::digest::{Context as Hash, SHA256};
use rustix::fs::statvfs;
use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};
use xenoboot_bundle::{Manifest, Verified};
use xenoboot_wire::{Code, Digest};

/// The phase. The limit is for silence. After a failure the server is asked again what to do, and what has been
/// fetched is not fetched again.
pub const PHASE: Phase = Phase { name: "fetch", limit: Some(STALL) };

/// Blobs fetched at once, on the one connection.
const AT_ONCE: usize = 4;

/// Where blobs lie until they are unpacked.
#[must_use]
pub fn folder(context: &Context) -> PathBuf {
    context.layout.state("blobs")
}

/// Fetches what is missing of the manifest's blobs. What other bundles left is removed.
///
/// # Errors
/// `NoSpace` before anything is fetched when they and the unpacked files cannot fit; else as the first
/// blob that failed.
pub async fn run(context: &Context, manifest: &Verified<Manifest>) -> Result<(), Failure> {
    let wanted: Vec<(Digest, u64)> = manifest.blobs().collect();
    PHASE.enter(context);
    let dir = folder(context);
    let local = |e: io::Error| Failure::new(Code::NoSpace, format!("{}: {e}", dir.display()));
    layout::make_private(&dir).map_err(local)?;
    clean(&dir, &wanted).map_err(local)?;
    let missing: Vec<_> =
        wanted.into_iter().filter(|(digest, _)| !dir.join(digest.to_string()).exists()).collect();
    enough_room(&dir, manifest, &missing)?;
    if missing.is_empty() {
        return Ok(());
    }
    let connection = context.server.connected().await;
    stream::iter(missing.into_iter().map(Ok))
        .try_for_each_concurrent(AT_ONCE, |(digest, size)| {
            let (dir, connection) = (dir.clone(), Arc::clone(&connection));
            async move { one(&connection, &dir, &digest, size).await }
        })
        .await
}

/// Removes what is neither wanted nor a part of it.
fn clean(dir: &Path, wanted: &[(Digest, u64)]) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<Digest>().ok());
        if !stem.is_some_and(|stem| wanted.iter().any(|(digest, _)| *digest == stem)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Each blob is there twice for as long as it is being unpacked, the others once.
fn enough_room(
    dir: &Path,
    manifest: &Verified<Manifest>,
    missing: &[(Digest, u64)],
) -> Result<(), Failure> {
    let inline: u64 = manifest.files.iter().filter(|f| f.content.is_some()).map(|f| f.size).sum();
    let largest = manifest.files.iter().map(|f| f.size).max().unwrap_or(0);
    let needed = missing
        .iter()
        .map(|(_, size)| size)
        .sum::<u64>()
        .saturating_add(inline)
        .saturating_add(largest);
    let Ok(room) = statvfs(dir) else { return Ok(()) };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    if needed > free {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let cause = format!("{} MiB are needed, {} MiB are free", mib(needed), mib(free));
        return Err(Failure::new(Code::NoSpace, cause));
    }
    Ok(())
}

/// Fetches one blob into `dir`, where its name is its digest.
///
/// # Errors
/// When it is not to be had, cut short, or not what its digest says.
pub(crate) async fn one(
    connection: &Connection,
    dir: &Path,
    digest: &Digest,
    size: u64,
) -> Result<(), Failure> {
    let whole = dir.join(digest.to_string());
    let part = whole.with_extension("part");
    let local = |e: io::Error| Failure::new(Code::NoSpace, format!("{}: {e}", part.display()));
    let (mut file, mut hash, mut have) = resume(&part, size).map_err(local)?;
    if have < size || size == 0 {
        let mut download = connection.get(&format!("/machine/v1/blob/{digest}"), have).await?;
        if have > 0 && !download.resumed() {
            (file, hash, have) = (File::create(&part).map_err(local)?, Hash::new(&SHA256), 0);
        }
        while let Some(data) =
            download.next().await.map_err(|e| cut_short(&e, digest, have, size))?
        {
            have += data.len() as u64;
            if have > size {
                remove(&part);
                let cause = format!("blob {digest} is longer than its {size} bytes");
                return Err(Failure::new(Code::BlobDigest, cause));
            }
            hash.update(&data);
            file.write_all(&data).map_err(local)?;
        }
    }
    if have < size {
        let cause = format!("blob {digest} ended after {have} of {size} bytes");
        return Err(Failure::new(Code::BlobShort, cause));
    }
    if hash.finish().as_ref() != digest.as_bytes() {
        remove(&part);
        let cause =
            format!("blob {digest} of {size} bytes has another digest than the manifest says");
        return Err(Failure::new(Code::BlobDigest, cause));
    }
    fs::rename(&part, whole).map_err(local)
}

/// What is there of a blob, and its hash so far.
fn resume(part: &Path, size: u64) -> io::Result<(File, Hash, u64)> {
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(part)?;
    let (mut hash, mut have) = (Hash::new(&SHA256), 0u64);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..n).filter(|c| !c.is_empty()) else { break };
        hash.update(chunk);
        have += n as u64;
    }
    if have > size {
        return Ok((File::create(part)?, Hash::new(&SHA256), 0));
    }
    Ok((file, hash, have))
}

/// A connection that broke within a blob has cut it short.
fn cut_short(why: &Interrupted, digest: &Digest, have: u64, size: u64) -> Failure {
    let code = match why {
        Interrupted::Silent => Code::Stalled,
        Interrupted::Broken(_) => Code::BlobShort,
    };
    Failure::new(code, format!("blob {digest}, after {have} of {size} bytes: {why}"))
}

fn remove(part: &Path) {
    // If it stays, the digest does not fit again, and it is removed then.
    let _ = fs::remove_file(part);
}

/// Opens a blob for unpacking. It is removed as soon as it is open, unless it is needed for another file, so that
/// its memory is given back when it has been read.
///
/// # Errors
/// When it is not there.
pub fn open(dir: &Path, digest: &Digest, last: bool) -> io::Result<File> {
    let path = dir.join(digest.to_string());
    let file = File::open(&path)?;
    if last {
        fs::remove_file(path)?;
    }
    Ok(file)
}
