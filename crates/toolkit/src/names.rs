//! Users' and groups' names, from `/etc/passwd` and `/etc/group`.

use std::{collections::HashMap, fs};

/// Names by number.
#[derive(Default)]
pub(crate) struct Names {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl Names {
    pub(crate) fn read() -> Self {
        let table = |file| entries(file).into_iter().rev().map(|(name, id)| (id, name)).collect();
        Self { users: table("/etc/passwd"), groups: table("/etc/group") }
    }

    pub(crate) fn user(&self, id: u32) -> Option<&str> {
        self.users.get(&id).map(String::as_str)
    }

    pub(crate) fn group(&self, id: u32) -> Option<&str> {
        self.groups.get(&id).map(String::as_str)
    }
}

/// Numbers by name, for many questions: each name is looked up once.
#[derive(Default)]
pub(crate) struct Numbers {
    users: HashMap<String, Option<u32>>,
    groups: HashMap<String, Option<u32>>,
}

impl Numbers {
    pub(crate) fn uid(&mut self, name: &str) -> Option<u32> {
        once(&mut self.users, name, uid)
    }

    pub(crate) fn gid(&mut self, name: &str) -> Option<u32> {
        once(&mut self.groups, name, gid)
    }
}

fn once(
    known: &mut HashMap<String, Option<u32>>,
    name: &str,
    look: fn(&str) -> Option<u32>,
) -> Option<u32> {
    if let Some(id) = known.get(name) {
        return *id;
    }
    let id = look(name);
    known.insert(name.to_owned(), id);
    id
}

/// The number of a user's name.
pub(crate) fn uid(name: &str) -> Option<u32> {
    number("/etc/passwd", name)
}

/// The number of a group's name.
pub(crate) fn gid(name: &str) -> Option<u32> {
    number("/etc/group", name)
}

fn number(file: &str, name: &str) -> Option<u32> {
    if name.is_empty() {
        return None;
    }
    // The commonest is not worth reading a file for.
    if name == "root" {
        return Some(0);
    }
    entries(file).into_iter().find(|(entry, _)| entry == name).map(|(_, id)| id)
}

fn entries(file: &str) -> Vec<(String, u32)> {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let entry = |line: &str| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    text.lines().filter_map(entry).collect()
}
