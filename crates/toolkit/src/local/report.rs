//! What was found, for people and for programs.

use crate::{json::Json, text_cells};
use xenoboot_menu::{Device, Entry, Fault, Found, Kind, Place};

/// What is said of everything.
pub(crate) struct Report<'a> {
    /// What the places' numbers mean.
    pub(crate) devices: &'a [Device],
    /// The entries, with the numbers that they are chosen by.
    pub(crate) found: &'a Found,
    /// What could not be looked at.
    pub(crate) notes: &'a [String],
}

/// Text of a disk, without anything that a terminal would take for a command.
fn harmless(text: &str) -> String {
    text_cells::cells(text.as_bytes(), false).iter().map(|cell| cell.text.as_str()).collect()
}

/// Whether there is a way to start it, from all that its entry says.
pub(crate) fn is_startable(entry: &Entry) -> bool {
    entry.trouble.is_none() && entry.kind != Kind::Chain
}

impl Report<'_> {
    fn device(&self, place: &Place) -> String {
        let name = self.devices.get(place.device).map_or("?", |device| device.name.as_str());
        if name.starts_with('/') { name.to_owned() } else { format!("/dev/{name}") }
    }

    fn shown(&self, place: &Place) -> String {
        format!("{}:{}", self.device(place), harmless(&place.path))
    }

    /// Lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (nth, entry) in self.found.entries.iter().enumerate() {
            let mark = if self.found.default == Some(nth) { '*' } else { ' ' };
            let titles = entry.submenu.iter().chain([&entry.title]);
            let titles: Vec<String> = titles.map(|title| harmless(title)).collect();
            lines.push(format!("{mark}{:>3}  {}", nth + 1, titles.join(" > ")));
            let mut say = |what: &str, text: String| lines.push(format!("      {what} {text}"));
            say(entry.loader.word(), self.shown(&entry.config));
            say(entry.kind.word(), self.shown(&entry.kernel));
            entry.initrds.iter().for_each(|place| say("initrd", self.shown(place)));
            entry.modules.iter().for_each(|m| say("module", self.shown(&m.place)));
            if !entry.command_line.is_empty() {
                say("command line", harmless(&entry.command_line));
            }
            if let Some(trouble) = &entry.trouble {
                say("cannot be started:", harmless(trouble));
            }
        }
        lines
    }

    /// Lines on what is wrong.
    pub(crate) fn problems(&self) -> Vec<String> {
        let fault = |fault: &Fault| {
            let line = if fault.line == 0 { String::new() } else { format!(":{}", fault.line) };
            format!("{}{line}: {}", self.shown(&fault.config), harmless(&fault.what))
        };
        self.notes
            .iter()
            .map(|note| harmless(note))
            .chain(self.found.faults.iter().map(fault))
            .collect()
    }

    /// Everything, as JSON.
    pub(crate) fn json(&self) -> Json {
        let entries = self.found.entries.iter().enumerate();
        let number = |nth: usize| Json::Number(nth as u64 + 1);
        let mut all = Json::object();
        all.put("default", self.found.default.map_or(Json::Null, number));
        all.put(
            "entries",
            Json::List(entries.map(|(nth, entry)| self.entry(nth, entry)).collect()),
        );
        let problem = |fault: &Fault| {
            let mut object = self.place(&fault.config);
            object.put("line", Json::Number(fault.line as u64));
            object.put("problem", Json::text(&fault.what));
            object
        };
        all.put("problems", Json::List(self.found.faults.iter().map(problem).collect()));
        all.put("notes", Json::List(self.notes.iter().map(Json::text).collect()));
        all
    }

    fn place(&self, place: &Place) -> Json {
        let mut object = Json::object();
        object.put("device", Json::text(self.device(place)));
        object.put("path", Json::text(&place.path));
        object
    }

    fn entry(&self, nth: usize, entry: &Entry) -> Json {
        let mut object = Json::object();
        let texts = |texts: &[String]| Json::List(texts.iter().map(Json::text).collect());
        object.put("number", Json::Number(nth as u64 + 1));
        object.put("id", Json::text(&entry.id));
        object.put("title", Json::text(&entry.title));
        object.put("submenu", texts(&entry.submenu));
        object.put("loader", Json::text(entry.loader.word()));
        object.put("kind", Json::text(entry.kind.word()));
        object.put("kernel", self.place(&entry.kernel));
        object.put("initrds", Json::List(entry.initrds.iter().map(|p| self.place(p)).collect()));
        object.put("command_line", Json::text(&entry.command_line));
        let modules = entry.modules.iter().map(|module| {
            let mut object = self.place(&module.place);
            object.put("command_line", Json::text(&module.command_line));
            object
        });
        object.put("modules", Json::List(modules.collect()));
        object.put("device_tree", entry.device_tree.as_ref().map_or(Json::Null, |p| self.place(p)));
        let mut config = self.place(&entry.config);
        config.put("line", Json::Number(entry.line as u64));
        object.put("config", config);
        object.put("default", Json::Flag(entry.default));
        object.put("startable", Json::Flag(is_startable(entry)));
        object.put("trouble", entry.trouble.as_ref().map_or(Json::Null, Json::text));
        object
    }
}
