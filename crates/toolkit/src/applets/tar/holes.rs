//! Files with holes: where their data is, and what is written of it (GNU tar's manual, "Sparse Formats").

use rustix::{fs::SeekFrom, io::Errno};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
};

/// Where a file's data is: from where on, and how much. The last has none, and is where the file ends.
pub(super) type Map = Vec<(u64, u64)>;

/// The parts of a file that are no holes.
pub(super) fn map(file: &File, size: u64) -> io::Result<Map> {
    let (mut map, mut at) = (Vec::new(), 0);
    loop {
        match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) if start < size => {
                let end = rustix::fs::seek(file, SeekFrom::Hole(start))?.min(size);
                map.push((start, end - start));
                at = end;
            }
            Ok(_) | Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        }
    }
    map.push((size, 0));
    Ok(map)
}

/// The text before the data in pax' version 1.0, in whole blocks.
pub(super) fn table(map: &Map) -> Vec<u8> {
    let numbers = map.iter().flat_map(|(at, length)| [*at, *length]);
    let lines = std::iter::once(map.len() as u64).chain(numbers);
    let mut text: Vec<u8> = lines.flat_map(|number| format!("{number}\n").into_bytes()).collect();
    text.resize(text.len().next_multiple_of(512), 0);
    text
}

/// So many parts, of twelve digits each number, in as many bytes; what is left of the map.
pub(super) fn parts<'a>(map: &'a [(u64, u64)], most: usize, bytes: &mut [u8]) -> &'a [(u64, u64)] {
    let (now, rest) = map.split_at(map.len().min(most));
    let numbers = now.iter().flat_map(|(at, length)| [*at, *length]);
    for (number, field) in numbers.zip(bytes.as_chunks_mut::<12>().0) {
        *field = digits(number);
    }
    rest
}

/// A number as octal digits, or where these are too few as bytes, the first bit set.
pub(super) fn digits(number: u64) -> [u8; 12] {
    let octal = format!("{number:011o}\0");
    octal.as_bytes().try_into().unwrap_or_else(|_| {
        let mut field = [0; 12];
        field[0] = 0x80;
        if let Some(end) = field.last_chunk_mut() {
            *end = number.to_be_bytes();
        }
        field
    })
}

/// What did not fit into the header: blocks of 21 parts.
pub(super) fn more(map: &[(u64, u64)]) -> Vec<u8> {
    let (mut rest, mut all) = (map, Vec::new());
    while !rest.is_empty() {
        let mut block = [0; 512];
        rest = parts(rest, 21, &mut block);
        block[504] = u8::from(!rest.is_empty());
        all.extend(block);
    }
    all
}

/// A file's data without its holes. What was cut off meanwhile is zeros.
pub(super) struct Data {
    pub(super) file: File,
    pub(super) map: std::vec::IntoIter<(u64, u64)>,
    pub(super) now: (u64, u64),
}

impl Read for Data {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.now.1 == 0 {
            match self.map.next() {
                Some(next) => self.now = next,
                None => return Ok(0),
            }
        }
        let most = usize::try_from(self.now.1).unwrap_or(usize::MAX).min(out.len());
        let out = out.get_mut(..most).unwrap_or_default();
        let got = match self.file.read_at(out, self.now.0)? {
            0 => {
                out.fill(0);
                out.len()
            }
            got => got,
        };
        self.now = (self.now.0 + got as u64, self.now.1 - got as u64);
        Ok(got)
    }
}
