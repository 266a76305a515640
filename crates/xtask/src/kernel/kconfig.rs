//! What an option depends on, from the kernel's Kconfig files (kernel: Documentation/kbuild/kconfig-language.rst).

use std::{fs, path::Path};

/// Where `option` is defined in the tree and what it depends on there, a line each.
pub(super) fn needs(tree: &Path, option: &str) -> Vec<String> {
    let mut found = Vec::new();
    visit(tree, tree, option, &mut found);
    if found.is_empty() {
        found.push("no Kconfig file defines it".to_owned());
    }
    found
}

fn visit(tree: &Path, folder: &Path, option: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            visit(tree, &path, option, found);
        } else if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("Kconfig"))
            && let Ok(text) = fs::read_to_string(&path)
        {
            let file = path.strip_prefix(tree).unwrap_or(&path).display().to_string();
            found.extend(in_text(&text, option).into_iter().map(|line| format!("{file}: {line}")));
        }
    }
}

/// The conditions around and in each definition of `option`.
fn in_text(text: &str, option: &str) -> Vec<String> {
    let mut around: Vec<Vec<String>> = Vec::new();
    let mut found = Vec::new();
    let (mut here, mut in_menu) = (false, false);
    for line in text.lines() {
        let (word, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        match word {
            "config" | "menuconfig" | "choice" | "comment" | "menu" | "if" | "endif"
            | "endmenu" | "endchoice" | "source" => {
                (here, in_menu) = (false, word == "menu");
                match word {
                    "config" | "menuconfig" if rest == option => {
                        here = true;
                        found.extend(around.iter().flatten().cloned());
                        if around.iter().all(Vec::is_empty) {
                            found.push("is defined here".to_owned());
                        }
                    }
                    "if" => around.push(vec![format!("if {rest}")]),
                    "menu" => around.push(Vec::new()),
                    "endif" | "endmenu" => drop(around.pop()),
                    _ => {}
                }
            }
            "depends" if here => found.push(format!("depends {rest}")),
            "depends" if in_menu => {
                if let Some(menu) = around.last_mut() {
                    menu.push(format!("depends {rest}"));
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_around_and_within_are_found() {
        let text = "menu \"M\"\n\tdepends on NET\n\nif VENDOR\nconfig A\n\ttristate \"A\"\n\tdepends on PCI && \\\n\t  X\nconfig B\n\tbool\n\tdepends on Y\nendif\nconfig C\n\tbool\nendmenu\nconfig D\n\tbool\n";
        assert_eq!(in_text(text, "A"), ["depends on NET", "if VENDOR", "depends on PCI && \\"]);
        assert_eq!(in_text(text, "B"), ["depends on NET", "if VENDOR", "depends on Y"]);
        assert_eq!(in_text(text, "C"), ["depends on NET"]);
        assert_eq!(in_text(text, "D"), ["is defined here"]);
        assert!(in_text(text, "E").is_empty());
    }
}
