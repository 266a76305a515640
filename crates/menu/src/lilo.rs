//! `lilo.conf`.

use crate::{
    entry::{Entry, Fault, Kind, Loader, Menu},
    files::{self, Files, MAX_SMALL_TEXT, Place},
};

/// The most entries.
const MAX_ENTRIES: usize = 200;

/// The settings of all entries, or of one.
#[derive(Clone, Debug, Default)]
struct Section {
    image: Option<String>,
    label: String,
    root: Option<String>,
    append: Option<String>,
    more: Option<String>,
    literal: Option<String>,
    initrd: Option<String>,
    read_only: Option<bool>,
    line: usize,
}

/// Reads a configuration.
pub(crate) fn evaluate(files: &dyn Files, config: &Place) -> Menu {
    let mut menu = Menu::default();
    let fault = |line, what: String| Fault { config: config.clone(), line, what };
    let text = match files::text(files, config, MAX_SMALL_TEXT) {
        Ok(text) => text,
        Err(error) => {
            menu.faults.push(fault(0, format!("cannot be read: {error}")));
            return menu;
        }
    };
    let (mut all, mut sections) = (Section::default(), Vec::<Section>::new());
    let mut default = String::new();
    for (nth, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').map_or((line, ""), |(k, v)| (k.trim(), v.trim()));
        let value = value.trim_matches('"');
        match key {
            "default" => value.clone_into(&mut default),
            "image" | "other" if sections.len() < MAX_ENTRIES => {
                let image = (key == "image").then(|| value.to_owned());
                sections.push(Section { image, line: nth + 1, ..Section::default() });
            }
            _ => sections.last_mut().unwrap_or(&mut all).take(key, value),
        }
    }
    for section in &sections {
        menu.entries.extend(section.entry(files, config, &all));
    }
    let chosen = menu.entries.iter().position(|entry| entry.id == default).unwrap_or(0);
    if let Some(entry) = menu.entries.get_mut(chosen) {
        entry.default = true;
    }
    menu
}

impl Section {
    fn take(&mut self, key: &str, value: &str) {
        let own = || Some(value.to_owned());
        match key {
            "label" => value.clone_into(&mut self.label),
            "root" => self.root = own(),
            "append" => self.append = own(),
            "addappend" => self.more = own(),
            "literal" => self.literal = own(),
            "initrd" => self.initrd = own(),
            "read-only" => self.read_only = Some(true),
            "read-write" => self.read_only = Some(false),
            _ => {}
        }
    }

    fn entry(&self, files: &dyn Files, config: &Place, all: &Self) -> Option<Entry> {
        let image = self.image.as_ref()?;
        let either = |own: &Option<String>, other: &Option<String>| own.clone().or(other.clone());
        // `/boot` may be a file system of its own, in which the path begins anew.
        let place = |path: &str| {
            let plain = Place::new(config.device, path);
            let bare = path.strip_prefix("/boot").unwrap_or(path);
            let mut other = (0..files.devices().len()).map(|device| Place::new(device, bare));
            if files::is_file(files, &plain) {
                return plain;
            }
            other.find(|place| files::is_file(files, place)).unwrap_or(plain)
        };
        let root = either(&self.root, &all.root).map(|root| format!("root={root}"));
        let mode =
            self.read_only.or(all.read_only).map(|ro| if ro { "ro" } else { "rw" }.to_owned());
        let words = [root, mode, either(&self.append, &all.append), self.more.clone()];
        let words = words.iter().flatten().map(|words| words.trim());
        let line = words.collect::<Vec<_>>().join(" ");
        let kernel = place(image);
        let name = kernel.name().to_owned();
        let trouble = (!files::is_file(files, &kernel)).then(|| format!("there is no {image}"));
        Some(Entry {
            id: if self.label.is_empty() { name.clone() } else { self.label.clone() },
            title: if self.label.is_empty() { name } else { self.label.clone() },
            initrds: either(&self.initrd, &all.initrd).iter().map(|path| place(path)).collect(),
            command_line: self.literal.clone().unwrap_or(line),
            line: self.line,
            trouble,
            ..Entry::new(Loader::Lilo, Kind::Linux, kernel, config.clone())
        })
    }
}
