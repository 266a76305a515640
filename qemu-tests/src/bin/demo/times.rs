//! How long the phases took, from the machine's own console.

use std::time::Duration;

/// When each phase began, in seconds since the kernel started.
pub(crate) struct Times(Vec<(String, f64)>);

impl Times {
    /// Reads lines such as `[    3.123] phase network`.
    pub(crate) fn read(console: &str) -> Self {
        let phase = |line: &str| {
            let (stamp, rest) = line.trim_start().strip_prefix('[')?.split_once(']')?;
            let name = rest.trim_start().strip_prefix("phase ")?;
            Some((name.trim().to_owned(), stamp.trim().parse().ok()?))
        };
        Self(console.lines().filter_map(phase).collect())
    }

    /// Prints a table; `total` is from power-on to the end of the last phase.
    pub(crate) fn print(&self, total: Duration) {
        println!("\nWhat took how long");
        let first = self.0.first().map_or(0.0, |(_, at)| *at);
        let last = self.0.last().map_or(0.0, |(_, at)| *at);
        let firmware = (total.as_secs_f64() - last).max(0.0);
        println!("{firmware:>10.2} s  firmware and boot loader");
        println!("{first:>10.2} s  kernel, init, start of the agent");
        for pair in self.0.windows(2) {
            if let [(name, from), (_, to)] = pair {
                println!("{:>10.2} s  {name}", to - from);
            }
        }
        println!("{:>10.2} s  in all", total.as_secs_f64());
    }
}
