//! The processor's own clock, read by the script: it has run since power-on.

use anyhow::{Context, Result};

/// An ELF program that writes the time-stamp counter, 8 bytes, to its standard output. No shell command tells it.
pub(crate) fn program() -> Vec<u8> {
    // rdtsc; shl rdx, 32; or rax, rdx; push rax; write(1, rsp, 8); exit(0)
    const CODE: &[u8] = &[
        0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0x50, 0xbf, 1, 0, 0, 0, 0x48, 0x89,
        0xe6, 0xba, 8, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f,
        0x05,
    ];
    const HEADERS: u64 = 64 + 56;
    const BASE: u64 = 0x40_0000;
    let size = HEADERS + CODE.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    // ET_EXEC, EM_X86_64, EV_CURRENT
    elf.extend([2, 0, 0x3e, 0, 1, 0, 0, 0]);
    // e_entry, e_phoff, e_shoff
    elf.extend([BASE + HEADERS, 64, 0].map(u64::to_le_bytes).concat());
    // e_flags; e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
    elf.extend([0; 4]);
    elf.extend([64, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
    // PT_LOAD, PF_R | PF_X
    elf.extend([1, 5].map(u32::to_le_bytes).concat());
    // p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
    elf.extend([0, BASE, BASE, size, size, 0x1000].map(u64::to_le_bytes).concat());
    elf.extend(CODE);
    elf
}

/// Seconds since power-on, of what `od -A n -t u8` said of the counter after `mark`. By the clock that counts instructions
/// it goes on by one a nanosecond.
pub(crate) fn seconds(console: &str, mark: &str) -> Result<f64> {
    let number = |line: &str| line.split_once(mark)?.1.trim().parse::<u64>().ok();
    let count = console.lines().find_map(number).context("the script did not tell the time")?;
    Ok(count as f64 / 1e9)
}
