//! What machines say, cut to bounds: it is kept, and shown to people, and a machine may be anyone's.

use super::names::is_name;
use xenoboot_wire::{
    boot::{BootRequest, ImageInfo, Inventory, Outcome},
    event::{Event, MAX_TEXT, What},
};

/// Longest fact about hardware, bytes.
const FACT: usize = 128;
/// Most cards, disks, and addresses of a card.
const ITEMS: usize = 64;
/// Longest key of a report, bytes.
const KEY: usize = 64;

/// Cuts a text, between characters.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
    }
}

/// Cuts what a machine says when it boots. A suggested name that is no name is dropped.
pub(super) fn boot(request: &mut BootRequest) {
    if request.name.as_ref().is_some_and(|name| !is_name(name)) {
        request.name = None;
    }
    if request.token.as_ref().is_some_and(|token| token.len() > KEY) {
        request.token = None;
    }
    let ImageInfo { version: _, recipe, kernel } = &mut request.image;
    cut(recipe, FACT);
    cut(kernel, FACT);
    inventory(&mut request.inventory);
}

fn inventory(inventory: &mut Inventory) {
    let Inventory { vendor, product, serial, cpu, cpus: _, memory: _, firmware, links, disks } =
        inventory;
    for text in [vendor, product, serial, cpu, firmware] {
        cut(text, FACT);
    }
    links.truncate(ITEMS);
    for link in links {
        link.addresses.truncate(ITEMS);
        for text in
            [&mut link.name, &mut link.mac, &mut link.driver].into_iter().chain(&mut link.addresses)
        {
            cut(text, FACT);
        }
    }
    disks.truncate(ITEMS);
    for disk in disks {
        for text in [&mut disk.name, &mut disk.model, &mut disk.serial] {
            cut(text, FACT);
        }
    }
}

/// Cuts an event.
pub(super) fn event(event: &mut Event) {
    match &mut event.what {
        What::Line { text, .. } | What::Progress { text, .. } => cut(text, MAX_TEXT),
        What::Phase { name } | What::RunStarted { name, .. } => cut(name, FACT),
        What::Report { key, value } => {
            cut(key, KEY);
            cut(value, MAX_TEXT);
        }
        What::RunEnded { outcome: Outcome::Failed { cause, .. }, .. }
        | What::Failure { cause, .. } => {
            cut(cause, MAX_TEXT);
        }
        What::Console { who, key, .. } => {
            cut(who, FACT);
            cut(key, FACT);
        }
        What::RunEnded { outcome: Outcome::Succeeded, .. } | What::Dropped { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters() {
        for (text, most, left) in
            [("abc", 3, "abc"), ("abc", 2, "ab"), ("aäb", 2, "a"), ("ä", 1, ""), ("", 0, "")]
        {
            let mut cut_text = text.to_owned();
            cut(&mut cut_text, most);
            assert_eq!(cut_text, left);
        }
    }
}
