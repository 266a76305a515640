//! Entries are tried out, to see what each would load.

use super::{
    loading::Loaded,
    run::{Item, Machine, STEPS_OF_ENTRY},
};
use crate::entry::{Entry, Loader, Menu};

/// How deep menus are in one another at most.
const MAX_DEPTH: usize = 8;

/// The most entries that are told of.
const MAX_ENTRIES: usize = 5000;

/// Every entry that would start something, in menus within menus too.
pub(super) fn entries(mut machine: Machine<'_>) -> Menu {
    // Each entry begins anew: with what is left there is no hurry.
    machine.left = machine.left.max(STEPS_OF_ENTRY);
    let items = std::mem::take(&mut machine.items);
    let mut menu = Menu {
        entries: Vec::new(),
        faults: std::mem::take(&mut machine.faults),
        read: std::mem::take(&mut machine.read),
    };
    let default = machine.variable("default").to_owned();
    Level { titles: Vec::new(), is_default: true }.walk(&mut machine, items, &default, &mut menu);
    menu
}

/// A menu.
struct Level {
    titles: Vec<String>,
    /// Whether it would be opened if nobody asked for anything.
    is_default: bool,
}

impl Level {
    fn walk(&self, machine: &mut Machine<'_>, items: Vec<Item>, default: &str, menu: &mut Menu) {
        let (chosen, within) = choose(&items, default);
        for (nth, item) in items.into_iter().enumerate() {
            if menu.entries.len() >= MAX_ENTRIES || machine.left == 0 {
                return;
            }
            let is_default = self.is_default && nth == chosen;
            // What it sees is copied for it.
            machine.left = machine.left.saturating_sub(10 + machine.size());
            let budget = machine.left.min(STEPS_OF_ENTRY);
            let mut inner = machine.clone();
            inner.left = budget;
            if item.submenu {
                inner.variables = machine.variables.within();
            }
            self.open(
                &mut inner,
                item,
                is_default,
                if is_default { within.as_str() } else { "" },
                menu,
            );
            machine.left = machine.left.saturating_sub(budget - inner.left + 1);
            menu.read.append(&mut inner.read);
        }
    }

    /// Runs an entry's commands: they load something, or make a menu.
    fn open(
        &self,
        machine: &mut Machine<'_>,
        item: Item,
        is_default: bool,
        within: &str,
        menu: &mut Menu,
    ) {
        machine.variables.set("chosen", &item.id);
        machine.loaded = Loaded::default();
        (machine.config, machine.line) = (item.config.clone(), item.line);
        machine.call(&item.body, item.arguments.clone());
        let told = menu.faults.len();
        menu.faults.append(&mut machine.faults);
        menu.faults.dedup();
        // An entry's commands may be those of many entries, and so may its faults.
        menu.faults.truncate(told.max(200));
        let items = std::mem::take(&mut machine.items);
        if !items.is_empty() && self.titles.len() < MAX_DEPTH {
            let titles = self.titles.iter().cloned().chain([item.title]).collect();
            // Of a menu in this one its own variable decides, unless that was decided here.
            let own = machine.variable("default").to_owned();
            let default = if within.is_empty() { own.as_str() } else { within };
            Level { titles, is_default }.walk(machine, items, default, menu);
            return;
        }
        let loaded = std::mem::take(&mut machine.loaded);
        menu.entries.extend(self.entry(loaded, item, is_default));
    }

    fn entry(&self, loaded: Loaded, item: Item, default: bool) -> Option<Entry> {
        let (kind, kernel) = loaded.kernel?;
        Some(Entry {
            id: item.id,
            title: item.title,
            submenu: self.titles.clone(),
            initrds: loaded.initrds,
            command_line: loaded.command_line,
            modules: loaded.modules,
            device_tree: loaded.device_tree,
            line: item.line,
            default,
            trouble: loaded.trouble,
            ..Entry::new(Loader::Grub, kind, kernel, item.config)
        })
    }
}

/// Which entry `$default` means, and which one in the menu that it is: `number`, `title` or `id`, with `>` before
/// what is meant in that menu. What means none means the first.
fn choose(items: &[Item], default: &str) -> (usize, String) {
    let (head, rest) = head(default.trim());
    let found = match head.parse::<usize>() {
        Ok(number) => Some(number).filter(|number| *number < items.len()),
        Err(_) => items.iter().position(|item| item.id == head || item.title == head),
    };
    match found {
        Some(found) => (found, rest.to_owned()),
        None => (0, String::new()),
    }
}

/// The part up to the first `>`, in which `>>` is one `>`.
fn head(text: &str) -> (String, &str) {
    let mut head = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '>' && chars.next_if(|(_, next)| *next == '>').is_none() {
            return (head, text.get(at + 1..).unwrap_or_default());
        }
        head.push(c);
    }
    (head, "")
}
