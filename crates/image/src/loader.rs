//! The boot loaders' configurations: ISOLINUX for BIOS, GRUB for UEFI. Both offer the same two entries on
//! screen and first serial port, and go on by themselves after a second.

/// What every boot has on the kernel's command line. The screen comes first so that, where there is a
/// serial port, it is /dev/console.
pub(crate) const COMMAND_LINE: &str =
    "console=tty0 console=ttyS0,115200n8 panic=10 quiet loglevel=3";

/// What the entry for looking into trouble adds.
const DEBUG: &str = "loglevel=7 ignore_loglevel xenoboot.debug";

pub(crate) fn isolinux(append: &str) -> String {
    let entry = |label: &str, append: &str| {
        format!(
            "LABEL {label}\n  KERNEL /boot/kernel\n  INITRD /boot/base.img,/boot/site.img\n  APPEND {append}\n"
        )
    };
    let line = command_line(append);
    format!(
        "SERIAL 0 115200\nDEFAULT xenoboot\nPROMPT 1\nTIMEOUT 10\nSAY Xenoboot starts in a second. Type debug for a talkative boot.\n{}{}",
        entry("xenoboot", &line),
        entry("debug", &format!("{line} {DEBUG}")),
    )
}

/// `uuid`: the volume in which the kernel is looked for; no other medium will do.
pub(crate) fn grub(append: &str, uuid: &str) -> String {
    let entry = |title: &str, append: &str| {
        format!(
            "menuentry '{title}' {{\n  linux /boot/kernel {append}\n  initrd /boot/base.img /boot/site.img\n}}\n"
        )
    };
    let line = command_line(append);
    format!(
        "search --no-floppy --fs-uuid --set=root {uuid}\n\
         if serial --unit=0 --speed=115200; then\n  terminal_input console serial\n  terminal_output console serial\nfi\n\
         set timeout=1\n{}{}",
        entry("Xenoboot", &line),
        entry("Xenoboot, talkative", &format!("{line} {DEBUG}")),
    )
}

fn command_line(append: &str) -> String {
    format!("{COMMAND_LINE} {append}").trim_end().to_owned()
}
