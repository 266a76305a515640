//! Where a body goes.

use ring::digest::{Context, SHA256};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// The place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
    /// Nowhere.
    Nowhere,
}

/// An open place, what was written, and its digest.
pub(crate) struct Sink {
    to: Box<dyn Write>,
    /// The file as it is called until it is known to be right.
    temporary: Option<PathBuf>,
    digest: Option<Context>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sink({:?})", self.temporary)
    }
}

/// What a file is called until its digest is known to be right.
pub(crate) fn temporary(path: &Path) -> Option<PathBuf> {
    // What is no file, a disk for instance, is written as it is.
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return None;
    }
    let mut name = path.file_name()?.to_owned();
    name.push(".part");
    Some(path.with_file_name(name))
}

/// The SHA-256 of a file.
pub(crate) fn digest_of(path: &Path) -> io::Result<[u8; 32]> {
    let mut context = Context::new(&SHA256);
    feed(&mut context, &mut File::open(path)?, u64::MAX)?;
    Ok(finish(context))
}

fn feed(context: &mut Context, file: &mut File, length: u64) -> io::Result<()> {
    let (mut file, mut buffer) = (file.take(length), vec![0; 64 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            got => context.update(buffer.get(..got).unwrap_or_default()),
        }
    }
}

fn finish(context: Context) -> [u8; 32] {
    context.finish().as_ref().try_into().unwrap_or_default()
}

impl Sink {
    /// Opens a place to go on at byte `at`; what is behind that goes.
    pub(crate) fn open(output: &Output, at: u64, digested: bool) -> io::Result<Self> {
        let mut digest = digested.then(|| Context::new(&SHA256));
        let (to, temporary): (Box<dyn Write>, _) = match output {
            Output::Nowhere => (Box::new(io::sink()), None),
            Output::Stdout => (Box::new(io::stdout()), None),
            Output::File(path) => {
                let temporary = if digested { temporary(path) } else { None };
                let path = temporary.as_ref().unwrap_or(path);
                let mut options = OpenOptions::new();
                let mut file = options
                    .read(digest.is_some() && at > 0)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(path)?;
                if file.metadata()?.is_file() {
                    file.set_len(at)?;
                }
                if let Some(context) = digest.as_mut().filter(|_| at > 0) {
                    feed(context, &mut file, at)?;
                }
                if at > 0 {
                    file.seek(SeekFrom::Start(at))?;
                }
                (Box::new(file), temporary)
            }
        };
        Ok(Self { to, temporary, digest })
    }

    /// Writes more.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        Ok(())
    }

    /// The end: with a digest, whether it is the right one. Only then the file gets its name; a wrong
    /// one goes.
    pub(crate) fn close(mut self, output: &Output, wanted: Option<&[u8; 32]>) -> io::Result<bool> {
        self.to.flush()?;
        let found = self.digest.take().map(finish);
        let right = match (wanted, found) {
            (Some(wanted), Some(found)) => *wanted == found,
            _ => true,
        };
        drop(self.to);
        if let (Some(temporary), Output::File(path)) = (&self.temporary, output) {
            if right {
                File::open(temporary)?.sync_all()?;
                fs::rename(temporary, path)?;
            } else {
                fs::remove_file(temporary)?;
            }
        }
        Ok(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_its_name_when_it_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let output = Output::File(path.clone());
        fs::write(folder.path().join("f.part"), "abcX").unwrap();
        let wanted = digest(b"abcdef");
        let mut sink = Sink::open(&output, 3, true).unwrap();
        sink.write(b"def").unwrap();
        assert!(!path.exists());
        assert!(sink.close(&output, Some(&wanted)).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"abcdef");
        assert_eq!(digest_of(&path).unwrap(), wanted);
        let mut sink = Sink::open(&output, 0, true).unwrap();
        sink.write(b"other").unwrap();
        assert!(!sink.close(&output, Some(&wanted)).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"abcdef");
        assert!(!folder.path().join("f.part").exists());
    }

    fn digest(bytes: &[u8]) -> [u8; 32] {
        ring::digest::digest(&SHA256, bytes).as_ref().try_into().unwrap()
    }
}
