//! The firmware's boot entries, in its variables (UEFI Specification 2.10, 3.1.3 and 10; efivarfs:
//! Documentation/filesystems/efivarfs.rst). A variable's file is four bytes of attributes and its data.

pub(crate) mod make;

use rustix::fs::{IFlags, Mode, OFlags, ioctl_getflags, ioctl_setflags};
use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// The namespace of the variables that the specification defines.
pub(crate) const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Kept when the power is off, and seen by the boot services and by us.
const ATTRIBUTES: u32 = 7;
/// No variable of ours is larger.
const MOST: u64 = 64 << 10;

/// An entry may be booted.
pub(crate) const ACTIVE: u32 = 1;

/// The folder of variables.
pub(crate) struct Variables(pub(crate) PathBuf);

impl Variables {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}-{GLOBAL}"))
    }

    /// A variable's data; `None` when there is none.
    pub(crate) fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        match bytes.split_at_checked(4) {
            Some((_, data)) => Ok(Some(data.to_vec())),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Sets a variable, in the one write that the kernel wants.
    pub(crate) fn set(&self, name: &str, data: &[u8]) -> io::Result<()> {
        let path = self.path(name);
        free(&path)?;
        let bytes = [&ATTRIBUTES.to_le_bytes(), data].concat();
        // Longer data of before is replaced by the kernel; an ordinary file must be cut.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(&path, flags, Mode::from_raw_mode(0o644))?);
        file.write_all(&bytes)
    }

    /// Deletes a variable; whether there was one.
    pub(crate) fn delete(&self, name: &str) -> io::Result<bool> {
        let path = self.path(name);
        free(&path)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            done => done.map(|()| true),
        }
    }

    /// The numbers of all entries, in order.
    pub(crate) fn entries(&self) -> io::Result<Vec<u16>> {
        let number = |name: &str| {
            let digits = name.strip_suffix(GLOBAL)?.strip_suffix('-')?.strip_prefix("Boot")?;
            let upper = digits.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
            (digits.len() == 4 && upper).then(|| u16::from_str_radix(digits, 16).ok())?
        };
        let names = fs::read_dir(&self.0)?.flatten().map(|entry| entry.file_name());
        let mut numbers: Vec<u16> = names.filter_map(|name| number(name.to_str()?)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// The kernel makes most variables immutable, lest `rm -rf` breaks the firmware.
fn free(path: &Path) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    // Other file systems do not have such flags.
    let Ok(flags) = ioctl_getflags(&file) else { return Ok(()) };
    if flags.contains(IFlags::IMMUTABLE) {
        ioctl_setflags(&file, flags - IFlags::IMMUTABLE)?;
    }
    Ok(())
}

/// Numbers of entries, as in `BootOrder`.
pub(crate) fn numbers(data: &[u8]) -> Vec<u16> {
    data.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
}

/// One boot entry (`EFI_LOAD_OPTION`, 3.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) attributes: u32,
    pub(crate) name: String,
    /// Where it is, as text.
    pub(crate) path: String,
    /// What is told to it.
    pub(crate) options: Vec<u8>,
}

impl Entry {
    /// Attributes, length of the path, name in UTF-16 ended by NUL, path, options.
    pub(crate) fn parse(data: &[u8]) -> Option<Self> {
        let attributes = u32::from_le_bytes(*data.first_chunk()?);
        let length = usize::from(u16::from_le_bytes(*data.get(4..)?.first_chunk()?));
        let units = numbers(data.get(6..)?);
        let end = units.iter().position(|unit| *unit == 0)?;
        let name = String::from_utf16_lossy(units.get(..end)?);
        let rest = data.get(6 + 2 * (end + 1)..)?;
        let (path, options) = rest.split_at_checked(length)?;
        let clean = |c: char| if c.is_control() { '?' } else { c };
        Some(Self {
            attributes,
            name: name.chars().map(clean).collect(),
            path: device_path(path)?.chars().map(clean).collect(),
            options: options.to_vec(),
        })
    }
}

/// A device path as text (10.3): nodes of type, subtype, length of two bytes, data.
fn device_path(mut bytes: &[u8]) -> Option<String> {
    let mut nodes: Vec<String> = Vec::new();
    while let [kind, subtype, low, high, ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let (node, rest) = bytes.split_at_checked(length.max(4))?;
        if *kind == 0x7f {
            break;
        }
        let data = node.get(4..)?;
        nodes
            .push(node_text(*kind, *subtype, data).unwrap_or_else(|| other(*kind, *subtype, data)));
        bytes = rest;
    }
    Some(nodes.join("/"))
}

fn other(kind: u8, subtype: u8, data: &[u8]) -> String {
    format!("Path({kind},{subtype},{})", hex(data))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn word(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

fn long(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

fn quad(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

fn guid(data: &[u8], at: usize) -> Option<String> {
    let (a, b, c) = (long(data, at)?, word(data, at + 4)?, word(data, at + 6)?);
    let rest = data.get(at + 8..at + 16)?;
    let (clock, node) = rest.split_at_checked(2)?;
    Some(format!("{a:08x}-{b:04x}-{c:04x}-{}-{}", hex(clock), hex(node)))
}

/// The nodes that machines have; `None` for others and for damaged ones.
fn node_text(kind: u8, subtype: u8, data: &[u8]) -> Option<String> {
    Some(match (kind, subtype) {
        (1, 1) => format!("Pci(0x{:x},0x{:x})", data.get(1)?, data.first()?),
        (1, 4) => format!("VenHw({})", guid(data, 0)?),
        (2, 1) => match (long(data, 0)?, long(data, 4)?) {
            (0x0a03_41d0, uid) => format!("PciRoot(0x{uid:x})"),
            (hid, uid) => format!("Acpi(0x{hid:08x},0x{uid:x})"),
        },
        (3, 1) => format!("Ata({},{},{})", data.first()?, data.get(1)?, word(data, 2)?),
        (3, 2) => format!("Scsi({},{})", word(data, 0)?, word(data, 2)?),
        (3, 5) => format!("USB({},{})", data.first()?, data.get(1)?),
        (3, 11) => {
            let length = if data.get(32).is_some_and(|kind| *kind <= 1) { 6 } else { 32 };
            format!("MAC({},{})", hex(data.get(..length)?), data.get(32)?)
        }
        (3, 12) => {
            let address = |at: usize| {
                let bytes: [u8; 4] = data.get(at..)?.first_chunk().copied()?;
                Some(std::net::Ipv4Addr::from(bytes))
            };
            format!("IPv4({},{})", address(4)?, address(0)?)
        }
        (3, 13) => "IPv6()".into(),
        (3, 18) => format!("Sata({},{},{})", word(data, 0)?, word(data, 2)?, word(data, 4)?),
        (3, 23) => {
            let id: Vec<String> =
                data.get(4..12)?.iter().rev().map(|byte| format!("{byte:02x}")).collect();
            format!("NVMe(0x{:x},{})", long(data, 0)?, id.join("-"))
        }
        (3, 24) => format!("Uri({})", String::from_utf8_lossy(data)),
        (4, 1) => {
            let (number, start, size) = (long(data, 0)?, quad(data, 4)?, quad(data, 12)?);
            match data.get(37)? {
                2 => format!("HD({number},GPT,{},0x{start:x},0x{size:x})", guid(data, 20)?),
                _ => format!("HD({number},MBR,0x{:08x},0x{start:x},0x{size:x})", long(data, 20)?),
            }
        }
        (4, 2) => {
            format!("CDROM({},0x{:x},0x{:x})", long(data, 0)?, quad(data, 4)?, quad(data, 12)?)
        }
        (4, 3) => format!("VenMedia({})", guid(data, 0)?),
        (4, 4) => {
            let units = numbers(data);
            let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
            format!("File({})", String::from_utf16_lossy(units.get(..end)?))
        }
        (4, 6) => format!("FvFile({})", guid(data, 0)?),
        (4, 7) => format!("FvVol({})", guid(data, 0)?),
        (5, 1) => {
            let text = data.get(4..)?.split(|byte| *byte == 0).next().unwrap_or_default();
            format!(
                "BBS({},{},0x{:x})",
                bbs(word(data, 0)?),
                String::from_utf8_lossy(text),
                word(data, 2)?
            )
        }
        _ => return None,
    })
}

/// Kinds of devices of the BIOS Boot Specification.
fn bbs(kind: u16) -> String {
    match kind {
        1 => "Floppy".into(),
        2 => "HD".into(),
        3 => "CDROM".into(),
        4 => "PCMCIA".into(),
        5 => "USB".into(),
        6 => "Network".into(),
        other => format!("{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap())
            .collect()
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    fn node(kind: u8, subtype: u8, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len() + 4).unwrap().to_le_bytes();
        [&[kind, subtype], length.as_slice(), data].concat()
    }

    fn debian() -> Vec<u8> {
        let mut hd = vec![];
        hd.extend(1_u32.to_le_bytes());
        hd.extend(0x800_u64.to_le_bytes());
        hd.extend(0x7f000_u64.to_le_bytes());
        hd.extend(bytes("33221100554477668899aabbccddeeff0202"));
        let path = [
            node(4, 1, &hd),
            node(4, 4, &utf16("\\EFI\\debian\\shimx64.efi")),
            node(0x7f, 0xff, &[]),
        ]
        .concat();
        let length = u16::try_from(path.len()).unwrap().to_le_bytes();
        [&1_u32.to_le_bytes(), length.as_slice(), &utf16("debian"), &path, b"opts"].concat()
    }

    /// `Boot0000` as OVMF makes it in a virtual machine: its own menu, in the firmware volume.
    const MENU: &str = "09010000 2c00 5500690041007000 70000000 \
        04071400c9bdb87cebf8344faaea3ee4af6516a1 04061400 21aa2c4614760345836e8ab6f4662331 7fff0400";

    #[test]
    fn an_entry_of_the_firmware() {
        let data = bytes(&MENU.replace(char::is_whitespace, ""));
        let entry = Entry::parse(&data).unwrap();
        assert_eq!((entry.name.as_str(), entry.attributes), ("UiApp", 0x109));
        assert_eq!(
            entry.path,
            "FvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)"
        );
        for cut in 0..data.len() {
            assert!(Entry::parse(&data[..cut]).is_none(), "{cut}");
        }
    }

    proptest::proptest! {
        #[test]
        fn damage_does_not_panic(at in 0_usize..200, byte: u8) {
            let mut data = debian();
            let length = data.len();
            data[at % length] = byte;
            let _ = Entry::parse(&data);
        }
    }

    #[test]
    fn an_entry_of_a_disk() {
        let entry = Entry::parse(&debian()).unwrap();
        assert_eq!((entry.name.as_str(), entry.attributes), ("debian", ACTIVE));
        assert_eq!(
            entry.path,
            "HD(1,GPT,00112233-4455-6677-8899-aabbccddeeff,0x800,0x7f000)/File(\\EFI\\debian\\shimx64.efi)"
        );
        assert_eq!(entry.options, b"opts");
    }
}
