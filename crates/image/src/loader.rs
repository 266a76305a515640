//! The boot loaders' configurations: ISOLINUX for BIOS, GRUB for UEFI. Both show on the screen and on the
//! first serial port, offer a talkative boot, and go on by themselves after a second. Neither ever waits
//! for a key: a noisy serial line or a medium that could not be read must not stop a machine.

use anyhow::{Result, ensure};

/// What every boot has on the kernel's command line. The screen comes first so that, where there is a
/// serial port, it is /dev/console. On a single processor the kernel would take out of itself what only several need, at
/// some ten thousand places: it gains next to nothing by that, and where the processor is emulated half a second goes by.
pub(crate) const COMMAND_LINE: &str = "console=tty0 console=ttyS0,115200n8 panic=10 watchdog.stop_on_reboot=0 \
     noreplace-smp quiet loglevel=3";

/// What the entry for looking into trouble adds.
const DEBUG: &str = "loglevel=7 ignore_loglevel xenoboot.debug";

/// The whole command line, when `append` holds nothing that a loader would take for more than a word. init is told
/// how much `memory` in MB the image needs: where there is less, it may be all that arrives.
pub(crate) fn command_line(memory: u64, append: &str) -> Result<String> {
    let harmless = |c: char| c.is_ascii_graphic() && !"\"'\\$;{}#|&<>`".contains(c) || c == ' ';
    ensure!(
        append.chars().all(harmless),
        "the command line {append:?} has a character with which the boot loaders cannot deal"
    );
    Ok(format!("{COMMAND_LINE} xenoboot.memory={memory} {append}").trim_end().to_owned())
}

/// What is said first. With far too little memory the kernel comes to its end before init can say what is needed: then this
/// is the last line that a person can make something of.
fn greeting(memory: u64) -> String {
    format!("Xenoboot needs {memory} MB of memory. It starts in a second.")
}

/// TIMEOUT, in tenths of a second, ends with the first key; TOTALTIMEOUT does not. What it is to SAY reaches the screen, and no
/// serial port. `memory` in MB is what the image needs.
pub(crate) fn isolinux(memory: u64, line: &str) -> String {
    let entry = |label: &str, line: &str| {
        format!(
            "LABEL {label}\n  KERNEL /boot/kernel\n  INITRD /boot/base.img,/boot/site.img\n  APPEND {line}\n"
        )
    };
    format!(
        "SERIAL 0 115200\nDEFAULT xenoboot\nPROMPT 1\nTIMEOUT 10\nTOTALTIMEOUT 300\nONERROR reboot.c32\n\
         SAY {}\nSAY Type debug for a talkative boot.\n{}{}",
        greeting(memory),
        entry("xenoboot", line),
        entry("debug", &format!("{line} {DEBUG}")),
    )
}

/// `uuid`: the volume in which the kernel is looked for; no other medium will do. A script and no menu,
/// because a menu, once a key was pressed, waits for ever. `memory` as above.
pub(crate) fn grub(memory: u64, line: &str, uuid: &str) -> String {
    let boot = |line: &str| {
        format!(
            "  if linux /boot/kernel {line}; then\n    if initrd /boot/base.img /boot/site.img; then\n      boot\n    fi\n  fi\n"
        )
    };
    format!(
        "search --no-floppy --fs-uuid --set=root {uuid}\n\
         if serial --unit=0 --speed=115200; then\n  terminal_input console serial\n  terminal_output console serial\nfi\n\
         echo '{} Press Esc for a talkative boot.'\n\
         if sleep --interruptible 1; then\n{}else\n{}fi\n\
         echo 'The boot medium could not be read. The machine restarts in 30 s.'\n\
         sleep 30\nreboot\n",
        greeting(memory),
        boot(line),
        boot(&format!("{line} {DEBUG}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_kernel_as_they_are() {
        let line = command_line(112, "xenoboot.debug usbcore.autosuspend=-1").unwrap();
        assert!(
            line.ends_with("loglevel=3 xenoboot.memory=112 xenoboot.debug usbcore.autosuspend=-1")
        );
        assert_eq!(command_line(256, "").unwrap(), format!("{COMMAND_LINE} xenoboot.memory=256"));
        for bad in ["a;b", "a\nLABEL b", "$x", "'", "{", "ä", "a#b", "a\tb"] {
            assert!(command_line(1, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_loader_waits_for_ever() {
        let isolinux = isolinux(112, "words");
        assert!(isolinux.contains("needs 112 MB of memory"));
        for line in ["TIMEOUT 10\n", "TOTALTIMEOUT 300\n", "ONERROR reboot.c32\n"] {
            assert!(isolinux.contains(line), "{line}");
        }
        let grub = grub(112, "words", "2026-01-01-00-00-00-00");
        assert!(grub.contains("needs 112 MB of memory"));
        assert!(!grub.contains("menuentry"));
        assert!(grub.ends_with("sleep 30\nreboot\n"));
    }
}
