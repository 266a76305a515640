//! What came of it, for people and for programs.

use super::{check::Checked, tally::Tally};
use crate::{operator::table, ui::Output};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A time of which so many of a hundred are not over.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

/// All machines have done so many runs: a line of JSON.
pub(super) fn round(tally: &Tally, number: u32) {
    let (elapsed_ms, ordered_ms) = (ms(tally.elapsed()), tally.ordered_ms());
    let errors: u64 = tally.troubles().values().sum();
    let round = json!({ "round": number, "elapsed_ms": elapsed_ms, "last_order_unix_ms": ordered_ms, "errors": errors });
    println!("{round}");
}

pub(super) fn print(
    tally: &Tally,
    checked: Option<&Checked>,
    output: &Output,
) -> anyhow::Result<()> {
    if output.json {
        println!("{}", json(tally, checked));
        return Ok(());
    }
    println!("{}", tally.line());
    if tally.bytes() > 0 {
        println!("{:.1} MB fetched", tally.bytes() as f64 / 1e6);
    }
    let row = |(step, times): (&super::tally::Step, &Vec<Duration>)| {
        let shown = |time| format!("{:.1} ms", ms(time));
        let longest = times.last().copied().unwrap_or_default();
        let (p50, p99) = (percentile(times, 50), percentile(times, 99));
        [step.word().to_owned(), times.len().to_string(), shown(p50), shown(p99), shown(longest)]
    };
    let rows: Vec<_> = tally.times().iter().map(row).collect();
    table::print(["STEP", "COUNT", "P50", "P99", "LONGEST"], &rows)?;
    for (what, count) in tally.troubles() {
        println!("failed {count} times: {}", crate::operator::text::shown(&what));
    }
    if let Some(Checked { lost, twice, foreign }) = checked {
        println!(
            "checked: {lost} acknowledged lines lost, {twice} stored again, {foreign} foreign"
        );
    }
    Ok(())
}

fn json(tally: &Tally, checked: Option<&Checked>) -> Value {
    let seconds = tally.elapsed().as_secs_f64();
    let step = |(step, times): (&super::tally::Step, &Vec<Duration>)| {
        let longest = times.last().copied().unwrap_or_default();
        let figures = json!({
            "count": times.len(),
            "p50_ms": ms(percentile(times, 50)),
            "p99_ms": ms(percentile(times, 99)),
            "longest_ms": ms(longest),
        });
        (step.word().to_owned(), figures)
    };
    let checked = checked.map(|Checked { lost, twice, foreign }| {
        json!({ "lost": lost, "twice": twice, "foreign": foreign })
    });
    json!({
        "machines": tally.machines(),
        "connected": tally.connected(),
        "waiting": tally.waiting(),
        "runs": tally.runs(),
        "lines": tally.lines(),
        "bytes": tally.bytes(),
        "seconds": seconds,
        "latencies": tally.times().iter().map(step).collect::<Map<_, _>>(),
        "postponed": tally.postponed(),
        "errors": tally.troubles(),
        "checked": checked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        let of =
            |count: usize, percent| percentile(times.get(..count).unwrap_or_default(), percent);
        assert_eq!(of(100, 50), Duration::from_millis(50));
        assert_eq!(of(100, 99), Duration::from_millis(99));
        assert_eq!(of(1, 99), Duration::from_millis(1));
        assert_eq!(of(0, 50), Duration::ZERO);
    }
}
