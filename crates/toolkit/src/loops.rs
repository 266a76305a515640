//! Loop devices, on a machine where the driver may not have been needed so far.

use rustix::io::Errno;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};
use xenoboot_sys::{
    Kernel,
    kmod::Modules,
    loopdev::{self, Attach},
};

/// Attaches a file; loads the driver if there is none.
pub(crate) fn attach(file: &File, how: Attach) -> io::Result<(File, PathBuf)> {
    match loopdev::attach(file, how) {
        Err(Errno::NOENT) => {
            let release = rustix::system::uname().release().to_string_lossy().into_owned();
            let modules = Modules::open(&Path::new("/lib/modules").join(release));
            let modules = modules.map_err(io::Error::other)?;
            modules.load(&Kernel, "loop").map_err(io::Error::other)?;
            Ok(loopdev::attach(file, how)?)
        }
        done => Ok(done?),
    }
}
