//! Steps with their times and what they counted, and the table at the end.

use anyhow::Result;
use std::time::{Duration, Instant};

/// How many tests a step ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// What was done until now.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(&'static str, Duration, Count)>,
    /// How many tests ran; checks are none.
    pub(crate) tests: usize,
}

impl Steps {
    /// Runs one step of tests. One that fails, by an error or by its count, does not end the others.
    pub(crate) fn run(&mut self, name: &'static str, body: impl FnOnce() -> Result<Count>) -> bool {
        let count = self.step(name, body);
        self.tests += count.passed + count.failed;
        count.failed == 0
    }

    fn step(&mut self, name: &'static str, body: impl FnOnce() -> Result<Count>) -> Count {
        println!("\n==> {name}");
        let start = Instant::now();
        let count = body().unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            Count { failed: 1, ..Count::default() }
        });
        self.done.push((name, start.elapsed(), count));
        count
    }

    /// A step that is one check.
    pub(crate) fn check(&mut self, name: &'static str, body: impl FnOnce() -> Result<()>) -> bool {
        self.step(name, || body().map(|()| Count { passed: 1, ..Count::default() })).failed == 0
    }

    /// Prints the table; returns the sum.
    pub(crate) fn finish(self) -> Count {
        let mut sum = Count::default();
        println!("\n{:<28} {:>9} {:>7} {:>7} {:>8}", "step", "time", "passed", "failed", "skipped");
        for (name, time, count) in self.done {
            let Count { passed, failed, skipped } = count;
            let time = format!("{:.1} s", time.as_secs_f64());
            println!("{name:<28} {time:>9} {passed:>7} {failed:>7} {skipped:>8}");
            sum += count;
        }
        sum
    }
}
