//! The last lines of `ping`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    /// Requests.
    pub(crate) sent: u64,
    /// Answers, each counted once.
    pub(crate) received: u64,
    /// Answers that came again.
    pub(crate) duplicates: u64,
    /// Errors from others.
    pub(crate) errors: u64,
    /// All of it.
    pub(crate) took: Duration,
    /// The longest way there and back.
    pub(crate) longest: Option<Duration>,
    timed: bool,
    shortest: u128,
    sum: u128,
    squares: u128,
    pipe: u64,
}

impl Statistics {
    /// Nothing yet. `timed` when packets are large enough to hold a time.
    pub(crate) fn new(timed: bool) -> Self {
        Self { timed, ..Self::default() }
    }

    /// One came back.
    pub(crate) fn receive(&mut self, took: Duration) {
        let microseconds = took.as_micros();
        self.shortest =
            if self.received == 0 { microseconds } else { self.shortest.min(microseconds) };
        self.received += 1;
        self.longest = Some(self.longest.unwrap_or_default().max(took));
        self.sum += microseconds;
        self.squares += microseconds * microseconds;
    }

    /// How many were on their way at once.
    pub(crate) fn pipe(&mut self, sent: u64, number: u64) {
        self.pipe = self.pipe.max(sent - number + 1);
    }

    /// Those of which something was heard.
    pub(crate) fn answered(&self) -> u64 {
        self.received + self.errors
    }

    /// The lines.
    pub(crate) fn text(&self, name: &str) -> String {
        let mut text = format!(
            "\n--- {name} ping statistics ---\n{} packets transmitted, {} received",
            self.sent, self.received
        );
        if self.duplicates > 0 {
            text.push_str(&format!(", +{} duplicates", self.duplicates));
        }
        if self.errors > 0 {
            text.push_str(&format!(", +{} errors", self.errors));
        }
        if self.sent > 0 {
            let lost = self.sent.saturating_sub(self.received) as f64 * 100.0 / self.sent as f64;
            let took = self.took.as_millis();
            text.push_str(&format!(", {}% packet loss, time {took}ms", significant(lost)));
        }
        text.push('\n');
        let mut between = "";
        if self.received > 0 && self.timed {
            let count = u128::from(self.received);
            let average = self.sum / count;
            let variance = (self.squares / count).saturating_sub(average * average);
            let longest = self.longest.unwrap_or_default().as_micros();
            let figures = [self.shortest, average, longest, variance.isqrt()];
            let figures = figures.map(|f| format!("{}.{:03}", f / 1000, f % 1000));
            text.push_str(&format!("rtt min/avg/max/mdev = {} ms", figures.join("/")));
            between = ", ";
        }
        if self.pipe > 1 {
            text.push_str(&format!("{between}pipe {}", self.pipe));
        }
        text + "\n"
    }
}

/// Six digits that count, as `%g` prints them.
fn significant(value: f64) -> String {
    let whole = if value >= 100.0 {
        3
    } else if value >= 10.0 {
        2
    } else {
        1
    };
    let text = format!("{value:.*}", 6 - whole);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Milliseconds with as many digits as make sense.
pub(crate) fn time(took: Duration) -> String {
    let us = took.as_micros();
    match us {
        99_950.. => format!("{}", (us + 500) / 1000),
        9_995.. => format!("{}.{}", (us + 50) / 1000, (us + 50) % 1000 / 100),
        1_000.. => format!("{}.{:02}", (us + 5) / 1000, (us + 5) % 1000 / 10),
        _ => format!("{}.{:03}", us / 1000, us % 1000),
    }
}

/// `[SECONDS.MICROSECONDS] `
pub(crate) fn stamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("[{}.{:06}] ", now.as_secs(), now.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_iputils() {
        let mut statistics = Statistics::new(true);
        statistics.sent = 3;
        statistics.receive(Duration::from_micros(1000));
        statistics.receive(Duration::from_micros(3000));
        statistics.took = Duration::from_millis(2004);
        assert_eq!(
            statistics.text("x"),
            "\n--- x ping statistics ---\n3 packets transmitted, 2 received, 33.3333% packet loss, time 2004ms\n\
             rtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms\n"
        );
        let lost = Statistics { sent: 1, ..Statistics::new(true) };
        assert!(
            lost.text("x")
                .ends_with("1 packets transmitted, 0 received, 100% packet loss, time 0ms\n\n")
        );
    }

    #[test]
    fn times_have_three_digits() {
        let of = |us| time(Duration::from_micros(us));
        assert_eq!(
            [of(21), of(1234), of(12_345), of(123_456)],
            ["0.021", "1.23", "12.3", "123"].map(String::from)
        );
    }
}
