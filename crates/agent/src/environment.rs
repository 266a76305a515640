//! The environment of programs that the agent starts: scripts, and what operators run on the console.

use crate::context::Context;
use std::ffi::OsString;

/// What all of them get.
#[must_use]
pub fn of_programs(context: &Context) -> Vec<(&'static str, OsString)> {
    let text = |s: &str| OsString::from(s);
    let path = if context.layout.by_hand() { std::env::var_os("PATH") } else { None };
    vec![
        ("PATH", path.unwrap_or_else(|| text("/usr/bin:/usr/sbin:/bin:/sbin"))),
        ("HOME", text("/")),
        ("TERM", text("linux")),
        ("LANG", text("C.UTF-8")),
        // There is no udev: LVM and the like shall make their devices' nodes themselves.
        ("DM_DISABLE_UDEV", text("1")),
        ("XENOBOOT_SOCKET", context.layout.socket().into_os_string()),
        ("XENOBOOT_MACHINE", context.identity.machine.to_string().into()),
        ("XENOBOOT_NAME", text(context.name.as_deref().unwrap_or_default())),
    ]
}
