//! The fragments of `kernel-config/`: options, each under a comment that says why.

use anyhow::{Context, Result, ensure};
use std::{collections::BTreeMap, fs, path::Path};

/// Those that every kernel of ours is made of, in this order.
const ALWAYS: [&str; 6] = ["base", "net-wired", "storage", "filesystems", "virtual", "hardening"];

/// What an option shall be, and the place that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// As in `.config`: `y`, a number, a text in quotes; `None` for "is not set".
    pub(super) value: Option<String>,
    pub(super) place: String,
}

/// Options by name, without `CONFIG_`.
pub(super) type Options = BTreeMap<String, Wanted>;

/// Reads the fragments that are always merged, and `more`: files, or names in `folder`. What these say goes before what the first say.
///
/// # Errors
/// When one cannot be read, an option has no reason, or two fragments disagree.
pub(super) fn load(folder: &Path, more: &[String]) -> Result<Options> {
    let mut all = read(folder, &ALWAYS)?;
    all.extend(read(folder, more)?);
    Ok(all)
}

fn read(folder: &Path, names: &[impl AsRef<str>]) -> Result<Options> {
    let mut all = Options::new();
    for name in names.iter().map(AsRef::as_ref) {
        let own = folder.join(format!("{name}.config"));
        let path = if own.exists() { own } else { Path::new(name).to_path_buf() };
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for (option, wanted) in parse(&text, &path.display().to_string())? {
            if let Some(before) = all.get(&option) {
                ensure!(
                    before.value == wanted.value,
                    "{}: {option} is otherwise in {}",
                    wanted.place,
                    before.place
                );
            }
            all.insert(option, wanted);
        }
    }
    Ok(all)
}

fn parse(text: &str, file: &str) -> Result<Vec<(String, Wanted)>> {
    let mut options: Vec<(String, Wanted)> = Vec::new();
    let mut why = false;
    for (number, line) in (1..).zip(text.lines()) {
        let place = format!("{file}:{number}");
        let Some((name, value)) = option(line) else {
            ensure!(
                line.is_empty() || line.starts_with('#'),
                "{place}: neither an option nor a comment: {line}"
            );
            why = line.starts_with("# ");
            continue;
        };
        ensure!(why, "{place}: {name} has no line above it that says why");
        ensure!(
            value.as_deref() != Some("m"),
            "{place}: {name}: this kernel has no modules of its own; y"
        );
        ensure!(!options.iter().any(|(known, _)| *known == name), "{place}: {name} is there twice");
        options.push((name, Wanted { value, place }));
        why = false;
    }
    Ok(options)
}

/// A line of `.config`: the option and its value, `None` when it is not set.
pub(super) fn option(line: &str) -> Option<(String, Option<String>)> {
    let unset = || line.strip_prefix("# CONFIG_")?.strip_suffix(" is not set");
    let (name, value) = match unset() {
        Some(name) => (name, None),
        None => {
            let (name, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
            (name, Some(value.to_owned()))
        }
    };
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(good)).then(|| (name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_reasons_and_values() {
        let text = "# What\n\n## A part\n\n# Why\nCONFIG_A=y\n# Why not\n# CONFIG_B is not set\n# So many\nCONFIG_C=\"x y\"\n";
        let read = parse(text, "f").unwrap();
        let of = |name: &str| read.iter().find(|(n, _)| n == name).unwrap().1.value.clone();
        assert_eq!(of("A"), Some("y".to_owned()));
        assert_eq!(of("B"), None);
        assert_eq!(of("C"), Some("\"x y\"".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let said = |text: &str| parse(text, "f").unwrap_err().to_string();
        assert_eq!(said("CONFIG_A=y\n"), "f:1: A has no line above it that says why");
        assert_eq!(
            said("# Why\nCONFIG_A=y\nCONFIG_B=y\n"),
            "f:3: B has no line above it that says why"
        );
        assert!(said("# Why\nCONFIG_A=m\n").starts_with("f:2: A: this kernel has no modules"));
        assert_eq!(said("# Why\nCONFIG_A=y\n# Why\nCONFIG_A=y\n"), "f:4: A is there twice");
        assert_eq!(said("# Why\nA=y\n"), "f:2: neither an option nor a comment: A=y");
    }

    #[test]
    fn ones_own_fragment_goes_before_ours_and_not_before_another_of_ones_own() {
        let folder =
            std::env::temp_dir().join(format!("xenoboot-fragments-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        for name in ALWAYS {
            write(&format!("{name}.config"), "# Why\nCONFIG_A=y\n");
        }
        let other = write("other", "# Why not\n# CONFIG_A is not set\n");
        let third = write("third", "# Why\nCONFIG_A=5\n");
        let value = |more: &[String]| load(&folder, more).map(|all| all["A"].value.clone());
        assert_eq!(value(&[]).unwrap(), Some("y".to_owned()));
        assert_eq!(value(std::slice::from_ref(&other)).unwrap(), None);
        let error = value(&[other, third]).unwrap_err().to_string();
        assert!(error.contains("third:2: A is otherwise in "), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
