//! Files of the Boot Loader Specification, type 1, and the menu that systemd-boot makes of them and of unified
//! kernel images.

use crate::{
    entry::{Entry, Fault, Kind, Loader, Menu},
    files::{self, Files, MAX_SMALL_TEXT, Place, What, any_case},
    loader_conf, uki, version,
};
use std::{cmp::Ordering, collections::HashSet};

/// The most entries of one folder.
const MAX_ENTRIES: usize = 500;

/// After so many faults a file is not read on.
const MAX_FAULTS: usize = 20;

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spec {
    /// The file's name, without its end and without what counts tries.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) version: String,
    pub(crate) machine_id: String,
    pub(crate) sort_key: String,
    pub(crate) architecture: String,
    pub(crate) linux: Option<String>,
    pub(crate) efi: Option<String>,
    pub(crate) uki: Option<String>,
    pub(crate) initrds: Vec<String>,
    pub(crate) options: Vec<String>,
    pub(crate) device_tree: Option<String>,
    /// Tries that are left; `None` when they are not counted.
    pub(crate) tries_left: Option<u32>,
    pub(crate) config: Place,
}

/// Reads a file; the faults are of lines that were left out.
pub(crate) fn read(files: &dyn Files, config: &Place) -> Result<(Spec, Vec<Fault>), Fault> {
    let fault = |line, what: String| Fault { config: config.clone(), line, what };
    let text = files::text(files, config, MAX_SMALL_TEXT)
        .map_err(|e| fault(0, format!("cannot be read: {e}")))?;
    let name = config.name().strip_suffix(".conf").unwrap_or(config.name());
    let (id, tries_left) = without_tries(name);
    let mut spec =
        Spec { id: id.to_owned(), tries_left, config: config.clone(), ..Spec::default() };
    let mut faults = Vec::new();
    for (nth, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        if let Err(what) = spec.take(key, value.trim()) {
            faults.push(fault(nth + 1, what));
            if faults.len() >= MAX_FAULTS {
                break;
            }
        }
    }
    if spec.linux.is_none() && spec.efi.is_none() && spec.uki.is_none() {
        let nothing =
            || fault(0, "there is no line `linux`, `efi` or `uki`: nothing to start".into());
        return Err(faults.into_iter().next().unwrap_or_else(nothing));
    }
    Ok((spec, faults))
}

impl Spec {
    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        let own = || value.to_owned();
        if value.is_empty() && matches!(key, "linux" | "efi" | "uki" | "initrd") {
            return Err(format!("`{key}` names no file"));
        }
        match key {
            "title" => self.title = own(),
            "version" => self.version = own(),
            "machine-id" => self.machine_id = own(),
            "sort-key" => self.sort_key = own(),
            "architecture" => self.architecture = own(),
            "linux" => self.linux = Some(own()),
            "efi" => self.efi = Some(own()),
            "uki" => self.uki = Some(own()),
            "initrd" => self.initrds.push(own()),
            "options" => self.options.push(own()),
            "devicetree" => self.device_tree = Some(own()),
            // The specification lets others have keys of their own.
            _ => {}
        }
        Ok(())
    }

    fn entry(&self, files: &dyn Files) -> Entry {
        let place = |path: &String| resolve(files, &self.config, path);
        let (kind, path) = match (&self.uki, &self.efi, &self.linux) {
            (_, _, Some(linux)) => (Kind::Linux, linux),
            (Some(uki), ..) => (Kind::Uki, uki),
            (_, Some(efi), _) => (Kind::Efi, efi),
            (None, None, None) => (Kind::Linux, &self.id),
        };
        let initrds = self.initrds.iter().flat_map(|line| line.split_whitespace());
        let initrds: Vec<Place> = initrds.map(|path| place(&path.to_owned())).collect();
        let kernel = place(path);
        let missing = std::iter::once(&kernel).chain(&initrds);
        let missing = missing.filter(|place| !files::is_file(files, place));
        let trouble = missing.map(|place| format!("there is no {}", place.path)).next();
        let architectures = ["", "x64", "x86_64", "x86-64"];
        let other = !architectures.contains(&self.architecture.to_ascii_lowercase().as_str());
        let other = other.then(|| format!("it is for {}", self.architecture));
        let title = if self.title.is_empty() { self.id.clone() } else { self.title.clone() };
        Entry {
            id: self.id.clone(),
            title,
            initrds,
            command_line: self.options.join(" "),
            device_tree: self.device_tree.as_ref().map(place),
            trouble: other.or(trouble),
            ..Entry::new(Loader::Bls, kind, kernel, self.config.clone())
        }
    }
}

/// A path in a file: from the root of its file system, or of the folder that has `loader` in it.
pub(crate) fn resolve(files: &dyn Files, config: &Place, path: &str) -> Place {
    let plain = Place::new(config.device, path);
    let within = config.join("../../..").join(path.trim_start_matches('/'));
    let is_there = |place: &Place| files::is_file(files, place);
    if !is_there(&plain) && is_there(&within) { within } else { plain }
}

/// `name+3-1` is `name` with three tries left after one.
fn without_tries(name: &str) -> (&str, Option<u32>) {
    let split = || {
        let (id, tries) = name.rsplit_once('+')?;
        let (left, done) = tries.split_once('-').unwrap_or((tries, "0"));
        done.parse::<u32>().ok()?;
        Some((id, left.parse().ok()?))
    };
    split().map_or((name, None), |(id, left)| (id, Some(left)))
}

/// What an entry is sorted by.
struct Key {
    id: String,
    sort_key: String,
    machine_id: String,
    version: String,
    /// Every try was in vain.
    bad: bool,
}

fn order(a: &Key, b: &Key) -> Ordering {
    let keyed = || b.sort_key.is_empty().cmp(&a.sort_key.is_empty()).reverse();
    let by_key = || {
        if a.sort_key.is_empty() || b.sort_key.is_empty() {
            return Ordering::Equal;
        }
        let same = a.sort_key.cmp(&b.sort_key).then_with(|| a.machine_id.cmp(&b.machine_id));
        same.then_with(|| version::compare(&b.version, &a.version))
    };
    a.bad
        .cmp(&b.bad)
        .then_with(keyed)
        .then_with(by_key)
        .then_with(|| version::compare(&b.id, &a.id))
}

/// The menu of the folder that has `loader/entries` or `EFI/Linux` in it; without the files that were read already.
pub(crate) fn menu(files: &dyn Files, boot: &Place, known: &HashSet<Place>) -> Menu {
    let mut menu = Menu::default();
    let mut found: Vec<(Key, Entry)> = Vec::new();
    for conf in within(files, boot, &["loader", "entries"], ".conf") {
        if known.contains(&conf) {
            continue;
        }
        match read(files, &conf) {
            Ok((spec, faults)) => {
                menu.faults.extend(faults);
                found.push((key(&spec), spec.entry(files)));
            }
            Err(fault) => menu.faults.push(fault),
        }
    }
    for image in within(files, boot, &["EFI", "Linux"], ".efi") {
        match unified(files, &image) {
            Ok(one) => found.push(one),
            Err(fault) => menu.faults.push(fault),
        }
    }
    found.sort_by(|a, b| order(&a.0, &b.0));
    let conf = loader_conf::read(files, boot, &mut menu.faults);
    let wanted = conf.default.as_deref().and_then(|default| {
        let fits = |(key, entry): &(Key, Entry)| {
            let name = entry.config.name();
            [name, key.id.as_str()].iter().any(|name| loader_conf::fits(default, name))
        };
        found.iter().position(fits)
    });
    // An entry without tries left is only started when somebody asks for it.
    let first = || found.iter().position(|(key, _)| !key.bad);
    let default = wanted.or_else(first);
    menu.entries = found.into_iter().map(|(_, entry)| entry).collect();
    if let Some(entry) = default.and_then(|nth| menu.entries.get_mut(nth)) {
        entry.default = true;
    }
    menu
}

fn key(spec: &Spec) -> Key {
    Key {
        id: spec.id.clone(),
        sort_key: spec.sort_key.clone(),
        machine_id: spec.machine_id.clone(),
        version: spec.version.clone(),
        bad: spec.tries_left == Some(0),
    }
}

/// The files of a folder whose names end so.
fn within(files: &dyn Files, boot: &Place, path: &[&str], end: &str) -> Vec<Place> {
    let names: Vec<&str> =
        boot.path.split('/').filter(|n| !n.is_empty()).chain(path.iter().copied()).collect();
    let Some(folder) = any_case(files, boot.device, &names) else { return Vec::new() };
    let names = files.list(&folder).into_iter();
    let fits = |name: &String| name.to_ascii_lowercase().ends_with(end);
    let places = names.filter(fits).map(|name| folder.join(&name));
    places
        .filter(|place| matches!(files.what(place), Some(What::File(_))))
        .take(MAX_ENTRIES)
        .collect()
}

fn unified(files: &dyn Files, image: &Place) -> Result<(Key, Entry), Fault> {
    let fault = |what: String| Fault { config: image.clone(), line: 0, what };
    let size = match files.what(image) {
        Some(What::File(size)) => size,
        _ => return Err(fault("it is no file".into())),
    };
    let facts = uki::read(size, |at, most| files.read(image, at, most))
        .map_err(|e| fault(e.to_string()))?;
    let name = image.name();
    let name = name.get(..name.len().saturating_sub(4)).unwrap_or(name);
    let (id, tries_left) = without_tries(name);
    let version = if facts.kernel_version.is_empty() {
        facts.release("VERSION_ID")
    } else {
        facts.kernel_version.clone()
    };
    let first = |names: [&str; 2]| {
        names
            .map(|name| facts.release(name))
            .into_iter()
            .find(|v| !v.is_empty())
            .unwrap_or_default()
    };
    let sort_key = first(["IMAGE_ID", "ID"]);
    let title = first(["PRETTY_NAME", "NAME"]);
    let key = Key {
        id: id.to_owned(),
        sort_key,
        machine_id: String::new(),
        version,
        bad: tries_left == Some(0),
    };
    let entry = Entry {
        id: id.to_owned(),
        title: if title.is_empty() { id.to_owned() } else { title },
        command_line: facts.command_line.clone(),
        ..Entry::new(Loader::Uki, Kind::Uki, image.clone(), image.clone())
    };
    Ok((key, entry))
}
