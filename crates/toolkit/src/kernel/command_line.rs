//! The new kernel's command line: as given, with what is taken over from the running kernel's.

use std::fs;

/// What is to be on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandLine {
    /// The text given.
    pub(crate) text: String,
    /// It begins with the running kernel's.
    pub(crate) reuse: bool,
    /// The running kernel's consoles are not handed on.
    pub(crate) no_consoles: bool,
}

impl CommandLine {
    /// For Linux, and for what reads `console=` as Linux does: where none is given, the running kernel's follow.
    pub(crate) fn for_linux(&self) -> String {
        let ours = fs::read_to_string("/proc/cmdline").unwrap_or_default();
        self.complete(&ours, !self.no_consoles)
    }

    /// For what is not Linux: what was given.
    pub(crate) fn for_others(&self) -> String {
        self.text.trim().to_owned()
    }

    fn complete(&self, ours: &str, consoles: bool) -> String {
        let mut words = Vec::new();
        if self.reuse {
            // The loader's own words say nothing to another kernel.
            let foreign =
                |word: &&str| !word.starts_with("BOOT_IMAGE=") && !word.starts_with("initrd=");
            words.extend(ours.split_whitespace().filter(foreign));
        }
        words.extend([self.text.trim()].into_iter().filter(|text| !text.is_empty()));
        let has_console = words.iter().flat_map(|text| text.split_whitespace()).any(is_console);
        if consoles && !has_console {
            words.extend(ours.split_whitespace().filter(|word| is_console(word)));
        }
        words.join(" ")
    }
}

fn is_console(word: &str) -> bool {
    word.starts_with("console=")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str =
        "BOOT_IMAGE=/boot/kernel quiet initrd=/a console=tty0 console=ttyS0,115200\n";

    fn line(text: &str, reuse: bool) -> CommandLine {
        CommandLine { text: text.to_owned(), reuse, no_consoles: false }
    }

    #[test]
    fn consoles_are_handed_on_unless_given() {
        let given = line(" root=/dev/sda2 ro ", false);
        assert_eq!(
            given.complete(OURS, true),
            "root=/dev/sda2 ro console=tty0 console=ttyS0,115200"
        );
        assert_eq!(given.complete(OURS, false), "root=/dev/sda2 ro");
        assert_eq!(line("a console=ttyS1", false).complete(OURS, true), "a console=ttyS1");
        assert_eq!(line("", false).complete(OURS, false), "");
    }

    #[test]
    fn the_running_kernels_words_come_first_without_the_loaders() {
        let whole = line("second=1", true).complete(OURS, true);
        assert_eq!(whole, "quiet console=tty0 console=ttyS0,115200 second=1");
    }
}
