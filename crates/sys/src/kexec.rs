//! Starting another kernel from this one (`kexec_file_load(2)`).

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

    fn unload(&self) -> io::Result<()> {
        let null = fs::File::open("/dev/null")?;
        load(null.as_fd(), null.as_fd(), c"", KEXEC_FILE_UNLOAD | KEXEC_FILE_NO_INITRAMFS)
    }

    fn loaded(&self) -> io::Result<bool> {
        Ok(fs::read("/sys/kernel/kexec_loaded")?.starts_with(b"1"))
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
