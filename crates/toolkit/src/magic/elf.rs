//! ELF (elf(5)): class, machine, how it is linked.

use super::{Data, Kind, printable};

/// Segments and sections that are looked at; more is no file of ours.
const MOST: u16 = 2048;
/// Bytes of a segment of notes or of dynamic tags that are looked at.
const LARGEST: u64 = 64 * 1024;

struct Elf<'a> {
    data: &'a Data<'a>,
    wide: bool,
    big: bool,
}

/// A segment or a section: type, offset, bytes.
struct Part {
    kind: u32,
    offset: u64,
    size: u64,
}

impl Elf<'_> {
    /// A number of 2, 4 or 8 bytes.
    fn number(&self, bytes: &[u8], at: usize, length: usize) -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }

    fn half(&self, at: usize) -> Option<u16> {
        u16::try_from(self.number(self.data.head, at, 2)?).ok()
    }

    /// An address-sized number of the header, which stands elsewhere in either class.
    fn word(&self, narrow: usize, wide: usize) -> Option<u64> {
        if self.wide {
            self.number(self.data.head, wide, 8)
        } else {
            self.number(self.data.head, narrow, 4)
        }
    }

    fn parts(
        &self,
        offset: u64,
        size: u16,
        count: u16,
        of: impl Fn(&[u8]) -> Option<Part>,
    ) -> Vec<Part> {
        let each = (0..count.min(MOST)).map_while(|n| {
            let at = offset.checked_add(u64::from(n) * u64::from(size))?;
            of(&self.data.at(at, usize::from(size))?)
        });
        each.collect()
    }

    fn segments(&self) -> Option<Vec<Part>> {
        let (size, count) = if self.wide { (0x36, 0x38) } else { (0x2a, 0x2c) };
        let of = |b: &[u8]| {
            let kind = u32::try_from(self.number(b, 0, 4)?).ok()?;
            let (offset, size, length) = if self.wide { (8, 0x20, 8) } else { (4, 0x10, 4) };
            let (offset, size) = (self.number(b, offset, length)?, self.number(b, size, length)?);
            Some(Part { kind, offset, size })
        };
        Some(self.parts(self.word(0x1c, 0x20)?, self.half(size)?, self.half(count)?, of))
    }

    fn sections(&self) -> Option<Vec<Part>> {
        let (size, count) = if self.wide { (0x3a, 0x3c) } else { (0x2e, 0x30) };
        let of = |b: &[u8]| {
            let kind = u32::try_from(self.number(b, 4, 4)?).ok()?;
            let (offset, size, length) = if self.wide { (0x18, 0x20, 8) } else { (0x10, 0x14, 4) };
            let (offset, size) = (self.number(b, offset, length)?, self.number(b, size, length)?);
            Some(Part { kind, offset, size })
        };
        Some(self.parts(self.word(0x20, 0x28)?, self.half(size)?, self.half(count)?, of))
    }

    fn bytes(&self, part: &Part) -> Option<Vec<u8>> {
        self.data.at(part.offset, usize::try_from(part.size.min(LARGEST)).ok()?)
    }

    /// Whether the dynamic tags say that this is a program (`DF_1_PIE`).
    fn is_pie(&self, part: &Part) -> bool {
        let length = if self.wide { 8 } else { 4 };
        let bytes = self.bytes(part).unwrap_or_default();
        bytes.chunks_exact(2 * length).any(|tag| {
            self.number(tag, 0, length) == Some(0x6fff_fffb)
                && self.number(tag, length, length).is_some_and(|flags| flags & 0x0800_0000 != 0)
        })
    }

    /// Notes that are told: the build's identifier, and the kernel it is for.
    fn notes(&self, part: &Part, out: &mut Vec<String>) -> Option<()> {
        let bytes = self.bytes(part)?;
        let mut at = 0_usize;
        for _ in 0..64 {
            let size = |at: usize| usize::try_from(self.number(&bytes, at, 4)?).ok();
            let (name, length, kind) = (size(at)?, size(at + 4)?, self.number(&bytes, at + 8, 4)?);
            let begin = at.checked_add(12)?.checked_add(name.checked_next_multiple_of(4)?)?;
            let value = bytes.get(begin..begin.checked_add(length)?)?;
            if bytes.get(at + 12..at + 16)? == b"GNU\0" && name == 4 {
                match kind {
                    3 => {
                        let digits: String =
                            value.iter().map(|byte| format!("{byte:02x}")).collect();
                        let hash = if length == 20 { "sha1" } else { "xxHash" };
                        out.push(format!(", BuildID[{hash}]={digits}"));
                    }
                    1 if self.number(value, 0, 4) == Some(0) => {
                        let of = |at| self.number(value, at, 4).unwrap_or(0);
                        out.push(format!(", for GNU/Linux {}.{}.{}", of(4), of(8), of(12)));
                    }
                    _ => {}
                }
            }
            at = begin.checked_add(length.checked_next_multiple_of(4)?)?;
        }
        None
    }
}

fn machine(number: u16) -> String {
    match number {
        2 => "SPARC",
        3 => "Intel 80386",
        8 => "MIPS",
        20 => "PowerPC or cisco 4500",
        21 => "64-bit PowerPC or cisco 7500",
        22 => "IBM S/390",
        40 => "ARM",
        62 => "x86-64",
        183 => "ARM aarch64",
        243 => "UCB RISC-V",
        247 => "eBPF",
        258 => "LoongArch",
        _ => return format!("*unknown arch 0x{number:x}*"),
    }
    .into()
}

pub(super) fn identify(data: &Data<'_>) -> Option<Kind> {
    if !data.has(0, b"\x7fELF") {
        return None;
    }
    let [class, order, _, abi] = data.head.get(4..8)? else { return None };
    let elf = Elf { data, wide: *class == 2, big: *order == 2 };
    describe(&elf, *abi).or_else(|| Some(Kind::binary("ELF", "application/octet-stream")))
}

fn describe(elf: &Elf<'_>, abi: u8) -> Option<Kind> {
    let segments = elf.segments()?;
    let of_kind = |kind: u32| segments.iter().find(|part| part.kind == kind);
    let (dynamic, interpreter) = (of_kind(2), of_kind(3));
    let is_pie = dynamic.is_some_and(|part| elf.is_pie(part));
    let (what, mime) = match elf.half(0x10)? {
        1 => ("relocatable", "application/x-object"),
        2 => ("executable", "application/x-executable"),
        3 if is_pie => ("pie executable", "application/x-pie-executable"),
        3 => ("shared object", "application/x-sharedlib"),
        4 => ("core file", "application/x-coredump"),
        _ => ("no file type", "application/octet-stream"),
    };
    let bits = if elf.wide { "64-bit" } else { "32-bit" };
    let order = if elf.big { "MSB" } else { "LSB" };
    let abi = match abi {
        0 => "SYSV",
        3 => "GNU/Linux",
        _ => "other",
    };
    let machine = machine(elf.half(0x12)?);
    let mut text = format!("ELF {bits} {order} {what}, {machine}, version 1 ({abi})");
    match (what, dynamic, interpreter) {
        ("relocatable" | "core file", ..) => {}
        ("pie executable", Some(_), None) => text.push_str(", static-pie linked"),
        (_, Some(_), _) => text.push_str(", dynamically linked"),
        (_, None, _) => text.push_str(", statically linked"),
    }
    if let Some(path) = interpreter.and_then(|part| elf.bytes(part)) {
        let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
        text.push_str(&format!(", interpreter {}", printable(path)));
    }
    let sections = elf.sections().unwrap_or_default();
    let mut notes = Vec::new();
    for part in segments.iter().filter(|part| part.kind == 4) {
        elf.notes(part, &mut notes);
    }
    if segments.is_empty() {
        for part in sections.iter().filter(|part| part.kind == 7) {
            elf.notes(part, &mut notes);
        }
    }
    text.extend(notes);
    if what != "core file" {
        // A table of symbols that is not the dynamic one.
        let stripped = !sections.iter().any(|part| part.kind == 2);
        text.push_str(if stripped { ", stripped" } else { ", not stripped" });
    }
    Some(Kind::binary(text, mime))
}
