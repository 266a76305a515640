//! The screen at the site: 80 columns by 25 lines of ASCII, made from the status and nothing else.

use crate::{
    status::{Card, Status, Trouble},
    text,
};

/// Columns.
pub const WIDTH: usize = 80;
/// Lines.
pub const HEIGHT: usize = 25;

/// Where the values begin, after the labels.
const INDENT: usize = 10;
/// Most lines that the network cards take.
const CARD_LINES: usize = 6;
/// Most lines that the cause of an error takes.
const CAUSE_LINES: usize = 3;

/// The screen's lines, each exactly [`WIDTH`] bytes of printable ASCII.
#[must_use]
pub fn render(status: &Status, now_ms: u64) -> [String; HEIGHT] {
    let mut top = head(status, now_ms);
    top.push("-".repeat(WIDTH));
    top.truncate(HEIGHT);
    let room = HEIGHT - top.len();
    let skip = status.output.len().saturating_sub(room);
    top.extend(status.output.iter().skip(skip).cloned());
    let mut lines = top.into_iter();
    std::array::from_fn(|_| fit(&lines.next().unwrap_or_default()))
}

fn head(status: &Status, now_ms: u64) -> Vec<String> {
    let product = format!("Xenoboot {}", status.version);
    let up = format!("up {}", duration(now_ms));
    let gap = WIDTH.saturating_sub(product.len() + up.len());
    let mut lines = vec![format!("{product}{}{up}", " ".repeat(gap)), "-".repeat(WIDTH)];
    lines.push(field("Machine", status.machine.as_deref().unwrap_or("(no name in the image)")));
    lines.push(field("Key", status.fingerprint.as_deref().unwrap_or("(not loaded yet)")));
    lines.extend(cards(&status.cards));
    let connected = if status.connected { "connected" } else { "not connected" };
    if let Some(server) = &status.server {
        lines.push(field("Server", &format!("{server} ({connected})")));
    }
    if let Some(bundle) = &status.bundle {
        lines.push(field("Bundle", bundle));
    }
    let (phase, since) = status.phase;
    lines.push(field("Phase", &format!("{phase}, for {}", duration(now_ms.saturating_sub(since)))));
    if let Some((percent, text)) = &status.progress {
        lines.push(field("Progress", &format!("{} {percent:3} % {text}", bar(*percent))));
    }
    if let Some(trouble) = &status.trouble {
        lines.extend(error(trouble, now_ms));
    }
    lines
}

fn field(label: &str, value: &str) -> String {
    format!("{label:<INDENT$}{value}")
}

fn cards(cards: &[Card]) -> Vec<String> {
    let mut values: Vec<String> = cards.iter().flat_map(card).collect();
    if values.is_empty() {
        values.push("no card found yet".to_owned());
    }
    let hidden = values.len().saturating_sub(CARD_LINES);
    if hidden > 0 {
        values.truncate(CARD_LINES - 1);
        values.push(format!("({} more lines: xb status shows all)", hidden + 1));
    }
    let label = |i| if i == 0 { "Network" } else { "" };
    values.iter().enumerate().map(|(i, value)| field(label(i), value)).collect()
}

/// The first line has name, link and address; further addresses go below the first.
fn card(card: &Card) -> Vec<String> {
    let link = if card.link { "link" } else { "no link" };
    let head = format!("{:<10} {link:<8} ", card.name);
    let below = " ".repeat(head.len());
    let first = card.addresses.first().map_or("", String::as_str);
    let mut lines = vec![format!("{head}{first}")];
    lines.extend(card.addresses.iter().skip(1).map(|address| format!("{below}{address}")));
    lines
}

fn error(trouble: &Trouble, now_ms: u64) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.push(field("ERROR", &format!("{}  {}", trouble.code, trouble.code.title())));
    let causes = wrap(&text::ascii(&trouble.cause), WIDTH - INDENT, CAUSE_LINES);
    let label = |i| if i == 0 { "Cause" } else { "" };
    lines.extend(causes.iter().enumerate().map(|(i, line)| field(label(i), line)));
    lines.push(field("Next", &trouble.next.describe(now_ms)));
    lines.push(String::new());
    lines
}

/// Breaks `text` (ASCII) at spaces into at most `most` lines of `width`; what is more is cut.
fn wrap(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let mut rest = word;
        loop {
            let full = lines.len() == most;
            let Some(line) = lines.last_mut() else { return lines };
            let gap = usize::from(!line.is_empty());
            let room = width.saturating_sub(line.len() + gap);
            // A word longer than a line is broken anywhere.
            let take = if rest.len() <= room || full || (rest.len() > width && room > 0) {
                rest.len().min(room)
            } else {
                0
            };
            let (here, later) = rest.split_at_checked(take).unwrap_or((rest, ""));
            if take > 0 {
                line.push_str(if gap == 1 { " " } else { "" });
                line.push_str(here);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
            if full {
                line.truncate(width - 3);
                line.push_str("...");
                return lines;
            }
            lines.push(String::new());
        }
    }
    lines
}

fn bar(percent: u8) -> String {
    let done = usize::from(percent.min(100)) / 5;
    format!("[{}{}]", "#".repeat(done), ".".repeat(20 - done))
}

/// `4.2 s` below ten seconds, then `12 s`, `3:05`, `1:02:03`, `2 d 1:02:03`.
fn duration(ms: u64) -> String {
    let (s, m, h) = (ms / 1000 % 60, ms / 60_000 % 60, ms / 3_600_000 % 24);
    match ms {
        0..10_000 => format!("{s}.{} s", ms % 1000 / 100),
        10_000..60_000 => format!("{s} s"),
        60_000..3_600_000 => format!("{m}:{s:02}"),
        3_600_000..86_400_000 => format!("{h}:{m:02}:{s:02}"),
        _ => format!("{} d {h}:{m:02}:{s:02}", ms / 86_400_000),
    }
}

/// Exactly [`WIDTH`] columns; `>` at the end of a line that was longer.
fn fit(line: &str) -> String {
    let mut line = text::ascii(line).into_owned();
    if line.len() > WIDTH {
        line.truncate(WIDTH - 1);
        line.push('>');
    }
    format!("{line:<WIDTH$}")
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
