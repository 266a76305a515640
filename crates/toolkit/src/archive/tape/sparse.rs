//! Where the data of a sparse file belongs, in each of GNU's formats (tar manual, "Storing Sparse Files").

use super::{
    header::{BLOCK, number},
    invalid,
};
use std::{
    collections::VecDeque,
    io::{self, Read},
};

/// Most pieces of one file.
const MOST: usize = 1 << 20;

/// Data for a place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) at: u64,
    pub(super) length: u64,
}

fn push(extents: &mut Vec<Extent>, at: u64, length: u64) -> io::Result<()> {
    if extents.len() >= MOST {
        return Err(invalid("a sparse file of too many pieces"));
    }
    extents.push(Extent { at, length });
    Ok(())
}

/// Entries of a header: two numbers of 12 bytes each; the rest is empty.
pub(super) fn entries(field: &[u8], extents: &mut Vec<Extent>) -> io::Result<()> {
    for entry in field.as_chunks::<24>().0 {
        let (at, length) = entry.split_at(12);
        if length.first() == Some(&0) {
            break;
        }
        push(extents, number(at)?, number(length)?)?;
    }
    Ok(())
}

/// A block with more of them; whether another one follows.
pub(super) fn more(block: &[u8; BLOCK], extents: &mut Vec<Extent>) -> io::Result<bool> {
    entries(block.get(..504).unwrap_or_default(), extents)?;
    Ok(block.get(504).is_some_and(|byte| *byte != 0))
}

fn decimal(text: &[u8]) -> io::Result<u64> {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| invalid("a malformed map of a sparse file"))
}

/// `OFFSET,LENGTH,OFFSET,LENGTH...`: format 0.1.
pub(super) fn map(text: &[u8]) -> io::Result<Vec<Extent>> {
    let numbers = text.split(|byte| *byte == b',').map(decimal);
    let numbers = numbers.collect::<io::Result<Vec<_>>>()?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(invalid("a malformed map of a sparse file"));
    }
    let mut extents = Vec::new();
    pairs.iter().try_for_each(|[at, length]| push(&mut extents, *at, *length))?;
    Ok(extents)
}

/// Before the data, lines with a number each: how many pieces, then offset and length of each; filled up to a block: format 1.0.
pub(super) fn table(from: &mut impl Read) -> io::Result<Vec<Extent>> {
    let (mut text, mut extents) = (Vec::new(), Vec::new());
    let mut line = |from: &mut dyn Read| {
        loop {
            if let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let number = decimal(text.get(..end).unwrap_or_default());
                text.drain(..=end);
                return number;
            }
            if text.len() > 32 {
                return Err(invalid("a malformed map of a sparse file"));
            }
            let mut block = [0; BLOCK];
            from.read_exact(&mut block)?;
            text.extend(block);
        }
    };
    for _ in 0..line(from)? {
        let at = line(from)?;
        push(&mut extents, at, line(from)?)?;
    }
    Ok(extents)
}

/// In order, within the file, and together what is stored.
pub(super) fn check(extents: &VecDeque<Extent>, stored: u64, size: u64) -> io::Result<()> {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for extent in extents {
        let next = extent.at.checked_add(extent.length);
        let Some(next) = next.filter(|next| extent.at >= end && *next <= size) else {
            return Err(invalid("a sparse file with pieces that are not in order"));
        };
        (end, sum) = (next, sum + extent.length);
    }
    if sum == stored {
        Ok(())
    } else {
        Err(invalid("a sparse file of another size than its pieces"))
    }
}
