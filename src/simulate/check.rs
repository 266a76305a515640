//! Whether the server has what it acknowledged.

use super::{World, script, tally::Told};
use crate::{operator::Client, ui::interactive};
use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use std::collections::HashMap;
use xenoboot_server::api::Log;
use xenoboot_wire::event::What;

/// What was found.
#[derive(Default)]
pub(super) struct Checked {
    /// Lines that the server acknowledged, and has not.
    pub(super) lost: u64,
    /// Lines that it has more than once.
    pub(super) twice: u64,
    /// Lines that no machine said.
    pub(super) foreign: u64,
}

impl Checked {
    /// An error unless all is as it should be.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        let Self { lost, twice, foreign } = self;
        ensure!(
            lost + twice + foreign == 0,
            "of the lines that the server acknowledged {lost} are lost; {twice} are there more than once, and {foreign} \
             nobody said"
        );
        Ok(())
    }
}

/// Reads the log of every run.
pub(super) fn run(client: &mut Client, world: &World) -> anyhow::Result<Checked> {
    let told = world.tally.told();
    let bar =
        if interactive() { ProgressBar::new(told.len() as u64) } else { ProgressBar::hidden() };
    let mut checked = Checked::default();
    for told in told {
        if told.lines > 0 {
            let stored = lines(client, &told)
                .with_context(|| format!("the log of run {} cannot be read", told.run))?;
            compare(&told, world.lines, &stored, &mut checked);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(checked)
}

fn lines(client: &mut Client, told: &Told) -> anyhow::Result<Vec<String>> {
    let (mut lines, mut after) = (Vec::new(), 0);
    loop {
        let page: Log = client.get(&format!("runs/{}/log?after={after}", told.run))?;
        let Some(last) = page.events.last() else { return Ok(lines) };
        after = last.number;
        lines.extend(page.events.into_iter().filter_map(|event| match event.what {
            What::Line { text, .. } => Some(text),
            _ => None,
        }));
    }
}

/// More lines than were acknowledged may be there: then the acknowledgement was lost.
fn compare(told: &Told, said: u32, stored: &[String], checked: &mut Checked) {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for line in stored {
        *counts.entry(line).or_default() += 1;
    }
    for number in 0..said {
        let count = counts.remove(&*script::line(&told.run, number)).unwrap_or_default();
        checked.lost += u64::from(count == 0 && number < told.lines);
        checked.twice += count.saturating_sub(1);
    }
    checked.foreign += counts.values().sum::<u64>();
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenoboot_wire::RunId;

    #[test]
    fn what_is_lost_doubled_or_foreign_is_counted() {
        let told = Told { run: RunId([7; 16]), lines: 3 };
        let line = |number| script::line(&told.run, number);
        let count = |stored: &[String]| {
            let mut checked = Checked::default();
            compare(&told, 5, stored, &mut checked);
            (checked.lost, checked.twice, checked.foreign)
        };
        assert_eq!(count(&[line(0), line(1), line(2), line(3)]), (0, 0, 0));
        assert_eq!(count(&[line(0), line(2), line(2), line(2)]), (1, 2, 0));
        assert_eq!(count(&[line(0), line(1), line(2), "?".to_owned()]), (0, 0, 1));
    }
}
