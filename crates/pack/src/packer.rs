//! Makes a packed image of a disk.

use crate::{
    Sum, Usage,
    chunk::{Packer, is_zero},
    index::{Index, PAGE, Page, Run},
    source::Source,
    store::{Kind, Store},
};
use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// How it is packed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes a chunk.
    pub chunk: u64,
    /// Bytes a sector of the disk.
    pub sector: u32,
    /// How closely zstd compresses, 1 to 22.
    pub level: i32,
    /// How many threads.
    pub threads: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The root index.
    pub index: Index,
    /// How many chunks are unused, and how many zeros.
    pub unused: u64,
    /// Likewise.
    pub zeros: u64,
    /// Bytes that were written; what was there already does not count.
    pub written: u64,
}

/// Packs a disk; the root index is not written yet. `done` is called with the bytes of the disk that were
/// worked through, from any thread.
///
/// # Errors
/// When the disk cannot be read, or the store cannot be written.
pub fn pack(
    source: &dyn Source,
    usage: &Usage,
    store: &Store,
    options: &Options,
    done: &(dyn Fn(u64) + Sync),
) -> io::Result<Packed> {
    let size = source.size();
    let Options { chunk, sector, .. } = *options;
    let index = Index { size, chunk, sector, data: 0, packed: 0, pages: Vec::new() };
    let mut packed = Packed { index, unused: 0, zeros: 0, written: 0 };
    for number in 0..packed.index.chunks().div_ceil(PAGE) {
        let work = Work { source, usage, store, options, index: &packed.index, done };
        let (page, written) = work.page(number)?;
        packed.written += written;
        for run in page.runs() {
            match run {
                Run::Unused(count) => packed.unused += count,
                Run::Zeros(count) => packed.zeros += count,
                Run::Data(chunk) => {
                    packed.index.data += 1;
                    packed.index.packed += chunk.size;
                }
            }
        }
        let bytes = page.encode();
        let digest = Sum::of(&bytes);
        packed.written += store.keep(Kind::Page, &digest, &bytes)?;
        packed.index.pages.push(digest);
    }
    // Nobody shall make what nobody reads.
    Index::decode(&packed.index.encode()).map_err(io::Error::other)?;
    Ok(packed)
}

struct Work<'a> {
    source: &'a dyn Source,
    usage: &'a Usage,
    store: &'a Store,
    options: &'a Options,
    index: &'a Index,
    done: &'a (dyn Fn(u64) + Sync),
}

impl Work<'_> {
    /// One page's chunks, by all threads; and how many bytes were written.
    fn page(&self, number: u64) -> io::Result<(Page, u64)> {
        let count = self.index.page_chunks(number);
        let (next, written) = (AtomicU64::new(0), AtomicU64::new(0));
        let runs: Mutex<Vec<Option<Run>>> = Mutex::new((0..count).map(|_| None).collect());
        let work = || -> io::Result<()> {
            let mut packer = Packer::new(self.options.level)?;
            let mut plain = vec![0; usize::try_from(self.index.chunk).map_err(io::Error::other)?];
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok(());
                }
                let (run, size) = self.chunk(number * PAGE + at, &mut packer, &mut plain)?;
                written.fetch_add(size, Ordering::Relaxed);
                let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = usize::try_from(at).ok().and_then(|at| runs.get_mut(at)) {
                    *slot = Some(run);
                }
            }
        };
        std::thread::scope(|scope| {
            let threads = self.options.threads.max(1);
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let ends = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread of packing died")))
            });
            ends.collect::<Vec<_>>().into_iter().collect::<io::Result<()>>()
        })?;
        let mut page = Page::default();
        for run in runs.into_inner().unwrap_or_else(PoisonError::into_inner) {
            page.push(run.ok_or_else(|| io::Error::other("a chunk was left out"))?);
        }
        Ok((page, written.into_inner()))
    }

    fn chunk(&self, number: u64, packer: &mut Packer, plain: &mut [u8]) -> io::Result<(Run, u64)> {
        let at = number * self.index.chunk;
        let length = usize::try_from(self.index.length(number)).map_err(io::Error::other)?;
        let plain = plain.get_mut(..length).unwrap_or_default();
        let is_hole = self.source.is_hole(at, length as u64);
        if is_hole && !self.usage.knows(at..at + length as u64) {
            (self.done)(length as u64);
            return Ok((Run::Zeros(1), 0));
        }
        if is_hole {
            plain.fill(0);
        } else {
            self.source.read_at(plain, at)?;
        }
        let used = self.usage.clear(self.source, at, plain)?;
        let result = if !used {
            (Run::Unused(1), 0)
        } else if is_zero(plain) {
            (Run::Zeros(1), 0)
        } else {
            let (chunk, packed) = packer.pack(plain)?;
            (Run::Data(chunk), self.store.keep(Kind::Chunk, &chunk.packed, &packed)?)
        };
        (self.done)(length as u64);
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chunk::Unpacker, index::File, store};
    use proptest::prelude::*;
    use std::{collections::BTreeMap, fs, path::Path};

    const CHUNK: usize = 64 << 10;

    fn options(threads: usize) -> Options {
        Options { chunk: CHUNK as u64, sector: 512, level: 1, threads }
    }

    fn packed(disk: &Vec<u8>, folder: &Path, threads: usize) -> Packed {
        let store = Store::create(folder).unwrap();
        let usage = Usage::find(disk, 512).unwrap();
        pack(disk, &usage, &store, &options(threads), &|_| ()).unwrap()
    }

    /// Every file below a folder.
    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(files(&path));
            } else {
                found.insert(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
        found
    }

    fn unpacked(index: &Index, folder: &Path) -> Vec<u8> {
        let mut disk = Vec::new();
        let length = |at: usize| index.length((at / CHUNK) as u64) as usize;
        for number in 0..index.pages.len() {
            let path = folder.join(store::path(Kind::Page, &index.pages[number]));
            let page = File::verify(fs::read(path).unwrap(), index.pages[number]).unwrap();
            let page = index.page(number as u64, &page).unwrap();
            for run in page.runs() {
                if let Run::Data(chunk) = run {
                    let mut plain = vec![0; length(disk.len())];
                    let file = fs::read(folder.join(store::path(Kind::Chunk, &chunk.packed)));
                    let file = File::verify(file.unwrap(), chunk.packed).unwrap();
                    Unpacker::new().unwrap().unpack(chunk, &file, &mut plain).unwrap();
                    disk.extend(plain);
                } else {
                    for _ in 0..run.count() {
                        disk.resize(disk.len() + length(disk.len()), 0);
                    }
                }
            }
        }
        disk
    }

    /// A disk of pieces: a byte for each, 0 for zeros.
    fn disk(pieces: &[u8], tail: usize) -> Vec<u8> {
        let mut disk = Vec::new();
        for (n, piece) in pieces.iter().enumerate() {
            let noise = |at: usize| if *piece == 0 { 0 } else { piece ^ ((at * at) >> 7) as u8 };
            let length = if n + 1 == pieces.len() { tail * 512 } else { CHUNK };
            disk.extend((0..length).map(noise));
        }
        disk
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_was_packed_comes_out(pieces in proptest::collection::vec(0_u8..4, 1..30), tail in 1_usize..128) {
            let (disk, folder) = (disk(&pieces, tail), tempfile::tempdir().unwrap());
            let packed = packed(&disk, folder.path(), 2);
            prop_assert!(unpacked(&packed.index, folder.path()) == disk);
        }
    }

    #[test]
    fn the_same_disk_makes_the_same_files_and_nothing_is_written_twice() {
        let pieces: Vec<u8> = (0..2500_u32).map(|n| (n % 5) as u8).collect();
        let disk = disk(&pieces, 100);
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let first = packed(&disk, folders[0].path(), 1);
        let second = packed(&disk, folders[1].path(), 3);
        assert_eq!(first.index, second.index);
        let [a, b] = folders.each_ref().map(|folder| files(folder.path()));
        assert!(a.values().eq(b.values()));
        // Four sorts of chunks and the short one at the end; two pages.
        assert_eq!(a.len(), 4 + 1 + 2);
        assert_eq!((first.index.data, first.zeros, first.unused), (2000, 500, 0));
        assert!(first.written > 0);
        assert_eq!(packed(&disk, folders[0].path(), 2).written, 0);
        // What a power failure left of a chunk is replaced.
        let (path, whole) = a.iter().find(|(path, _)| path.ends_with(".zst")).unwrap();
        fs::write(path, vec![0; whole.len()]).unwrap();
        assert_eq!(packed(&disk, folders[0].path(), 8).written, whole.len() as u64);
        assert_eq!(files(folders[0].path()), a);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        struct Broken;
        impl Source for Broken {
            fn size(&self) -> u64 {
                1 << 20
            }
            fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
                bytes.fill(1);
                if at < 512 << 10 { Ok(()) } else { Err(io::Error::other("a bad sector")) }
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let error = pack(&Broken, &Usage::default(), &store, &options(2), &|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "a bad sector");
    }
}
