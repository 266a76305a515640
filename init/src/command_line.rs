//! The kernel's command line, as far as it concerns init. Whoever can change it owns the machine
//! anyway; nothing here is trusted with anything that matters to security.

use std::fs;

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// `xenoboot.debug`: the kernel's messages and ours go to the consoles.
    pub(crate) debug: bool,
    /// `xenoboot.agent=PATH`: another agent.
    pub(crate) agent: Option<String>,
    /// `console=NAME[,OPTIONS]`, in order, without the options.
    pub(crate) consoles: Vec<String>,
    /// Whether `panic=` says what the kernel shall do after its own panic.
    pub(crate) panic: bool,
    /// Whether `printk.devkmsg=` says who may write how much to the kernel's log.
    pub(crate) devkmsg: bool,
    /// `xenoboot.memory=MB`: how much the image needs.
    pub(crate) memory: Option<u64>,
    /// All words.
    pub(crate) words: Vec<String>,
}

impl CommandLine {
    /// Reads `/proc/cmdline`; empty when it cannot be read.
    pub(crate) fn read() -> Self {
        Self::parse(&fs::read_to_string("/proc/cmdline").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut line = Self { words: split(text), ..Self::default() };
        for word in &line.words {
            match word.split_once('=') {
                None if word == "xenoboot.debug" => line.debug = true,
                Some(("xenoboot.debug", value)) => line.debug = value != "0",
                Some(("xenoboot.agent", path)) if path.starts_with('/') => {
                    line.agent = Some(path.to_owned());
                }
                Some(("console", device)) => {
                    let name = device.split(',').next().unwrap_or(device);
                    line.consoles.push(name.to_owned());
                }
                Some(("xenoboot.memory", value)) => line.memory = value.parse().ok(),
                Some(("panic", _)) => line.panic = true,
                Some(("printk.devkmsg", _)) => line.devkmsg = true,
                _ => {}
            }
        }
        line
    }
}

/// Words are separated by blanks; double quotes keep blanks, as in the kernel's `next_arg`.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_matter() {
        let line = CommandLine::parse(
            "BOOT_IMAGE=/vmlinuz console=tty0 console=ttyS0,115200n8 xenoboot.debug \
             xenoboot.agent=/bin/other xenoboot.memory=112 dyndbg=\"file a b\" panic=0 \
             printk.devkmsg=on\n",
        );
        assert!(line.debug && line.panic && line.devkmsg);
        assert_eq!(line.agent.as_deref(), Some("/bin/other"));
        assert_eq!(line.consoles, ["tty0", "ttyS0"]);
        assert_eq!(line.memory, Some(112));
        assert!(line.words.contains(&"dyndbg=file a b".to_owned()));
    }

    #[test]
    fn what_is_not_said_is_off() {
        let line =
            CommandLine::parse("xenoboot.debug=0 xenoboot.agent=relative xenoboot.memory=much");
        assert!(!line.debug && !line.panic && !line.devkmsg);
        assert_eq!((line.agent, line.memory), (None, None));
        assert_eq!(CommandLine::parse(""), CommandLine::default());
    }
}
