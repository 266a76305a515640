//! What partitions are for: names, and sfdisk's short forms.

use super::{Guid, Kind};

const GPT: &str = include_str!("gpt-types.txt");
const MBR: &str = include_str!("mbr-types.txt");

/// sfdisk's short forms: letter, word, MBR type, GPT type.
const ALIASES: &[(&str, &str, u8, &str)] = &[
    ("L", "linux", 0x83, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    ("S", "swap", 0x82, "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"),
    ("E", "extended", 0x05, ""),
    ("Ex", "linuxex", 0x85, ""),
    ("X", "linuxex", 0x85, ""),
    ("H", "home", 0, "933AC7E1-2EB4-4F13-B844-0E14E2AEF915"),
    ("U", "uefi", 0xef, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"),
    ("R", "raid", 0xfd, "A19D880F-05FC-4D3B-A006-743F0F84911E"),
    ("V", "lvm", 0x8e, "E6D6D379-F507-44C2-A23C-238F2A3DF928"),
];

/// Every type with its name, in sfdisk's order.
pub(crate) fn all(gpt: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let table = if gpt { GPT } else { MBR };
    table.lines().filter_map(|line| line.trim_start().split_once(' '))
}

/// What a type is called; `unknown` when nobody knows.
pub(crate) fn name(kind: Kind) -> &'static str {
    let (gpt, id) = match kind {
        Kind::Gpt(guid) => (true, guid.to_string()),
        Kind::Mbr(byte) => (false, format!("{byte:x}")),
    };
    all(gpt).find(|(known, _)| *known == id).map_or("unknown", |(_, name)| name.trim())
}

/// A type as it is written in a script: hexadecimal, GUID, short form or name.
pub(crate) fn parse(text: &str, gpt: bool) -> Option<Kind> {
    if let Some((_, _, mbr, guid)) =
        ALIASES.iter().find(|(letter, word, ..)| *letter == text || *word == text)
    {
        let kind = if gpt { Guid::parse(guid).map(Kind::Gpt) } else { Some(Kind::Mbr(*mbr)) };
        return kind.filter(|kind| *kind != Kind::Mbr(0));
    }
    let by_name = || all(gpt).find(|(_, name)| name.trim().eq_ignore_ascii_case(text));
    let id = if gpt {
        Guid::parse(text).map(Kind::Gpt)
    } else {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        u8::from_str_radix(digits, 16).ok().map(Kind::Mbr)
    };
    id.or_else(|| by_name().and_then(|(id, _)| parse(id, gpt)))
}

/// The type's identifier as sfdisk prints it.
pub(crate) fn id(kind: Kind) -> String {
    match kind {
        Kind::Gpt(guid) => guid.to_string(),
        Kind::Mbr(byte) => format!("{byte:x}"),
    }
}

/// A GPT partition's attributes by name.
const ATTRIBUTES: &[(u32, &str)] =
    &[(0, "RequiredPartition"), (1, "NoBlockIOProtocol"), (2, "LegacyBIOSBootable")];

/// `RequiredPartition GUID:63`.
pub(crate) fn attributes(bits: u64) -> String {
    let named =
        ATTRIBUTES.iter().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, n)| (*n).to_owned());
    let numbers: Vec<String> =
        (48..64).filter(|bit| bits >> bit & 1 == 1).map(|bit: u32| bit.to_string()).collect();
    let guid = (!numbers.is_empty()).then(|| format!("GUID:{}", numbers.join(",")));
    named.chain(guid).collect::<Vec<_>>().join(" ")
}

/// The reverse; names and numbers, separated by blanks or commas. `None` when one is unknown.
pub(crate) fn parse_attributes(text: &str) -> Option<u64> {
    let mut bits = 0;
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    for word in words {
        let word = word.strip_prefix("GUID:").unwrap_or(word);
        let named = ATTRIBUTES.iter().find(|(_, name)| *name == word).map(|(bit, _)| *bit);
        let bit =
            named.or_else(|| word.parse().ok().filter(|bit| matches!(bit, 0..=2 | 48..=63)))?;
        bits |= 1_u64 << bit;
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names() {
        assert_eq!(name(Kind::Mbr(0x83)), "Linux");
        assert_eq!(name(Kind::Mbr(0x5)), "Extended");
        assert_eq!(parse("c", false), Some(Kind::Mbr(12)));
        assert_eq!(parse("Linux swap", true), parse("S", true));
        assert_eq!(parse("zz", true), None);
        assert_eq!(name(parse("uefi", true).unwrap()), "EFI System");
    }

    #[test]
    fn attributes_by_name() {
        let bits = parse_attributes("GUID:63,60 RequiredPartition").unwrap();
        assert_eq!(attributes(bits), "RequiredPartition GUID:60,63");
        assert_eq!(parse_attributes("GUID:7"), None);
    }
}
