//! Linux's bzImage and what has its header (kernel: `Documentation/arch/x86/boot.rst`).

use crate::bytes;

/// So much of a file's beginning has the whole header.
pub const HEAD: usize = 0x1000;

// Offsets of the setup header's fields.
pub(crate) const SETUP_SECTORS: usize = 0x1F1;
const SYSTEM_SIZE: usize = 0x1F4;
pub(crate) const BOOT_FLAG: usize = 0x1FE;
pub(crate) const MAGIC: usize = 0x202;
pub(crate) const VERSION: usize = 0x206;
const KERNEL_VERSION: usize = 0x20E;
pub(crate) const LOAD_FLAGS: usize = 0x211;
const CODE_32: usize = 0x214;
const INITRD_MOST: usize = 0x22C;
const XLOAD_FLAGS: usize = 0x236;
pub(crate) const COMMAND_LINE_SIZE: usize = 0x238;
const PREFERRED: usize = 0x258;
const INIT_SIZE: usize = 0x260;

/// Protocol 2.10, since which a 32-bit entry says what memory it needs.
const PROTECTED_VERSION: u16 = 0x020A;
/// Protocol 2.12, which has `xloadflags`.
const XLOAD_VERSION: u16 = 0x020C;
const LOADED_HIGH: u8 = 1;
const KERNEL_64: u16 = 1;
const ABOVE_4G: u16 = 2;
const SECTOR: u64 = 512;

/// Why a file is no kernel that can be started.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// It begins with something else.
    #[error("not a Linux kernel for x86 (bzImage): it has no boot header")]
    NoHeader,
    /// A zImage, or a header that contradicts itself.
    #[error("a Linux kernel that cannot be started: {0}")]
    Unfit(&'static str),
    /// Bytes are missing at its end.
    #[error("the kernel was cut short: it has {has} bytes of {needs}")]
    Short {
        /// Bytes in the file.
        has: u64,
        /// Bytes by the header.
        needs: u64,
    },
    /// More than the kernel takes.
    #[error("the command line has {has} bytes, this kernel takes {most}")]
    CommandLine {
        /// Bytes given.
        has: usize,
        /// Bytes that it takes.
        most: usize,
    },
}

/// How it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// By `kexec_file_load`: it has 64 bits and can lie anywhere.
    System,
    /// At its 32-bit entry: at this address, with a page of parameters.
    Protected(u32),
    /// At its 16-bit entry, as a BIOS loader does. What looks like Linux but only uses its header (iPXE, GRUB's
    /// `lnxboot`) has no other that works.
    Real,
}

/// What a bzImage says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` and more, up to the first byte that is not printable; empty when it does not say.
    pub version: String,
    /// Longest command line, bytes without the final zero.
    pub command_line_size: usize,
    /// Memory that it needs in one piece until it manages memory itself, bytes.
    pub init_size: u64,
    /// How it is started.
    pub start: Start,
    /// The version of the boot protocol.
    pub protocol: u16,
    /// The setup code's length; what follows in the file lies at 1 MiB or elsewhere.
    pub setup_size: u64,
    /// Where it likes to lie, if it says so.
    pub preferred: u64,
    /// The highest address that the initial RAM disk may have.
    pub initrd_most: u32,
}

impl Kernel {
    /// Reads the header from the first [`HEAD`] bytes of a file (or all, if it has fewer) of `size` bytes.
    ///
    /// # Errors
    /// When it is no kernel, none that can be started, or cut short.
    pub fn parse(head: &[u8], size: u64) -> Result<Self, Error> {
        if bytes::u16(head, BOOT_FLAG) != Some(0xAA55)
            || head.get(MAGIC..MAGIC + 4) != Some(b"HdrS")
        {
            return Err(Error::NoHeader);
        }
        let cut = || Error::Short { has: size, needs: HEAD as u64 };
        let field16 = |at| bytes::u16(head, at).ok_or_else(cut);
        let field32 = |at| bytes::u32(head, at).ok_or_else(cut);
        let protocol = field16(VERSION)?;
        if bytes::u8(head, LOAD_FLAGS).ok_or_else(cut)? & LOADED_HIGH == 0 {
            return Err(Error::Unfit("it is a zImage, which is loaded below 1 MiB"));
        }
        let needs = Self::length(head).ok_or_else(cut)?;
        if size < needs {
            return Err(Error::Short { has: size, needs });
        }
        let flags = if protocol >= XLOAD_VERSION { field16(XLOAD_FLAGS)? } else { 0 };
        let start = match protocol {
            _ if flags & (KERNEL_64 | ABOVE_4G) == KERNEL_64 | ABOVE_4G => Start::System,
            PROTECTED_VERSION.. => Start::Protected(field32(CODE_32)?),
            0x0200.. => Start::Real,
            _ => return Err(Error::Unfit("it is older than Linux 2.0")),
        };
        let since = |version: u16, at: usize, before: u32| {
            if protocol >= version { field32(at) } else { Ok(before) }
        };
        Ok(Self {
            version: Self::version(head),
            // Before protocol 2.06 it was not said.
            command_line_size: since(0x0206, COMMAND_LINE_SIZE, 255)? as usize,
            init_size: since(PROTECTED_VERSION, INIT_SIZE, 0)?.into(),
            start,
            protocol,
            setup_size: Self::setup_size(head).ok_or_else(cut)?,
            preferred: since(PROTECTED_VERSION, PREFERRED, 0)?.into(),
            initrd_most: since(0x0203, INITRD_MOST, 0x37FF_FFFF)?,
        })
    }

    fn setup_size(head: &[u8]) -> Option<u64> {
        let sectors = match bytes::u8(head, SETUP_SECTORS)? {
            0 => 4,
            sectors => u64::from(sectors),
        };
        Some((sectors + 1) * SECTOR)
    }

    /// How long the file must be. A signature may follow; the last unit of 16 bytes may be incomplete.
    fn length(head: &[u8]) -> Option<u64> {
        let system = u64::from(bytes::u32(head, SYSTEM_SIZE)?) * 16;
        Some(Self::setup_size(head)? + system.saturating_sub(15))
    }

    fn version(head: &[u8]) -> String {
        let text = || {
            let at = usize::from(bytes::u16(head, KERNEL_VERSION).filter(|at| *at != 0)?);
            let text = head.get(at + SECTOR as usize..)?;
            let end = text.iter().position(|b| !(b' '..=b'~').contains(b))?;
            String::from_utf8(text.get(..end)?.to_vec()).ok()
        };
        text().unwrap_or_default()
    }

    /// Whether it takes a command line.
    ///
    /// # Errors
    /// When it is too long.
    pub fn takes(&self, command_line: &str) -> Result<(), Error> {
        let (has, most) = (command_line.len(), self.command_line_size);
        if has > most { Err(Error::CommandLine { has, most }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: u64 = (27 + 1) * 512 + 0x1000 * 16;

    fn head() -> Vec<u8> {
        let mut head = vec![0; HEAD];
        let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
        put(SETUP_SECTORS, &[27]);
        put(SYSTEM_SIZE, &0x1000_u32.to_le_bytes());
        put(BOOT_FLAG, &[0x55, 0xAA]);
        put(MAGIC, b"HdrS");
        put(VERSION, &0x020F_u16.to_le_bytes());
        put(KERNEL_VERSION, &0x0600_u16.to_le_bytes());
        put(LOAD_FLAGS, &[LOADED_HIGH]);
        put(CODE_32, &0x0010_0000_u32.to_le_bytes());
        put(XLOAD_FLAGS, &(KERNEL_64 | ABOVE_4G).to_le_bytes());
        put(COMMAND_LINE_SIZE, &2047_u32.to_le_bytes());
        put(INIT_SIZE, &0x0300_0000_u32.to_le_bytes());
        put(0x0800, b"6.12.1-amd64 (someone)\0");
        head
    }

    fn with(at: usize, value: u8) -> Vec<u8> {
        let mut head = head();
        head[at] = value;
        head
    }

    #[test]
    fn a_kernel_describes_itself() {
        let kernel = Kernel::parse(&head(), SIZE).unwrap();
        assert_eq!(kernel.version, "6.12.1-amd64 (someone)");
        assert_eq!((kernel.command_line_size, kernel.init_size), (2047, 0x0300_0000));
        assert_eq!(kernel.takes(&"x".repeat(2047)), Ok(()));
        let long = kernel.takes(&"x".repeat(2048));
        assert_eq!(long, Err(Error::CommandLine { has: 2048, most: 2047 }));
    }

    #[test]
    fn what_it_can_decides_how_it_is_started() {
        let start = |head: &[u8]| Kernel::parse(head, SIZE).unwrap().start;
        assert_eq!(start(&head()), Start::System);
        // As memtest86+ is, and a kernel for 32-bit processors.
        assert_eq!(start(&with(XLOAD_FLAGS, 9)), Start::Protected(0x10_0000));
        assert_eq!(start(&with(XLOAD_FLAGS, 0)), Start::Protected(0x10_0000));
        // As iPXE and GRUB are: where newer headers have fields, these have code.
        let old = Kernel::parse(&with(VERSION, 3), SIZE).unwrap();
        assert_eq!((old.start, old.command_line_size, old.init_size), (Start::Real, 255, 0));
        assert_eq!(old.setup_size, 28 * 512);
    }

    #[test]
    fn each_fault_is_named() {
        let error = |head: &[u8], size| Kernel::parse(head, size).unwrap_err();
        assert_eq!(error(b"MZ", 2), Error::NoHeader);
        assert_eq!(error(&with(BOOT_FLAG, 0), SIZE), Error::NoHeader);
        assert_eq!(error(&with(MAGIC, b'h'), SIZE), Error::NoHeader);
        assert!(
            matches!(error(&with(VERSION + 1, 1), SIZE), Error::Unfit(why) if why.contains("2.0"))
        );
        assert!(
            matches!(error(&with(LOAD_FLAGS, 0), SIZE), Error::Unfit(why) if why.contains("zImage"))
        );
        assert_eq!(error(&head(), SIZE - 16), Error::Short { has: SIZE - 16, needs: SIZE - 15 });
        assert!(matches!(error(&head()[..0x230], 0x230), Error::Short { .. }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(noise in proptest::collection::vec(any::<u8>(), 0..2048), size: u64, keep: bool) {
            let mut bytes = noise;
            if keep && bytes.len() > 0x206 {
                bytes[BOOT_FLAG..BOOT_FLAG + 2].copy_from_slice(&[0x55, 0xAA]);
                bytes[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
            }
            let _ = Kernel::parse(&bytes, size);
        }
    }
}
