//! Configurations as installed systems have them, the entries that they mean, and what becomes of damaged and hostile ones.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

mod corpus;
mod hostile;

use xenoboot_menu::{Entry, Files as _, Found, Place, memory::Memory, scan};

fn shown(files: &Memory, found: &Found) -> String {
    let place = |place: &Place| {
        format!("{}:{}", files.devices().get(place.device).unwrap().name, place.path)
    };
    let entry = |(nth, entry): (usize, &Entry)| {
        let titles = entry.submenu.iter().chain([&entry.title]);
        let titles: Vec<&str> = titles.map(String::as_str).collect();
        let mut parts = vec![
            format!(
                "{} {}",
                if found.default == Some(nth) { "*" } else { " " },
                entry.loader.word()
            ),
            titles.join(" > "),
            match entry.kind {
                xenoboot_menu::Kind::Linux => place(&entry.kernel),
                kind => format!("{} {}", kind.word(), place(&entry.kernel)),
            },
            entry.initrds.iter().map(place).collect::<Vec<_>>().join(" "),
            entry.command_line.clone(),
        ];
        parts.extend(
            entry.modules.iter().map(|m| format!("{} {}", place(&m.place), m.command_line)),
        );
        parts.extend(entry.trouble.as_ref().map(|trouble| format!("! {trouble}")));
        let line = parts.join(" | ");
        format!("{}\n", line.trim_end())
    };
    let mut text: String = found.entries.iter().enumerate().map(entry).collect();
    for fault in &found.faults {
        text.push_str(&format!("! {}:{} {}\n", place(&fault.config), fault.line, fault.what));
    }
    text
}

#[test]
fn each_system_gives_the_entries_that_it_means() {
    let mut wrong = String::new();
    for system in corpus::systems() {
        let files = system.memory();
        let found = shown(&files, &scan(&files, system.firmware));
        if found.trim() != system.expected.trim() {
            wrong.push_str(&format!("{}:\n{found}\n", system.name));
        }
    }
    assert!(wrong.is_empty(), "found something else:\n{wrong}");
}
