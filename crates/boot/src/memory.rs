//! The machine's memory as its firmware described it, and what is placed in it.

/// What a range is for. The numbers are those of the firmware (ACPI 6.5, table 15.3), of Multiboot and of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Free to be used.
    Ram,
    /// Not memory, or the firmware's.
    Reserved,
    /// Tables that can be overwritten when they were read.
    AcpiTables,
    /// The firmware's across a sleep.
    AcpiStorage,
    /// Broken.
    Defective,
    /// Keeps what is written to it.
    Persistent,
}

impl Kind {
    /// From the words of `/sys/firmware/memmap/N/type`; what is unknown is not touched.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "System RAM" => Self::Ram,
            "ACPI Tables" => Self::AcpiTables,
            "ACPI Non-volatile Storage" => Self::AcpiStorage,
            "Unusable memory" => Self::Defective,
            "Persistent Memory" => Self::Persistent,
            _ => Self::Reserved,
        }
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Ram => 1,
            Self::Reserved => 2,
            Self::AcpiTables => 3,
            Self::AcpiStorage => 4,
            Self::Defective => 5,
            Self::Persistent => 7,
        }
    }
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first address.
    pub start: u64,
    /// The one after the last.
    pub end: u64,
    /// What it is for.
    pub kind: Kind,
}

const MIB: u64 = 1 << 20;
/// Where addresses of 32 bits end.
pub const END_32: u64 = 1 << 32;
/// What is moved is moved by pages.
pub const PAGE: u64 = 4096;

/// All of it, by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map(Vec<Range>);

impl Map {
    /// Sorts; neighbours of one kind become one, empty ranges go.
    #[must_use]
    pub fn new(ranges: impl IntoIterator<Item = Range>) -> Self {
        let mut all: Vec<Range> = ranges.into_iter().filter(|r| r.start < r.end).collect();
        all.sort_by_key(|range| range.start);
        let mut joined: Vec<Range> = Vec::new();
        for range in all {
            match joined.last_mut() {
                Some(last) if last.end == range.start && last.kind == range.kind => {
                    last.end = range.end;
                }
                _ => joined.push(range),
            }
        }
        Self(joined)
    }

    /// The ranges, by address.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.0
    }

    /// The same with `start..end` taken out of what is free.
    #[must_use]
    pub fn reserving(&self, start: u64, end: u64) -> Self {
        let cut = |range: &Range| match range.kind {
            Kind::Ram => vec![
                Range { end: range.end.min(start), ..*range },
                Range { start: range.start.max(end), ..*range },
            ],
            _ => vec![*range],
        };
        let reserved = Range { start, end, kind: Kind::Reserved };
        Self::new(self.0.iter().flat_map(cut).chain([reserved]))
    }

    /// Where memory free from address 0 on ends, below 1 MiB.
    #[must_use]
    pub fn low_end(&self) -> u64 {
        let first = self.0.iter().find(|range| range.kind == Kind::Ram && range.start == 0);
        first.map_or(0, |range| range.end.min(0xA_0000))
    }

    /// How much is free from 1 MiB on in one piece.
    #[must_use]
    pub fn high_size(&self) -> u64 {
        let high =
            |range: &&Range| range.kind == Kind::Ram && (range.start..range.end).contains(&MIB);
        self.0.iter().find(high).map_or(0, |range| range.end - MIB)
    }
}

/// What a place is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Bytes.
    pub size: u64,
    /// Its address is a multiple of this, and of [`PAGE`].
    pub align: u64,
    /// The lowest address.
    pub least: u64,
    /// The address that it ends at, at most.
    pub most: u64,
    /// The highest place that fits, not the lowest.
    pub high: bool,
}

/// Memory that nothing was placed in yet.
#[derive(Clone, Debug)]
pub struct Room(Vec<(u64, u64)>);

impl Room {
    /// All that is free by `map`, in whole pages. What overlaps anything else is not.
    #[must_use]
    pub fn new(map: &Map) -> Self {
        let ram = map.ranges().iter().filter(|range| range.kind == Kind::Ram);
        let whole = ram.map(|r| (r.start.next_multiple_of(PAGE), r.end / PAGE * PAGE));
        let mut room = Self(whole.filter(|(start, end)| start < end).collect());
        for other in map.ranges().iter().filter(|range| range.kind != Kind::Ram) {
            room.remove(other.start, other.end);
        }
        room
    }

    /// Takes the pages of `start..end`. `false` when not all of them are free; nothing is taken then.
    #[must_use]
    pub fn take(&mut self, start: u64, end: u64) -> bool {
        let free = self.0.iter().any(|(from, to)| *from <= start && end <= *to);
        if free {
            self.remove(start, end);
        }
        free
    }

    /// Takes a place that fits, and returns its address.
    #[must_use]
    pub fn find(&mut self, wish: Wish) -> Option<u64> {
        let align = wish.align.max(PAGE);
        let size = wish.size.max(1).checked_next_multiple_of(PAGE)?;
        let fit = |(from, to): &(u64, u64)| {
            let (from, to) = ((*from).max(wish.least), (*to).min(wish.most));
            let lowest = from.checked_next_multiple_of(align)?;
            let highest = to.checked_sub(size)? / align * align;
            let at = if wish.high { highest } else { lowest };
            (lowest <= highest && from <= at).then_some(at)
        };
        let mut fits = self.0.iter().filter_map(fit);
        let at = if wish.high { fits.max() } else { fits.next() }?;
        self.remove(at, at + size);
        Some(at)
    }

    fn remove(&mut self, start: u64, end: u64) {
        let (start, end) = (start / PAGE * PAGE, end.checked_next_multiple_of(PAGE).unwrap_or(end));
        let cut = |&(from, to): &(u64, u64)| {
            if end <= from || to <= start {
                return vec![(from, to)];
            }
            vec![(from, to.min(start)), (from.max(end), to)]
        };
        self.0 = self.0.iter().flat_map(cut).filter(|(from, to)| from < to).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(start: u64, end: u64, kind: Kind) -> Range {
        Range { start, end, kind }
    }

    /// As SeaBIOS has it for 128 MiB.
    fn machine() -> Map {
        Map::new([
            range(0x10_0000, 0x7fe_0000, Kind::Ram),
            range(0, 0x9_fc00, Kind::Ram),
            range(0x9_fc00, 0xa_0000, Kind::Reserved),
            range(0xf_0000, 0x10_0000, Kind::Reserved),
            range(0x7fe_0000, 0x800_0000, Kind::Reserved),
        ])
    }

    fn wish(size: u64, high: bool) -> Wish {
        Wish { size, align: PAGE, least: MIB, most: END_32, high }
    }

    #[test]
    fn a_map_is_ordered_and_says_what_is_free() {
        let map = machine();
        assert_eq!(map.ranges()[0], range(0, 0x9_fc00, Kind::Ram));
        assert_eq!((map.low_end(), map.high_size()), (0x9_fc00, 0x7ee_0000));
        let less = map.reserving(0x9_f000, 0xa_0000);
        assert_eq!(less.low_end(), 0x9_f000);
        assert_eq!(Map::default().low_end(), 0);
        let two = Map::new([range(4096, 8192, Kind::Ram), range(0, 4096, Kind::Ram)]);
        assert_eq!(two.ranges(), [range(0, 8192, Kind::Ram)]);
    }

    #[test]
    fn places_are_taken_once_and_only_from_what_is_free() {
        let mut room = Room::new(&machine());
        assert!(room.take(0x20_0000, 0x30_0000));
        assert!(!room.take(0x2f_f000, 0x31_0000), "taken already");
        assert!(!room.take(0x9_f000, 0xa_0000), "the firmware's");
        assert_eq!(room.find(wish(0x10_0000, false)), Some(0x10_0000));
        assert_eq!(room.find(wish(1, false)), Some(0x30_0000));
        assert_eq!(room.find(wish(1, true)), Some(0x7fd_f000));
        assert_eq!(room.find(Wish { align: 0x20_0000, ..wish(1, false) }), Some(0x40_0000));
        assert_eq!(room.find(Wish { least: 0, most: 0x1000, ..wish(1, false) }), Some(0));
        assert_eq!(room.find(wish(0x800_0000, false)), None);
    }

    #[test]
    fn what_firmware_says_twice_is_not_free() {
        let map = Map::new([range(0, 0x10_0000, Kind::Ram), range(0x8000, 0x9000, Kind::Reserved)]);
        let mut room = Room::new(&map);
        assert!(!room.take(0x8000, 0x9000));
        assert!(room.take(0, 0x8000) && room.take(0x9000, 0x10_0000));
    }

    #[test]
    fn words_of_the_running_kernel() {
        let numbers = ["System RAM", "Reserved", "ACPI Tables", "ACPI Non-volatile Storage"];
        assert_eq!(numbers.map(|text| Kind::of(text).number()), [1, 2, 3, 4]);
        assert_eq!(Kind::of("Soft Reserved"), Kind::Reserved);
    }

    proptest! {
        #[test]
        fn what_was_found_is_free_and_fits(sizes in proptest::collection::vec((1_u64..0x40_0000, any::<bool>()), 1..20)) {
            let mut room = Room::new(&machine());
            let mut taken: Vec<(u64, u64)> = Vec::new();
            for (size, high) in sizes {
                let Some(at) = room.find(wish(size, high)) else { continue };
                prop_assert!(at >= MIB && at + size <= 0x7fe_0000);
                prop_assert!(taken.iter().all(|(from, to)| at + size <= *from || *to <= at));
                taken.push((at, at + size));
            }
        }
    }
}
