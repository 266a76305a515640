//! The toolbox into memory: from a file, or by its digest from the server.

use super::Facts;
use crate::{context::Context, failure::Failure, phase::fetch};
use ring::digest::{Context as Hash, SHA256};
use rustix::fs::statvfs;
use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
    time::Duration,
};
use tokio::time::timeout;
use xenoboot_wire::Code;

const CHUNK: usize = 1 << 20;

/// As many tries as a transfer that is cut again and again gets while a script waits.
const TRIES: u32 = 3;

/// A script that waits for the toolbox waits no longer than this for a connection.
const CONNECT: Duration = Duration::from_secs(60);

/// What must stay free beside it, bytes.
const RESERVE: u64 = 32 << 20;

/// Fetches it to `kept`; what has come already is not fetched again.
pub(super) async fn from_server(
    context: &Context,
    facts: &Facts,
    kept: &Path,
) -> Result<(), Failure> {
    let folder = kept.parent().unwrap_or(kept);
    enough_room(folder, facts)?;
    let mut tried = 0;
    loop {
        let Ok(connection) = timeout(CONNECT, context.server.connected()).await else {
            return Err(Failure::new(Code::BoxMissing, "there is no connection to it"));
        };
        tried += 1;
        match fetch::one(&connection, folder, &facts.sha256, facts.size).await {
            Err(failure) if tried < TRIES && failure.code != Code::BlobMissing => {
                context.reporter.say(None, &format!("the toolbox: {failure}"));
            }
            done => return done,
        }
    }
}

/// Copies it to `kept`, on another thread.
pub(super) async fn from_file(file: &Path, facts: &Facts, kept: &Path) -> Result<(), Failure> {
    enough_room(kept.parent().unwrap_or(kept), facts)?;
    let (from, facts, to) = (file.to_owned(), facts.clone(), kept.to_owned());
    let copied = tokio::task::spawn_blocking(move || copy(&from, &facts, &to)).await;
    copied.unwrap_or_else(|e| Err(Failure::new(Code::BoxMissing, e)))
}

fn copy(from: &Path, facts: &Facts, to: &Path) -> Result<(), Failure> {
    let part = to.with_extension("copy");
    let done = (|| -> io::Result<bool> {
        let (mut source, mut target) = (File::open(from)?.take(facts.size), File::create(&part)?);
        let (mut hash, mut buffer) = (Hash::new(&SHA256), vec![0; CHUNK]);
        while let n @ 1.. = source.read(&mut buffer)? {
            let chunk = buffer.get(..n).unwrap_or_default();
            hash.update(chunk);
            target.write_all(chunk)?;
        }
        Ok(hash.finish().as_ref() == facts.sha256.as_bytes())
    })();
    let cause = match done {
        Ok(true) => match fs::rename(&part, to) {
            Ok(()) => return Ok(()),
            Err(e) => e.to_string(),
        },
        Ok(false) => "it does not have the digest that the image names".to_owned(),
        Err(e) => e.to_string(),
    };
    // If it stays, it is written over the next time.
    let _ = fs::remove_file(part);
    Err(Failure::new(Code::BoxDamaged, format!("{}: {cause}", from.display())))
}

fn enough_room(folder: &Path, facts: &Facts) -> Result<(), Failure> {
    let Ok(room) = statvfs(folder) else { return Ok(()) };
    let here = room.f_bavail.saturating_mul(room.f_frsize);
    // The folder is memory: what is free of it is no more than what the machine has to spare.
    let (_, available) = crate::inventory::memory(Path::new("/"));
    let free = here.min(available.saturating_sub(RESERVE));
    if facts.size <= free {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let cause = format!(
        "too little memory: the toolbox takes {} MiB, {} MiB can be had",
        mib(facts.size),
        mib(free)
    );
    Err(Failure::new(Code::BoxMissing, cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenoboot_wire::Digest;

    #[test]
    fn a_copy_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let content = vec![5; CHUNK + 77];
        fs::write(&from, &content).unwrap();
        let size = content.len() as u64;
        let sha256 = Digest::of(&content);
        let (root_hash, salt) = (String::new(), String::new());
        let facts = Facts { size, sha256, data_blocks: 1, root_hash, salt };
        copy(&from, &facts, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), content);
        fs::remove_file(&to).unwrap();
        let mut damaged = content;
        damaged[CHUNK] ^= 1;
        fs::write(&from, damaged).unwrap();
        let failure = copy(&from, &facts, &to).unwrap_err();
        assert_eq!(failure.code, Code::BoxDamaged);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something was left");
        let huge = Facts { size: u64::MAX, ..facts };
        assert_eq!(enough_room(dir.path(), &huge).unwrap_err().code, Code::BoxMissing);
    }
}
