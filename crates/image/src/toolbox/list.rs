//! The list that an operator edits.

use anyhow::{Result, ensure};
use std::path::{Component, Path};

/// The list, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Packages that are wanted.
    pub packages: Vec<String>,
    /// Packages that are left out though others depend on them.
    pub without: Vec<String>,
    /// Symbolic links: path, and where it leads.
    pub(super) links: Vec<(String, String)>,
    /// Files and folders that are left out.
    pub(super) unwanted: Vec<String>,
}

impl List {
    /// Reads a list: see `toolbox/packages.list` for its lines.
    ///
    /// # Errors
    /// When a line is none of these; with its number.
    pub fn parse(text: &str) -> Result<Self> {
        let mut list = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let fits = line.is_empty() || list.read(line);
            ensure!(fits, "line {}: {line:?} is not what a line can be", number + 1);
        }
        ensure!(!list.packages.is_empty(), "no package is listed");
        Ok(list)
    }

    fn read(&mut self, line: &str) -> bool {
        if let Some((path, target)) = line.split_once(" -> ") {
            self.links.push((path.trim().to_owned(), target.trim().to_owned()));
            return is_inside(path.trim()) && !target.trim().is_empty();
        }
        if let Some(path) = line.strip_prefix('!') {
            self.unwanted.push(path.trim().to_owned());
            return is_inside(path.trim());
        }
        let (names, name) = match line.strip_prefix('-') {
            Some(name) => (&mut self.without, name.trim()),
            None => (&mut self.packages, line),
        };
        names.push(name.to_owned());
        is_package(name)
    }

    /// Whether a path below the root is left out.
    pub(super) fn leaves_out(&self, path: &Path) -> bool {
        self.unwanted.iter().any(|unwanted| path.starts_with(unwanted))
    }
}

/// Debian Policy, 5.6.7: it becomes a word of a command.
fn is_package(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain)
}

fn is_inside(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_list_is_one() {
        let list = List::parse(include_str!("../../../../toolbox/packages.list")).unwrap();
        assert!(list.packages.contains(&"xfsprogs".to_owned()));
        assert!(list.without.contains(&"systemd".to_owned()));
        assert!(list.leaves_out(Path::new("usr/share/man/man8/mkfs.xfs.8.gz")));
        assert!(!list.leaves_out(Path::new("usr/share/manual")));
        assert!(list.links.contains(&("etc/mtab".into(), "/proc/self/mounts".into())));
    }

    #[test]
    fn other_lines_are_refused_with_their_number() {
        for bad in ["-o=x", "A", "a b", "x", "!/etc", "!a/../b", "../x -> y", "!", "-"] {
            let text = format!("good\n\n{bad}\n");
            let error = List::parse(&text).unwrap_err().to_string();
            assert!(error.contains("line 3"), "{bad}: {error}");
        }
        assert!(List::parse("# nothing\n").is_err());
    }
}
