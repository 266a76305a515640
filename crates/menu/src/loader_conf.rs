//! systemd-boot's `loader.conf`.

use crate::{
    entry::Fault,
    files::{self, Files, MAX_SMALL_TEXT, Place, ReadError},
    pattern,
};

/// More faults say nothing new.
const MAX_FAULTS: usize = 20;

/// What it says that counts here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conf {
    /// A pattern for the name of the entry that is started.
    pub(crate) default: Option<String>,
}

/// Reads it from the folder that has `loader` in it. That there is none is no fault.
pub(crate) fn read(files: &dyn Files, boot: &Place, faults: &mut Vec<Fault>) -> Conf {
    let config = boot.join("loader/loader.conf");
    let fault = |line, what: String| Fault { config: config.clone(), line, what };
    let text = match files::text(files, &config, MAX_SMALL_TEXT) {
        Ok(text) => text,
        Err(ReadError::Missing) => return Conf::default(),
        Err(error) => {
            faults.push(fault(0, format!("cannot be read: {error}")));
            return Conf::default();
        }
    };
    let (mut conf, mut told) = (Conf::default(), 0);
    for (nth, line) in text.lines().enumerate() {
        let line = line.trim();
        match line.split_once([' ', '\t']) {
            _ if line.is_empty() || line.starts_with('#') => {}
            Some(("default" | "preferred", pattern)) => {
                conf.default = Some(pattern.trim().to_owned())
            }
            Some(_) => {}
            None if told < MAX_FAULTS => {
                told += 1;
                faults.push(fault(nth + 1, format!("{line:?} has no value")));
            }
            None => {}
        }
    }
    conf
}

/// Whether an entry's name is what `default` says. `@saved` is in the firmware's variables, and not looked up.
pub(crate) fn fits(default: &str, name: &str) -> bool {
    pattern::matches(&default.to_lowercase(), &name.to_lowercase())
}
