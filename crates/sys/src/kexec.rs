//! Starting another kernel from this one (`kexec_file_load(2)`, `kexec_load(2)`).

pub mod entry;

use crate::Kernel;
use rustix::io::Errno;
use std::{
    ffi::CStr,
    fs, io,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd},
};

// linux/kexec.h
const KEXEC_FILE_UNLOAD: libc::c_ulong = 1;
const KEXEC_FILE_NO_INITRAMFS: libc::c_ulong = 4;
const KEXEC_ARCH_X86_64: libc::c_ulong = 62 << 16;
/// More segments `kexec_load` does not take.
pub const MOST_SEGMENTS: usize = 16;

/// What `kexec_load` moves to its place before the kernel starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Where it is to lie; a multiple of a page.
    pub at: u64,
    /// Its bytes.
    pub data: &'a [u8],
    /// Bytes in memory, a multiple of a page and no fewer than `data`; what is left of them is zero.
    pub size: u64,
}

/// A kernel that waits in memory to be started by [`crate::power::End::Kexec`].
pub trait Kexec {
    /// Loads a bzImage, in place of one that is loaded already. The kernel reads the files to their
    /// ends, and on a machine that is locked down verifies the kernel's signature.
    ///
    /// # Errors
    /// `ENOEXEC` for what is no kernel, `ENOMEM` and `EADDRNOTAVAIL` when there is no room, `EPERM` when
    /// it is forbidden, `EKEYREJECTED` and `ENODATA` for a signature, `EBUSY` while another loads.
    fn load(
        &self,
        kernel: BorrowedFd<'_>,
        initrd: Option<BorrowedFd<'_>>,
        command_line: &CStr,
    ) -> io::Result<()>;

    /// Loads segments, in place of a kernel that is loaded already; [`entry::code`], in one of them, is where the
    /// processor goes on. A kernel that is locked down refuses it.
    ///
    /// # Errors
    /// `EPERM`, `ENOMEM`; `EADDRNOTAVAIL` and `EINVAL` for segments out of bounds or in each other's way; `EBUSY`.
    fn load_segments(&self, entry: u64, segments: &[Segment<'_>]) -> io::Result<()>;

    /// Forgets the loaded kernel, if any.
    ///
    /// # Errors
    /// `EPERM`.
    fn unload(&self) -> io::Result<()>;

    /// Whether a kernel is loaded.
    ///
    /// # Errors
    /// When this kernel has no kexec.
    fn loaded(&self) -> io::Result<bool>;
}

impl Kexec for Kernel {
    fn load(
        &self,
        kernel: BorrowedFd<'_>,
        initrd: Option<BorrowedFd<'_>>,
        command_line: &CStr,
    ) -> io::Result<()> {
        let flags = if initrd.is_none() { KEXEC_FILE_NO_INITRAMFS } else { 0 };
        let initrd = initrd.unwrap_or(kernel);
        load(kernel.as_fd(), initrd, command_line, flags)
    }

    fn load_segments(&self, entry: u64, segments: &[Segment<'_>]) -> io::Result<()> {
        let list: Vec<_> = segments.iter().map(Raw::of).collect();
        // SAFETY: the list and all that it points at outlive the call, which only reads them.
        let result = unsafe {
            libc::syscall(libc::SYS_kexec_load, entry, list.len(), list.as_ptr(), KEXEC_ARCH_X86_64)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn unload(&self) -> io::Result<()> {
        let null = fs::File::open("/dev/null")?;
        load(null.as_fd(), null.as_fd(), c"", KEXEC_FILE_UNLOAD | KEXEC_FILE_NO_INITRAMFS)
    }

    fn loaded(&self) -> io::Result<bool> {
        Ok(fs::read("/sys/kernel/kexec_loaded")?.starts_with(b"1"))
    }
}

/// `struct kexec_segment`.
#[repr(C)]
struct Raw {
    data: *const u8,
    length: usize,
    at: u64,
    size: u64,
}

impl Raw {
    fn of(segment: &Segment<'_>) -> Self {
        let Segment { at, data, size } = *segment;
        Self { data: data.as_ptr(), length: data.len(), at, size }
    }
}

fn load(
    kernel: BorrowedFd<'_>,
    initrd: BorrowedFd<'_>,
    command_line: &CStr,
    flags: libc::c_ulong,
) -> io::Result<()> {
    let length = command_line.to_bytes_with_nul().len();
    // SAFETY: the descriptors are open; the kernel reads `length` bytes, a string with its end, and
    // keeps no pointer.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            kernel.as_raw_fd(),
            initrd.as_raw_fd(),
            length,
            command_line.as_ptr(),
            flags,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What a refusal of [`Kexec::load`] means, for people; `None` when the system's own words say it.
#[must_use]
pub fn meaning(error: &io::Error) -> Option<&'static str> {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error)?;
    Some(match errno {
        Errno::NOEXEC => "the running kernel does not take this format",
        Errno::NOMEM | Errno::ADDRNOTAVAIL => "there is not enough memory in one piece",
        Errno::PERM => "the running kernel forbids it (kernel.kexec_load_disabled, lockdown)",
        Errno::KEYREJECTED | Errno::NODATA | Errno::BADMSG | Errno::NOKEY => {
            "the running kernel is locked down and does not accept the new one's signature"
        }
        Errno::BUSY => "another program is loading a kernel",
        Errno::NOSYS => "the running kernel has no kexec",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_explained() {
        let said = |errno: Errno| meaning(&io::Error::from(errno));
        assert!(said(Errno::NOMEM).unwrap().contains("memory"));
        assert!(said(Errno::KEYREJECTED).unwrap().contains("signature"));
        assert_eq!(said(Errno::IO), None);
        assert_eq!(meaning(&io::Error::other("x")), None);
    }
}
