//! Words to arguments: variables are replaced, patterns become the names that they fit.

use super::{
    device,
    lex::{Part, Word},
    run::{MAX_VALUE, Machine},
};
use crate::{
    files::{Files, Place},
    pattern,
};

/// The most arguments that a command may have.
const MAX_ARGUMENTS: usize = 4096;

/// The most names that a pattern may stand for.
const MAX_NAMES: usize = 1024;

/// An argument while it is made.
#[derive(Default)]
struct Argument {
    text: String,
    /// The same, with `\` before each character that was quoted.
    pattern: String,
    /// Whether there is one, even if it is empty.
    is_there: bool,
}

impl Argument {
    fn push(&mut self, more: &str, quoted: bool) {
        self.is_there = true;
        if self.text.len() + more.len() > MAX_VALUE {
            return;
        }
        self.text.push_str(more);
        if quoted {
            self.pattern.extend(more.chars().flat_map(|c| ['\\', c]));
        } else {
            self.pattern.push_str(&more.replace('\\', "\\\\"));
        }
    }
}

/// The arguments that the words are.
pub(super) fn arguments(machine: &mut Machine<'_>, words: &[Word]) -> Vec<String> {
    let mut all = Vec::new();
    for word in words {
        for argument in split(machine, word) {
            if !machine.spend_bytes(argument.text.len() + 4) {
                return all;
            }
            if pattern::is_pattern(&argument.pattern) {
                let names = names(machine, &argument.pattern);
                if names.is_empty() {
                    all.push(argument.text);
                } else {
                    all.extend(names);
                }
            } else {
                all.push(argument.text);
            }
            if all.len() >= MAX_ARGUMENTS {
                return all;
            }
        }
    }
    all
}

/// A word may be several arguments, or none.
fn split(machine: &mut Machine<'_>, word: &Word) -> Vec<Argument> {
    let mut all = vec![Argument::default()];
    for part in word {
        match part {
            Part::Text { text, quoted } => {
                if let Some(last) = all.last_mut() {
                    last.push(text, *quoted);
                }
            }
            Part::Variable { name, quoted } => {
                let values = machine.values(name, *quoted);
                if !machine.spend_bytes(values.iter().map(|value| value.len() / 4 + 1).sum()) {
                    break;
                }
                for (nth, value) in values.into_iter().enumerate() {
                    if nth > 0 && all.len() < MAX_ARGUMENTS {
                        all.push(Argument::default());
                    }
                    if *quoted {
                        all.last_mut().into_iter().for_each(|last| last.push(&value, true));
                    } else {
                        fields(&value, &mut all);
                    }
                }
            }
        }
    }
    all.retain(|argument| argument.is_there);
    all
}

/// Adds a value whose blanks end arguments.
fn fields(value: &str, all: &mut Vec<Argument>) {
    for (nth, field) in value.split([' ', '\t', '\n']).enumerate() {
        if nth > 0 && all.len() < MAX_ARGUMENTS && all.last().is_some_and(|last| last.is_there) {
            all.push(Argument::default());
        }
        if let (Some(last), false) = (all.last_mut(), field.is_empty()) {
            last.push(field, false);
        }
    }
}

/// The files that a pattern fits, in the order of their names; none when it is no path.
fn names(machine: &mut Machine<'_>, text: &str) -> Vec<String> {
    let bare = text.replace('\\', "");
    let Some((prefix, _)) = device::split(&bare) else { return Vec::new() };
    let Some(root) = machine.device(prefix) else { return Vec::new() };
    let shown = prefix.map(|name| format!("({name})")).unwrap_or_default();
    // The device's name is no pattern.
    let from = prefix.and_then(|_| text.find(')')).map_or(0, |at| at + 1);
    let path = text.get(from..).unwrap_or_default();
    let mut found = vec![String::new()];
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let part = part.strip_suffix('\\').unwrap_or(part);
        let mut next = Vec::new();
        for folder in &found {
            next.extend(within(machine.files, root, folder, part));
            if next.len() > MAX_NAMES || !machine.spend(20) {
                return Vec::new();
            }
        }
        found = next;
    }
    found.into_iter().map(|path| format!("{shown}{path}")).collect()
}

fn within(files: &dyn Files, device: usize, folder: &str, part: &str) -> Vec<String> {
    let path = |name: &str| format!("{folder}/{name}");
    if !pattern::is_pattern(part) {
        let name = part.replace('\\', "");
        let there = files.what(&Place::new(device, &path(&name))).is_some();
        return if there { vec![path(&name)] } else { Vec::new() };
    }
    let names = files.list(&Place::new(device, folder)).into_iter();
    names.filter(|name| pattern::matches(part, name)).map(|name| path(&name)).collect()
}
