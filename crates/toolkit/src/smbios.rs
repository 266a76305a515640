//! The tables of the firmware about the machine (SMBIOS, DMTF DSP0134 3.7). Firmware may write
//! anything: whatever is out of its bounds is left out, and the rest of the table with it.

/// One structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Structure {
    /// What it is about.
    pub(crate) kind: u8,
    /// The formatted part, its header of four bytes included.
    data: Vec<u8>,
    strings: Vec<String>,
}

/// No machine has more.
const MOST: usize = 4096;
/// Longer strings are cut.
const LONGEST: usize = 128;

/// The structures of a table, in order.
pub(crate) fn parse(mut table: &[u8]) -> Vec<Structure> {
    let mut found = Vec::new();
    while let [kind, length, ..] = table {
        let end = 127;
        let Some((data, rest)) = table.split_at_checked((*length).into()) else { break };
        // Strings, each ended by NUL, and one more; without strings two.
        let Some(size) = rest.windows(2).position(|pair| pair == [0, 0]) else { break };
        if data.len() < 4 || *kind == end || found.len() == MOST {
            break;
        }
        let (strings, after) = rest.split_at(size);
        let strings = strings.split(|byte| *byte == 0).map(text).collect();
        found.push(Structure { kind: *kind, data: data.to_vec(), strings });
        table = after.get(2..).unwrap_or_default();
    }
    found
}

/// Printable ASCII, without the blanks around it.
pub(crate) fn text(bytes: &[u8]) -> String {
    let printable = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '.',
    };
    bytes.trim_ascii().iter().take(LONGEST).map(printable).collect()
}

impl Structure {
    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        self.data.get(at).copied()
    }

    pub(crate) fn word(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.data.get(at..at + 2)?.try_into().ok()?))
    }

    pub(crate) fn long(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.data.get(at..at + 4)?.try_into().ok()?))
    }

    /// The string whose number stands at a place; empty for none.
    pub(crate) fn string(&self, at: usize) -> String {
        let number = self.byte(at).map(usize::from).and_then(|n| n.checked_sub(1));
        number.and_then(|n| self.strings.get(n)).cloned().unwrap_or_default()
    }

    /// A UUID: its first three parts are little-endian (7.2.1). None when it is all zeros or ones.
    pub(crate) fn uuid(&self, at: usize) -> Option<String> {
        let b: [u8; 16] = self.data.get(at..at + 16)?.try_into().ok()?;
        if b == [0; 16] || b == [0xff; 16] {
            return None;
        }
        let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = b;
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let (clock, node) = rest.split_at(2);
        Some(format!(
            "{}-{}-{}-{}-{}",
            hex(&[a3, a2, a1, a0]),
            hex(&[b1, b0]),
            hex(&[c1, c0]),
            hex(clock),
            hex(node)
        ))
    }

    /// The size of a memory device, bytes (7.18.4); none for an empty slot or an unknown size.
    pub(crate) fn memory_size(&self) -> Option<u64> {
        match self.word(0x0c)? {
            0 | 0xffff => None,
            0x7fff => Some(u64::from(self.long(0x1c)? & 0x7fff_ffff) << 20),
            kib if kib & 0x8000 != 0 => Some(u64::from(kib & 0x7fff) << 10),
            mib => Some(u64::from(mib) << 20),
        }
    }

    /// The kind of a memory device (7.18.2).
    pub(crate) fn memory_kind(&self) -> &'static str {
        match self.byte(0x12) {
            Some(0x07) => "RAM",
            Some(0x0f) => "SDRAM",
            Some(0x12) => "DDR",
            Some(0x13) => "DDR2",
            Some(0x18) => "DDR3",
            Some(0x1a) => "DDR4",
            Some(0x1b) => "LPDDR",
            Some(0x1c) => "LPDDR2",
            Some(0x1d) => "LPDDR3",
            Some(0x1e) => "LPDDR4",
            Some(0x1f) => "non-volatile",
            Some(0x20) => "HBM",
            Some(0x21) => "HBM2",
            Some(0x22) => "DDR5",
            Some(0x23) => "LPDDR5",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(kind: u8, data: &[u8], strings: &[&str]) -> Vec<u8> {
        let mut bytes = vec![kind, u8::try_from(data.len() + 4).unwrap(), 1, 0];
        bytes.extend_from_slice(data);
        for string in strings {
            bytes.extend_from_slice(string.as_bytes());
            bytes.push(0);
        }
        bytes.extend(if strings.is_empty() { vec![0, 0] } else { vec![0] });
        bytes
    }

    #[test]
    fn a_system_and_memory() {
        let mut system = vec![1, 2, 0, 3];
        system.extend((0..16).map(|n: u8| n * 17));
        let mut memory = vec![0; 0x1c];
        memory[0x08..0x0a].copy_from_slice(&0x7fff_u16.to_le_bytes());
        memory[0x0e] = 0x1a;
        memory[0x18..0x1c].copy_from_slice(&65536_u32.to_le_bytes());
        let mut table = structure(1, &system, &["Vendor ", "Prod\x1bct", "S123"]);
        table.extend(structure(17, &memory, &[]));
        table.extend(structure(127, &[], &[]));
        table.extend(structure(1, &system, &["after the end"]));
        let all = parse(&table);
        assert_eq!(all.iter().map(|s| s.kind).collect::<Vec<_>>(), [1, 17]);
        assert_eq!((all[0].string(4), all[0].string(5)), ("Vendor".into(), "Prod.ct".into()));
        assert_eq!((all[0].string(6), all[0].string(7)), (String::new(), "S123".into()));
        assert_eq!(all[0].uuid(8).unwrap(), "33221100-5544-7766-8899-aabbccddeeff");
        assert_eq!((all[1].memory_size(), all[1].memory_kind()), (Some(64 << 30), "DDR4"));
    }

    proptest::proptest! {
        #[test]
        fn anything_is_survived(table in proptest::collection::vec(0_u8..20, 0..300)) {
            for structure in parse(&table) {
                let _ = (structure.string(4), structure.uuid(8), structure.memory_size());
            }
        }
    }
}
