//! Turning the machine off and on.

use crate::Kernel;
use rustix::system::{RebootCommand, reboot};
use std::{fs, io};

/// How a session of the machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Reset and boot again.
    Reboot,
    /// Power off, as far as the firmware can.
    PowerOff,
    /// Start the loaded kernel ([`crate::kexec`]).
    Kexec,
}

/// The power switch.
pub trait Power {
    /// Ends the session at once: nothing is stopped, unmounted or written back. Does not return when it
    /// works, so never call it from PID 1 itself: a kernel that cannot power off ends the caller.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn end(&self, how: End) -> io::Result<()>;

    /// Ctrl-Alt-Del no longer resets the machine but sends SIGINT to PID 1.
    ///
    /// # Errors
    /// When not privileged.
    fn catch_ctrl_alt_del(&self) -> io::Result<()>;

    /// Writes every file system's dirty pages to its disk; may block for ever on a dead disk.
    fn sync(&self);
}

impl Power for Kernel {
    fn end(&self, how: End) -> io::Result<()> {
        reboot(match how {
            End::Reboot => RebootCommand::Restart,
            End::PowerOff => RebootCommand::PowerOff,
            End::Kexec => RebootCommand::Kexec,
        })?;
        // Only reached when it could not be done in the regular way: the reset of last resort.
        fs::write("/proc/sysrq-trigger", "b")
    }

    fn catch_ctrl_alt_del(&self) -> io::Result<()> {
        Ok(reboot(RebootCommand::CadOff)?)
    }

    fn sync(&self) {
        rustix::fs::sync();
    }
}
