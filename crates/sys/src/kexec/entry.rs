//! The code between this kernel and one that `kexec_file_load` does not take: `entry.s`, with its values filled in.

use std::{arch::global_asm, ptr::addr_of, slice};

global_asm!(include_str!("entry.s"), options(att_syntax));

unsafe extern "C" {
    #[link_name = "xb_kexec_entry"]
    static BEGIN: u8;
    #[link_name = "xb_kexec_entry_end"]
    static END: u8;
}

/// The memory that it takes: itself and its stack, and a page table.
pub const SIZE: usize = 2 * PAGE;

/// Itself and its stack.
const PAGE: usize = 4096;

/// Most copies.
pub const MOST_COPIES: usize = 4;

// Offsets of the values.
const WAY: usize = 8;
const COPIES: usize = 12;
const TARGET: usize = 16;
const EAX: usize = 24;
const EBX: usize = 28;
const RSI: usize = 32;
const SEGMENT: usize = 40;
const STACK: usize = 42;
const LIST: usize = 44;

/// How the processor enters the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// 64 bits, page tables of four levels with which all memory is at its own address: Linux' 64-bit protocol.
    Long {
        /// Where it starts.
        entry: u64,
        /// Its page of parameters.
        parameters: u64,
    },
    /// 32 bits, flat, no paging: Multiboot, Linux' 32-bit protocol.
    Protected {
        /// Where it starts.
        entry: u32,
        /// EAX, EBX and ESI.
        registers: [u32; 3],
    },
    /// 16 bits in real mode, interrupt controllers, timer and screen as a BIOS has them.
    Real {
        /// The segment of its setup code, which starts at its byte 512.
        segment: u16,
        /// The end of its stack in that.
        stack: u16,
    },
}

/// Bytes to copy when paging is off: what the running kernel does not let one read. Not for [`Cpu::Long`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copy {
    /// From this address,
    pub from: u32,
    /// to this,
    pub to: u32,
    /// so many.
    pub length: u32,
}

/// The code, to lie at any page below 4 GiB, for [`Cpu::Real`] below 1 MiB. It starts with its first byte and
/// needs [`SIZE`] bytes. Copies beyond [`MOST_COPIES`] are left out.
#[must_use]
pub fn code(cpu: Cpu, copies: &[Copy]) -> Vec<u8> {
    // SAFETY: both are in one read-only section, and what is between them is the code.
    let mut code = unsafe {
        let begin = addr_of!(BEGIN);
        slice::from_raw_parts(begin, addr_of!(END).addr() - begin.addr()).to_vec()
    };
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = code.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    let way: u32 = match cpu {
        Cpu::Long { entry, parameters } => {
            put(TARGET, &entry.to_le_bytes());
            put(RSI, &parameters.to_le_bytes());
            64
        }
        Cpu::Protected { entry, registers: [eax, ebx, esi] } => {
            put(TARGET, &entry.to_le_bytes());
            for (at, value) in [(EAX, eax), (EBX, ebx), (RSI, esi)] {
                put(at, &value.to_le_bytes());
            }
            32
        }
        Cpu::Real { segment, stack } => {
            put(SEGMENT, &segment.to_le_bytes());
            put(STACK, &stack.to_le_bytes());
            16
        }
    };
    put(WAY, &way.to_le_bytes());
    let copies = copies.iter().take(MOST_COPIES);
    put(COPIES, &u32::try_from(copies.len()).unwrap_or(0).to_le_bytes());
    for (index, copy) in copies.enumerate() {
        let words = [copy.from, copy.to, copy.length].map(u32::to_le_bytes).concat();
        put(LIST + 12 * index, &words);
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(code: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(code[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn values_stand_where_the_code_looks_for_them() {
        let registers = [0x11, 0x22, 0x33];
        let copy = Copy { from: 1, to: 2, length: 3 };
        let code = code(Cpu::Protected { entry: 0x10_0000, registers }, &[copy; 5]);
        // The distance that the first instruction, a jump, goes leads over the values and the list.
        let start = match code[0] {
            0xEB => 2 + usize::from(code[1]),
            0xE9 => 5 + word(&code, 1) as usize,
            other => panic!("{other:#x} is no jump"),
        };
        assert!(start > LIST + 12 * MOST_COPIES && code[start..].starts_with(&[0xfa, 0xfc]));
        let words = [WAY, COPIES, TARGET, EAX, EBX, RSI].map(|at| word(&code, at));
        assert_eq!(words, [32, 4, 0x10_0000, 0x11, 0x22, 0x33]);
        assert_eq!([36, 40, 44].map(|at| word(&code, LIST + at)), [1, 2, 3]);
        assert!(code.len() < PAGE / 2, "{} bytes leave too little for the stack", code.len());
    }

    #[test]
    fn each_way_has_its_own_values() {
        let long = code(Cpu::Long { entry: 0x100_0000, parameters: 0x9000 }, &[]);
        assert_eq!([WAY, TARGET, RSI].map(|at| word(&long, at)), [64, 0x100_0000, 0x9000]);
        let real = code(Cpu::Real { segment: 0x8f00, stack: 0xe000 }, &[]);
        assert_eq!([WAY, SEGMENT].map(|at| word(&real, at)), [16, 0xe000_8f00]);
    }
}
