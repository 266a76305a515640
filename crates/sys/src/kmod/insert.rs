//! Giving a module's file to the kernel.

use crate::Kernel;
use rustix::io::Errno;
use std::{
    ffi::{CStr, CString},
    fs::{self, File},
    io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// Puts a module into the kernel.
pub trait Insert {
    /// Inserts the module in `file` with `parameters` (`name=value name=value`). Waits until its
    /// initialisation is over. The kernel decompresses it.
    ///
    /// # Errors
    /// `EEXIST` when it is there already, `ENODEV` when it found no hardware, and others.
    fn insert(&self, file: &Path, parameters: &str) -> io::Result<()>;
}

impl Insert for Kernel {
    fn insert(&self, file: &Path, parameters: &str) -> io::Result<()> {
        const COMPRESSED: i32 = 4; // MODULE_INIT_COMPRESSED_FILE, linux/module.h, Linux 5.17
        let compressed = file.extension().is_some_and(|e| e != "ko");
        let parameters = CString::new(parameters)?;
        if !compressed && let Some(result) = insert_unverified(file, &parameters) {
            return result;
        }
        let flags = if compressed { COMPRESSED } else { 0 };
        Ok(rustix::system::finit_module(File::open(file)?, &parameters, flags)?)
    }
}

/// Set once the kernel has insisted on signatures (it is locked down, as after Secure Boot).
static SIGNATURES_NEEDED: AtomicBool = AtomicBool::new(false);

/// Inserts an unpacked module without its signature. `None` when there is none, or when the kernel
/// insists on it.
///
/// The module comes from the same initramfs as this program: whoever can change the one can change the
/// other, so that the signature tells nothing, and verifying it takes the kernel longer than starting
/// most drivers.
fn insert_unverified(file: &Path, parameters: &CStr) -> Option<io::Result<()>> {
    if SIGNATURES_NEEDED.load(Ordering::Relaxed) {
        return None;
    }
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(e) => return Some(Err(e)),
    };
    let result = rustix::system::init_module(without_signature(&bytes)?, parameters);
    // Lockdown; module.sig_enforce.
    if matches!(result, Err(Errno::PERM | Errno::KEYREJECTED)) {
        SIGNATURES_NEEDED.store(true, Ordering::Relaxed);
        return None;
    }
    Some(result.map_err(io::Error::from))
}

/// A module without the signature appended to it (kernel: Documentation/admin-guide/module-signing.rst,
/// `struct module_signature`); `None` when it has none.
fn without_signature(module: &[u8]) -> Option<&[u8]> {
    let rest = module.strip_suffix(b"~Module signature appended~\n")?;
    let (rest, about) = rest.split_last_chunk::<12>()?;
    let [.., a, b, c, d] = *about;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    rest.get(..rest.len().checked_sub(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signed(module: &[u8], signature: &[u8], length: u32) -> Vec<u8> {
        let about = [0, 0, 2, 0, 0, 0, 0, 0];
        let length = length.to_be_bytes();
        [module, signature, &about, &length, b"~Module signature appended~\n"].concat()
    }

    #[test]
    fn the_signature_is_cut_off() {
        let module = signed(b"\x7fELF and code", b"PKCS#7", 6);
        assert_eq!(without_signature(&module), Some(&b"\x7fELF and code"[..]));
        assert_eq!(without_signature(b"\x7fELF and code"), None);
        let too_long = signed(b"ELF", b"PKCS#7", 10);
        assert_eq!(without_signature(&too_long), None);
    }

    proptest! {
        #[test]
        fn any_end_is_survived(noise: Vec<u8>, length: u32) {
            if let Some(module) = without_signature(&signed(&noise, b"", length)) {
                prop_assert!(noise.starts_with(module));
            }
        }
    }
}
