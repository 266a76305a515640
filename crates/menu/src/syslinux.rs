//! SYSLINUX, EXTLINUX and ISOLINUX: `LABEL` and what follows it.

use crate::{
    entry::{Entry, Fault, Kind, Loader, Menu, Module},
    files::{self, Files, MAX_TEXT, Place},
};

/// Where a configuration is looked for, in this order.
pub(crate) const PLACES: [&str; 12] = [
    "/boot/extlinux/extlinux.conf",
    "/extlinux/extlinux.conf",
    "/extlinux.conf",
    "/boot/extlinux.conf",
    "/boot/syslinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/syslinux/syslinux.cfg",
    "/syslinux.cfg",
    "/EFI/syslinux/syslinux.cfg",
    "/boot/isolinux/isolinux.cfg",
    "/isolinux/isolinux.cfg",
    "/isolinux.cfg",
];

/// The most files that one includes, in one another and together.
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 100;

/// The most entries, menus in one another, and bytes of a line.
const MAX_ENTRIES: usize = 2000;
const MAX_MENUS: usize = 16;
const MAX_LINE: usize = 8 << 10;

/// What stands under a label.
#[derive(Clone, Debug, Default)]
struct Label {
    name: String,
    title: String,
    submenu: Vec<String>,
    kernel: Option<String>,
    /// The word that named it says what it is.
    kind: Option<Kind>,
    append: Option<String>,
    initrds: Option<String>,
    device_tree: Option<String>,
    is_default: bool,
    config: Place,
    line: usize,
}

/// Reads a configuration and all that it includes.
pub(crate) fn evaluate(files: &dyn Files, config: &Place) -> Menu {
    let mut reader = Reader {
        files,
        folder: config.parent(),
        labels: Vec::new(),
        faults: Vec::new(),
        read: Vec::new(),
        append: None,
        default: None,
        is_final: false,
        on_timeout: None,
        menus: Vec::new(),
        within_label: false,
    };
    reader.file(config, 0);
    reader.menu(config)
}

struct Reader<'a> {
    files: &'a dyn Files,
    /// That of the first file: paths begin there.
    folder: Place,
    labels: Vec<Label>,
    faults: Vec<Fault>,
    read: Vec<Place>,
    /// The command line of what has none of its own.
    append: Option<String>,
    default: Option<String>,
    is_final: bool,
    on_timeout: Option<String>,
    /// The menus that are open; a title may come later.
    menus: Vec<String>,
    within_label: bool,
}

/// The first word, in lower case, and the rest of a line.
fn keyword(line: &str) -> (String, &str) {
    let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    (word.to_ascii_lowercase(), rest.trim())
}

impl Reader<'_> {
    fn fault(&mut self, config: &Place, line: usize, what: String) {
        if self.faults.len() < 100 {
            self.faults.push(Fault { config: config.clone(), line, what });
        }
    }

    fn file(&mut self, config: &Place, depth: usize) {
        let text = match files::text(self.files, config, MAX_TEXT) {
            Ok(text) => text,
            Err(error) => return self.fault(config, 0, format!("cannot be read: {error}")),
        };
        self.read.push(config.clone());
        let mut is_help = false;
        for (nth, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.len() > MAX_LINE {
                self.fault(config, nth + 1, format!("it has more than {MAX_LINE} bytes"));
                continue;
            }
            let (word, rest) = keyword(line);
            match word.as_str() {
                "endtext" => is_help = false,
                _ if is_help || line.is_empty() || line.starts_with('#') => {}
                "text" if rest.eq_ignore_ascii_case("help") => is_help = true,
                "include" => self.include(config, nth + 1, rest, depth),
                "menu" => self.menu_line(config, nth + 1, rest, depth),
                _ => self.line(config, nth + 1, &word, rest),
            }
        }
    }

    fn include(&mut self, config: &Place, line: usize, path: &str, depth: usize) {
        let path = path.split_whitespace().next().unwrap_or_default();
        if depth >= MAX_DEPTH || self.read.len() >= MAX_FILES {
            return self.fault(config, line, format!("{path} is included from within itself"));
        }
        let place = self.folder.join(path);
        if !files::is_file(self.files, &place) {
            return self.fault(config, line, format!("there is no {}", place.path));
        }
        self.file(&place, depth + 1);
    }

    fn menu_line(&mut self, config: &Place, line: usize, rest: &str, depth: usize) {
        let (word, rest) = keyword(rest);
        let label = self.labels.last_mut().filter(|_| self.within_label);
        match (word.as_str(), label) {
            ("label", Some(label)) => label.title = rest.replacen('^', "", 1),
            ("default", Some(label)) => label.is_default = true,
            ("include", _) => self.include(config, line, rest, depth),
            ("begin", _) => {
                if self.menus.len() >= MAX_MENUS {
                    let what = format!("menus are more than {MAX_MENUS} deep in one another");
                    return self.fault(config, line, what);
                }
                self.menus.push(rest.to_owned());
                self.within_label = false;
            }
            ("title", _) | ("label", None) => {
                if let Some(menu) = self.menus.last_mut() {
                    *menu = rest.replacen('^', "", 1);
                }
            }
            ("end", _) => {
                self.menus.pop();
                self.within_label = false;
            }
            _ => {}
        }
    }

    fn line(&mut self, config: &Place, line: usize, word: &str, rest: &str) {
        let own = || Some(rest.to_owned());
        match word {
            "label" => self.label(config, line, rest),
            "default" if self.is_final => {}
            "default" => self.default = own(),
            // A default that no other replaces.
            "nerfdefault" => (self.default, self.is_final) = (own(), true),
            "ontimeout" => self.on_timeout = own(),
            "append" if !self.within_label => self.append = own(),
            _ => {
                let Some(label) = self.labels.last_mut().filter(|_| self.within_label) else {
                    return;
                };
                match word {
                    "kernel" => (label.kernel, label.kind) = (own(), None),
                    "linux" => (label.kernel, label.kind) = (own(), Some(Kind::Linux)),
                    "efi" => (label.kernel, label.kind) = (own(), Some(Kind::Efi)),
                    "boot" | "bss" | "pxe" | "fdimage" | "comboot" => {
                        (label.kernel, label.kind) = (own(), Some(Kind::Chain));
                    }
                    "com32" => (label.kernel, label.kind) = (own(), None),
                    "append" => label.append = own(),
                    "initrd" => label.initrds = own(),
                    "fdt" => label.device_tree = own(),
                    _ => {}
                }
            }
        }
    }

    fn label(&mut self, config: &Place, line: usize, name: &str) {
        self.within_label = self.labels.len() < MAX_ENTRIES;
        if self.within_label {
            self.labels.push(Label {
                name: name.to_owned(),
                submenu: self.menus.clone(),
                config: config.clone(),
                line,
                ..Label::default()
            });
        }
    }

    fn menu(mut self, config: &Place) -> Menu {
        let mut menu = Menu::default();
        let labels = std::mem::take(&mut self.labels);
        let default = self.chosen(&labels);
        for (nth, label) in labels.iter().enumerate() {
            if let Some(mut entry) = self.entry(label) {
                entry.default = default == Some(nth);
                menu.entries.push(entry);
            }
        }
        if labels.is_empty()
            && let Some(line) = &self.default
        {
            menu.entries.extend(self.without_label(line, config));
        }
        // What would be started may have been none of those that can be.
        if !menu.entries.iter().any(|entry| entry.default) && default.is_none() {
            menu.entries.iter_mut().take(1).for_each(|entry| entry.default = true);
        }
        menu.faults = self.faults;
        menu.read = self.read;
        menu
    }

    /// Which label is started if nobody asks for another.
    fn chosen(&self, labels: &[Label]) -> Option<usize> {
        let named = |line: &Option<String>| {
            let line = line.as_ref()?;
            let word = line.split_whitespace().next()?;
            let fits = |label: &Label| label.name == *line || label.name == word;
            labels.iter().position(fits)
        };
        let marked = || labels.iter().position(|label| label.is_default);
        named(&self.on_timeout).or_else(marked).or_else(|| named(&self.default))
    }

    /// A configuration of old may have nothing but `DEFAULT kernel options`.
    fn without_label(&self, line: &str, config: &Place) -> Option<Entry> {
        let (kernel, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let append = [self.append.as_deref().unwrap_or_default(), rest.trim()].join(" ");
        let label = Label {
            name: kernel.to_owned(),
            kernel: Some(kernel.to_owned()),
            append: Some(append.trim().to_owned()),
            config: config.clone(),
            ..Label::default()
        };
        // A word that is no file was meant for a label that is not there.
        self.entry(&label).filter(|entry| entry.trouble.is_none())
    }

    fn entry(&self, label: &Label) -> Option<Entry> {
        let line = label.kernel.clone().unwrap_or_else(|| label.name.clone());
        // Without a kernel the label is one, if there is such a file.
        if label.kernel.is_none() && !files::is_file(self.files, &self.folder.join(&line)) {
            return None;
        }
        let append = match label.append.as_deref().or(self.append.as_deref()) {
            None | Some("-") => "",
            Some(append) => append,
        };
        let (path, append) = match line.split_once([' ', '\t']) {
            Some((path, more)) => (path, format!("{} {append}", more.trim())),
            None => (line.as_str(), append.to_owned()),
        };
        let mut entry = self.program(label, path, append.trim())?;
        let title = if label.title.is_empty() { &label.name } else { &label.title };
        title.clone_into(&mut entry.title);
        label.name.clone_into(&mut entry.id);
        label.submenu.clone_into(&mut entry.submenu);
        entry.line = label.line;
        entry.device_tree = label.device_tree.as_ref().map(|path| self.folder.join(path));
        let parts = entry.initrds.iter().chain(entry.modules.iter().map(|module| &module.place));
        let parts = std::iter::once(&entry.kernel).chain(parts);
        let missing = parts.filter(|place| !files::is_file(self.files, place));
        entry.trouble = missing.map(|place| format!("there is no {}", place.path)).next();
        Some(entry)
    }

    /// What a label starts, which its kernel's name tells when nothing else does.
    fn program(&self, label: &Label, path: &str, append: &str) -> Option<Entry> {
        let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let new = |kind, path: &str| {
            Entry::new(Loader::Syslinux, kind, self.folder.join(path), label.config.clone())
        };
        let by_end = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        match (label.kind, name.as_str()) {
            (None, "mboot.c32") => {
                let mut parts = append.split("---").map(str::trim);
                let (kernel, command_line) = first_word(parts.next()?);
                let module = |part: &str| {
                    let (path, command_line) = first_word(part);
                    Module { place: self.folder.join(path), command_line: command_line.to_owned() }
                };
                let command_line = command_line.to_owned();
                let modules = parts.filter(|part| !part.is_empty()).map(module).collect();
                Some(Entry { command_line, modules, ..new(Kind::Multiboot, kernel) })
            }
            (None, "linux.c32") => {
                let (kernel, command_line) = first_word(append);
                Some(self.linux(label, new(Kind::Linux, kernel), command_line))
            }
            (None, "chain.c32") => Some(new(Kind::Chain, path)),
            // Other programs of the loader itself: menus, `reboot.c32`, `hdt.c32`.
            (None, _) if by_end(&[".c32"]) => None,
            (None, _) if by_end(&[".efi"]) => Some(new(Kind::Efi, path)),
            (None, _) if by_end(&[".bin", ".bs", ".bss", ".0", ".img", ".com", ".cbt"]) => {
                Some(new(Kind::Chain, path))
            }
            (None | Some(Kind::Linux), _) => {
                Some(self.linux(label, new(Kind::Linux, path), append))
            }
            (Some(kind), _) => Some(Entry { command_line: append.to_owned(), ..new(kind, path) }),
        }
    }

    fn linux(&self, label: &Label, entry: Entry, command_line: &str) -> Entry {
        let appended =
            command_line.split_whitespace().filter_map(|word| word.strip_prefix("initrd="));
        let paths = label.initrds.as_deref().or_else(|| appended.clone().next_back());
        let paths = paths.unwrap_or_default().split([',', ' ']).filter(|path| !path.is_empty());
        let initrds = paths.map(|path| self.folder.join(path)).collect();
        Entry { initrds, command_line: command_line.to_owned(), ..entry }
    }
}

fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim())
}
