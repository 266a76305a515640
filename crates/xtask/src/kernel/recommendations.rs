//! What the Kernel Self-Protection Project recommends, held against the merged configuration.

use super::{config::Config, fragments::option};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};

/// Begins the part of the list with what is not taken.
const NOT_TAKEN: &str = "## Not taken";

/// How many are taken, and how many are not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) taken: usize,
    pub(super) not_taken: usize,
}

/// Checks the list in `folder`.
///
/// # Errors
/// When what it says is taken is not in the configuration, or what it says is not taken is, or has no reason.
pub(super) fn check(folder: &Path, config: &Config) -> Result<Count> {
    let path = folder.join("recommendations.list");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    compare(&text, config).with_context(|| path.display().to_string())
}

fn compare(text: &str, config: &Config) -> Result<Count> {
    let (taken, not_taken) =
        text.split_once(NOT_TAKEN).with_context(|| format!("no {NOT_TAKEN}"))?;
    let mut count = Count { taken: 0, not_taken: 0 };
    for (name, value) in taken.lines().filter_map(option) {
        let found = config.get(&name);
        ensure!(
            found == value.as_ref(),
            "{name} is {} in the configuration",
            found.map_or("not set", String::as_str)
        );
        count.taken += 1;
    }
    let mut reason = false;
    for line in not_taken.lines() {
        if let Some((name, value)) = option(line) {
            ensure!(reason, "{name} is not taken, and nothing above it says why");
            ensure!(config.get(&name) != value.as_ref(), "{name} is said not to be taken, and is");
            count.not_taken += 1;
        }
        reason = line.starts_with("# ") && option(line).is_none();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_and_the_configuration_say_the_same() {
        let config =
            Config::from([("A".to_owned(), "y".to_owned()), ("D".to_owned(), "y".to_owned())]);
        let list = |taken: &str, not: &str| format!("# x\n\n{taken}\n{NOT_TAKEN}\n\n{not}");
        let good = list(
            "CONFIG_A=y\n# CONFIG_B is not set\n",
            "# Why\nCONFIG_C=y\n# Why\n# CONFIG_D is not set\n",
        );
        assert_eq!(compare(&good, &config).unwrap(), Count { taken: 2, not_taken: 2 });
        let said = |text: &str| compare(text, &config).unwrap_err().to_string();
        assert_eq!(said(&list("CONFIG_B=y\n", "")), "B is not set in the configuration");
        assert_eq!(said(&list("# CONFIG_A is not set\n", "")), "A is y in the configuration");
        assert_eq!(said(&list("", "# Why\nCONFIG_A=y\n")), "A is said not to be taken, and is");
        assert!(
            said(&list("", "# Why\nCONFIG_C=y\nCONFIG_E=y\n"))
                .starts_with("E is not taken, and nothing")
        );
        assert!(said("CONFIG_A=y\n").starts_with("no ## Not taken"));
    }
}
