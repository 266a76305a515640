//! The record of a file.

use super::Extent;
use crate::number;

/// What it takes for the end of its attributes.
const END: u64 = 0xffff_ffff;

/// Attributes that are somewhere else, because there was no room for all.
const LIST: u64 = 0x20;

/// Most pieces of one file.
const MOST: usize = 1 << 16;

/// A record whose sectors belong together.
pub(super) struct Record {
    bytes: Vec<u8>,
}

impl Record {
    /// Checks a record, and gives its sectors their last two bytes back, which are a mark in all of them.
    pub(super) fn parse(mut bytes: Vec<u8>) -> Option<Self> {
        let (at, count) = (number(&bytes, 4, 2), number(&bytes, 6, 2));
        let at = usize::try_from(at).ok()?;
        let sectors = bytes.len() / 512;
        let in_use = number(&bytes, 22, 2) & 1 == 1;
        // The first entry is the mark, those after it what it stands for.
        let good =
            bytes.starts_with(b"FILE") && in_use && usize::try_from(count).ok()? == sectors + 1;
        if !good || at + 2 * (sectors + 1) > 510 {
            return None;
        }
        let marks = bytes.get(at..at + 2 * (sectors + 1))?.to_vec();
        let (mark, rest) = marks.split_at_checked(2)?;
        for (sector, own) in bytes.chunks_exact_mut(512).zip(rest.chunks_exact(2)) {
            let last = sector.get_mut(510..)?;
            if last != mark {
                return None;
            }
            last.copy_from_slice(own);
        }
        Some(Self { bytes })
    }

    /// Its attributes: which each is, and its bytes.
    fn attributes(&self) -> Option<Vec<(u64, &[u8])>> {
        let mut at = usize::try_from(number(&self.bytes, 20, 2)).ok()?;
        let mut found = Vec::new();
        loop {
            let rest = self.bytes.get(at..)?;
            let (kind, length) = (number(rest, 0, 4), usize::try_from(number(rest, 4, 4)).ok()?);
            if rest.len() < 4 {
                return None;
            }
            if kind == END {
                return Some(found);
            }
            if length < 24 || kind == LIST {
                return None;
            }
            found.push((kind, rest.get(..length)?));
            at += length;
        }
    }

    /// The one attribute of a sort without a name.
    fn attribute(&self, kind: u64) -> Option<&[u8]> {
        let all = self.attributes()?;
        let mut fitting =
            all.into_iter().filter(|(of, bytes)| *of == kind && number(bytes, 9, 1) == 0);
        let (_, attribute) = fitting.next()?;
        fitting.next().is_none().then_some(attribute)
    }

    /// The value of an attribute that is in the record itself.
    pub(super) fn resident(&self, kind: u64) -> Option<&[u8]> {
        let attribute = self.attribute(kind)?;
        let (length, at) = (number(attribute, 16, 4), number(attribute, 20, 2));
        let value = attribute.get(usize::try_from(at).ok()?..)?;
        let value = value.get(..usize::try_from(length).ok()?)?;
        (number(attribute, 8, 1) == 0).then_some(value)
    }

    /// Where the file's content is, all of it within so many clusters; and how many bytes of it are valid.
    pub(super) fn data(&self, clusters: u64) -> Option<(Vec<Extent>, u64)> {
        let attribute = self.attribute(super::DATA)?;
        let (apart, flags) = (number(attribute, 8, 1), number(attribute, 12, 2));
        // Neither compressed nor encrypted nor sparse, and from its first cluster on.
        if apart != 1 || flags != 0 || number(attribute, 16, 8) != 0 {
            return None;
        }
        let last = number(attribute, 24, 8);
        let pairs = attribute.get(usize::try_from(number(attribute, 32, 2)).ok()?..)?;
        let extents = extents(pairs, clusters)?;
        let count: u64 = extents.iter().map(|extent| extent.count).sum();
        (count == last.checked_add(1)?).then_some((extents, number(attribute, 56, 8)))
    }
}

/// Pairs of a count and the distance from the last place, each with as many bytes as the one before them says.
fn extents(mut pairs: &[u8], clusters: u64) -> Option<Vec<Extent>> {
    let (mut extents, mut at) = (Vec::new(), 0_i64);
    loop {
        let (sizes, rest) = pairs.split_first()?;
        let (counts, places) = (usize::from(sizes & 0xf), usize::from(sizes >> 4));
        if *sizes == 0 {
            return Some(extents);
        }
        if !(1..=8).contains(&counts) || !(1..=8).contains(&places) || extents.len() >= MOST {
            return None;
        }
        let (count, rest) = rest.split_at_checked(counts)?;
        let (place, rest) = rest.split_at_checked(places)?;
        let unused = 64 - 8 * u32::try_from(places).ok()?;
        let distance = (number(place, 0, places) << unused).cast_signed() >> unused;
        at = at.checked_add(distance)?;
        let (from, count) = (u64::try_from(at).ok()?, number(count, 0, counts));
        if count == 0 || from.checked_add(count)? > clusters {
            return None;
        }
        extents.push(Extent { at: from, count });
        pairs = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_counts_and_distances() {
        let pairs = [0x21, 0x18, 0x34, 0x12, 0x11, 0x02, 0xfe, 0x00, 0xff];
        let wanted = vec![Extent { at: 0x1234, count: 0x18 }, Extent { at: 0x1232, count: 2 }];
        assert_eq!(extents(&pairs, 0x2000), Some(wanted));
        assert_eq!(extents(&pairs, 0x1240), None, "behind the end");
        assert_eq!(extents(&pairs[..5], 0x2000), None, "cut");
        assert_eq!(extents(&[0x01, 0x05, 0x00], 0x2000), None, "sparse");
        assert_eq!(extents(&[0x11, 0x05, 0xff, 0x00], 0x2000), None, "before the beginning");
    }

    proptest! {
        #[test]
        fn anything_is_survived(mut bytes in proptest::collection::vec(any::<u8>(), 1024), start in 48_u8..100) {
            bytes[..8].copy_from_slice(b"FILE\x30\0\x03\0");
            bytes[20..24].copy_from_slice(&[start, 0, 1, 0]);
            for at in [510, 1022] {
                bytes[at] = bytes[48];
                bytes[at + 1] = bytes[49];
            }
            let record = Record::parse(bytes).unwrap();
            let _ = (record.data(1 << 40), record.resident(0x70));
        }

        #[test]
        fn any_pairs_are_survived(pairs in proptest::collection::vec(any::<u8>(), 0..40)) {
            for extent in extents(&pairs, 1 << 30).unwrap_or_default() {
                prop_assert!(extent.at + extent.count <= 1 << 30);
            }
        }
    }
}
