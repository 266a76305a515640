//! Setup code that is started in real mode, as a BIOS loader does (kernel: `Documentation/arch/x86/boot.rst`, "Loading
//! the rest of the kernel" and "Running the kernel").

use crate::{
    bytes,
    linux::{Kernel, LOAD_FLAGS},
};

/// What the setup code may use: its own 64 KiB, and the command line behind them.
pub const HEAP_END: u16 = 0xE000;
/// The setup code must leave so much of that to heap and stack.
const LEAST_HEAP: usize = 0x2000;
/// Where the rest of the file lies.
pub const LOAD: u32 = 0x10_0000;

const LOADER: usize = 0x210;
const RAMDISK: usize = 0x218;
const HEAP_END_POINTER: usize = 0x224;
const COMMAND_LINE: usize = 0x228;
const CAN_USE_HEAP: u8 = 0x80;
/// Before protocol 2.02: a mark, and where the command line is from the setup code on.
const OLD_COMMAND_LINE: usize = 0x20;
const OLD_MARK: u16 = 0xA33F;

/// Why setup code cannot be prepared.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Setup code, heap and stack have one segment of 64 KiB.
    #[error("its setup code of {0} bytes leaves no room for heap and stack")]
    TooLong(usize),
}

/// Bytes from the setup code's first one to the command line's last.
#[must_use]
pub fn size(line: &str) -> u64 {
    u64::from(HEAP_END) + line.len() as u64 + 1
}

/// The setup code as it is to lie at `base`, a multiple of 16 below 1 MiB, with heap, stack and command line.
///
/// # Errors
/// When it does not fit.
pub fn setup(
    kernel: &Kernel,
    code: &[u8],
    base: u32,
    line: &str,
    initrd: Option<(u32, u32)>,
) -> Result<Vec<u8>, Error> {
    if code.len() > usize::from(HEAP_END) - LEAST_HEAP {
        return Err(Error::TooLong(code.len()));
    }
    let mut all = code.to_vec();
    bytes::put(&mut all, LOADER, &[0xFF]);
    if let Some((at, length)) = initrd {
        bytes::put(&mut all, RAMDISK, &[at, length].map(u32::to_le_bytes).concat());
    }
    if kernel.protocol >= 0x0201 {
        bytes::put(&mut all, HEAP_END_POINTER, &(HEAP_END - 0x200).to_le_bytes());
        let flags = bytes::u8(&all, LOAD_FLAGS).unwrap_or(0) | CAN_USE_HEAP;
        bytes::put(&mut all, LOAD_FLAGS, &[flags]);
    }
    if kernel.protocol >= 0x0202 {
        bytes::put(&mut all, COMMAND_LINE, &(base + u32::from(HEAP_END)).to_le_bytes());
    } else {
        bytes::put(&mut all, OLD_COMMAND_LINE, &OLD_MARK.to_le_bytes());
        bytes::put(&mut all, OLD_COMMAND_LINE + 2, &HEAP_END.to_le_bytes());
    }
    all.resize(usize::from(HEAP_END), 0);
    all.extend(line.bytes());
    all.push(0);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::Start;

    fn kernel(protocol: u16) -> Kernel {
        Kernel {
            version: String::new(),
            command_line_size: 255,
            init_size: 0,
            start: Start::Real,
            protocol,
            setup_size: 1024,
            preferred: 0,
            initrd_most: u32::MAX,
        }
    }

    #[test]
    fn setup_code_finds_command_line_and_disk() {
        let all = setup(&kernel(0x0207), &[9; 1024], 0x8_f000, "shell", Some((5, 6))).unwrap();
        assert_eq!(all.len() as u64, size("shell"));
        assert_eq!(bytes::u32(&all, COMMAND_LINE), Some(0x8_f000 + 0xe000));
        assert_eq!(&all[0xe000..], b"shell\0");
        assert_eq!((bytes::u32(&all, RAMDISK), bytes::u32(&all, RAMDISK + 4)), (Some(5), Some(6)));
        assert_eq!((bytes::u16(&all, HEAP_END_POINTER), all[LOAD_FLAGS]), (Some(0xde00), 0x89));
        assert_eq!((all[1023], all[1024]), (9, 0));
    }

    #[test]
    fn old_setup_code_finds_it_where_it_looks() {
        let all = setup(&kernel(0x0200), &[0; 1024], 0x8_f000, "", None).unwrap();
        assert_eq!(bytes::u16(&all, OLD_COMMAND_LINE), Some(OLD_MARK));
        assert_eq!((bytes::u16(&all, 0x22), all[LOAD_FLAGS]), (Some(HEAP_END), 0));
        let long = setup(&kernel(0x0207), &vec![0; 0xc001], 0, "", None);
        assert_eq!(long, Err(Error::TooLong(0xc001)));
    }
}
