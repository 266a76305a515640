//! Merges fragments over `allnoconfig` by the kernel's own means, and holds the result against what was asked for.

use super::{
    fragments::{self, Options, Wanted},
    kconfig,
};
use crate::run::check;
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Options that are set, with their values.
pub(super) type Config = BTreeMap<String, String>;

/// Merges `options` into `folder/.config`, with the Kconfig files of `tree`; returns its path and what is set.
///
/// # Errors
/// When an option is not in the result as it was asked for; each is named with what it depends on.
pub(super) fn merge(tree: &Path, folder: &Path, options: &Options) -> Result<(PathBuf, Config)> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let all = folder.join("fragments.config");
    fs::write(&all, text(options))?;
    let mut make = Command::new("make");
    make.arg("-s").arg("-C").arg(tree).arg(format!("O={}", folder.display()));
    make.arg("allnoconfig").env("KCONFIG_ALLCONFIG", &all).stdout(Stdio::null());
    check(&mut make)?;
    let path = folder.join(".config");
    let config = read(&fs::read_to_string(&path).with_context(|| path.display().to_string())?);
    let lacking = lacking(options, &config);
    let mut report = String::new();
    for (name, wanted) in &lacking {
        let got = config.get(*name).map_or("not set", String::as_str);
        writeln!(report, "{}: {name} is {got} in the result; it needs", wanted.place)?;
        for need in kconfig::needs(tree, name) {
            writeln!(report, "    {need}")?;
        }
    }
    ensure!(
        lacking.is_empty(),
        "{} options are not as they were asked for\n{report}",
        lacking.len()
    );
    Ok((path, config))
}

/// The fragments as one, in the kernel's form.
pub(super) fn text(options: &Options) -> String {
    let line = |(name, wanted): (&String, &Wanted)| match &wanted.value {
        Some(value) => format!("CONFIG_{name}={value}\n"),
        None => format!("# CONFIG_{name} is not set\n"),
    };
    options.iter().map(line).collect()
}

fn read(text: &str) -> Config {
    let set = |line| fragments::option(line).and_then(|(name, value)| Some((name, value?)));
    text.lines().filter_map(set).collect()
}

fn lacking<'a>(options: &'a Options, config: &Config) -> Vec<(&'a String, &'a Wanted)> {
    options.iter().filter(|(name, wanted)| config.get(*name) != wanted.value.as_ref()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_result_is_found() {
        let wanted =
            |value: Option<&str>| Wanted { value: value.map(str::to_owned), place: "f:1".into() };
        let options = Options::from([
            ("A".to_owned(), wanted(Some("y"))),
            ("B".to_owned(), wanted(Some("y"))),
            ("C".to_owned(), wanted(None)),
            ("D".to_owned(), wanted(None)),
            ("E".to_owned(), wanted(Some("5"))),
        ]);
        let config = read("# x\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=y\nCONFIG_E=4\n");
        let names: Vec<_> = lacking(&options, &config).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["B", "D", "E"]);
        assert!(text(&options).starts_with("CONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n"));
    }
}
