//! Signals by name and number.

use rustix::process::Signal;

/// Names as in signal(7), without `SIG`.
const NAMES: &[(&str, Signal)] = &[
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ILL", Signal::ILL),
    ("TRAP", Signal::TRAP),
    ("ABRT", Signal::ABORT),
    ("BUS", Signal::BUS),
    ("FPE", Signal::FPE),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("SEGV", Signal::SEGV),
    ("USR2", Signal::USR2),
    ("PIPE", Signal::PIPE),
    ("ALRM", Signal::ALARM),
    ("TERM", Signal::TERM),
    ("STKFLT", Signal::STKFLT),
    ("CHLD", Signal::CHILD),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
    ("TTIN", Signal::TTIN),
    ("TTOU", Signal::TTOU),
    ("URG", Signal::URG),
    ("XCPU", Signal::XCPU),
    ("XFSZ", Signal::XFSZ),
    ("VTALRM", Signal::VTALARM),
    ("PROF", Signal::PROF),
    ("WINCH", Signal::WINCH),
    ("IO", Signal::IO),
    ("PWR", Signal::POWER),
    ("SYS", Signal::SYS),
];

/// The signal that a person means by `KILL`, `sigkill` or `9`.
pub(crate) fn parse(text: &str) -> Option<Signal> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = name.parse::<i32>().ok();
    NAMES
        .iter()
        .find(|(known, signal)| *known == name || Some(signal.as_raw()) == number)
        .map(|(_, signal)| *signal)
}

/// The name of a number.
pub(crate) fn name(number: i32) -> Option<String> {
    let named = NAMES.iter().find(|(_, signal)| signal.as_raw() == number);
    named.map(|(name, _)| (*name).to_owned())
}

/// All names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// The name of the signal in `-KILL` or `-9`, if the argument is that and not a group of options.
pub(crate) fn of_option(arg: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(arg).ok()?.strip_prefix('-')?;
    parse(name).map(|_| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for text in ["KILL", "sigkill", "9", "SIGKILL"] {
            assert_eq!(parse(text), Some(Signal::KILL), "{text}");
        }
        assert_eq!(parse("0"), None);
        assert_eq!(parse("NOPE"), None);
        assert_eq!(of_option(b"-STOP"), Some("STOP"));
        assert_eq!(of_option(b"-x"), None);
        assert_eq!(of_option(b"STOP"), None);
    }
}
