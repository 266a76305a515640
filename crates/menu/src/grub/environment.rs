//! Variables, and the file in which GRUB keeps some from one start to the next.

use std::collections::BTreeMap;

/// The most variables, and bytes of them, that there may be.
const MAX_VARIABLES: usize = 4096;
const MAX_BYTES: usize = 256 << 10;

/// A variable.
#[derive(Clone, Debug, Default)]
struct Variable {
    value: String,
    /// Whether menus within this one see it.
    exported: bool,
}

/// All variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, Variable>,
    bytes: usize,
}

impl Environment {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|variable| variable.value.as_str())
    }

    /// Sets a variable, unless there is too much already.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let old = self.variables.get(name).map_or(0, |old| name.len() + old.value.len());
        let bytes = self.bytes - old + name.len() + value.len();
        if bytes > MAX_BYTES || (self.variables.len() >= MAX_VARIABLES && self.get(name).is_none())
        {
            return;
        }
        self.bytes = bytes;
        value.clone_into(&mut self.variables.entry(name.to_owned()).or_default().value);
    }

    pub(super) fn len(&self) -> usize {
        self.variables.len()
    }

    /// What all of them take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn unset(&mut self, name: &str) {
        if let Some(old) = self.variables.remove(name) {
            self.bytes -= name.len() + old.value.len();
        }
    }

    pub(super) fn export(&mut self, name: &str) {
        if self.get(name).is_none() {
            self.set(name, "");
        }
        if let Some(variable) = self.variables.get_mut(name) {
            variable.exported = true;
        }
    }

    /// What a menu within this one sees.
    pub(super) fn within(&self) -> Self {
        let exported = self.variables.iter().filter(|(_, variable)| variable.exported);
        let variables: BTreeMap<_, _> = exported.map(|(n, v)| (n.clone(), v.clone())).collect();
        let bytes = variables.iter().map(|(n, v)| n.len() + v.value.len()).sum();
        Self { variables, bytes }
    }
}

/// What the first line of an environment file says.
const HEAD: &str = "# GRUB Environment Block\n";

/// The variables of an environment file; `None` when it is none.
pub(super) fn block(text: &str) -> Option<Vec<(String, String)>> {
    let mut rest = text.strip_prefix(HEAD)?;
    let mut pairs = Vec::new();
    while !rest.is_empty() && pairs.len() < MAX_VARIABLES {
        let (line, after) = line(rest);
        rest = after;
        if line.starts_with('#') {
            continue;
        }
        if let Some((name, value)) = line.split_once('=') {
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    Some(pairs)
}

/// The first line, and what follows it. A `\` takes the meaning from what is behind it, also from a line's end.
fn line(text: &str) -> (String, &str) {
    let mut line = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => return (line, text.get(at + 1..).unwrap_or_default()),
            '\\' => line.extend(chars.next().map(|(_, c)| c)),
            c => line.push(c),
        }
    }
    (line, "")
}
