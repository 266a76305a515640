//! What the agent knows about itself: shown on the screen and told by `xb status`.

use std::{collections::VecDeque, time::Duration};
use xenoboot_wire::Code;

/// Most lines of output that are kept for the screen.
const OUTPUT_LINES: usize = 25;

/// What is known now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Version of the image.
    pub version: String,
    /// The name stamped into the image, if any.
    pub machine: Option<String>,
    /// What a person compares with what the server shows.
    pub fingerprint: Option<String>,
    /// The network cards.
    pub cards: Vec<Card>,
    /// The phase, and when it began (milliseconds since the kernel started).
    pub phase: (&'static str, u64),
    /// The server in use or tried last.
    pub server: Option<String>,
    /// Whether it is connected.
    pub connected: bool,
    /// The bundle that runs or ran last.
    pub bundle: Option<String>,
    /// `xb progress`: percent and text.
    pub progress: Option<(u8, String)>,
    /// What failed last and has not worked since.
    pub trouble: Option<Trouble>,
    /// The last lines of the script's output.
    pub output: VecDeque<String>,
}

/// A network card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Interface name.
    pub name: String,
    /// Whether there is carrier.
    pub link: bool,
    /// Addresses with prefix length, or a word about how far it has got.
    pub addresses: Vec<String>,
}

/// Something that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The error code.
    pub code: Code,
    /// Why, in words.
    pub cause: String,
    /// What happens now.
    pub next: Next,
}

/// What happens after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is tried again at this time (milliseconds since the kernel started).
    Retry {
        /// When.
        at_ms: u64,
    },
    /// In words.
    Text(String),
}

impl Next {
    /// Again after `delay`.
    #[must_use]
    pub fn after(delay: Duration) -> Self {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self::Retry { at_ms: crate::time::uptime_ms().saturating_add(delay) }
    }

    /// In words, as of `now_ms`.
    #[must_use]
    pub fn describe(&self, now_ms: u64) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Retry { at_ms } if *at_ms <= now_ms => "trying again now".to_owned(),
            Self::Retry { at_ms } => {
                format!("trying again in {} s", (at_ms - now_ms).div_ceil(1000))
            }
        }
    }
}

impl Status {
    /// Takes a line of output in.
    pub fn push_output(&mut self, line: &str) {
        if self.output.len() == OUTPUT_LINES {
            self.output.pop_front();
        }
        self.output.push_back(crate::text::ascii(&crate::text::cut(line, 200)).into_owned());
    }

    /// Lines of `key: value`, for `xb status`.
    #[must_use]
    pub fn describe(&self, now_ms: u64) -> String {
        let mut out = String::new();
        let mut add = |key: &str, value: &str| out.extend([key, ": ", value, "\n"]);
        add("version", &self.version);
        add("machine", self.machine.as_deref().unwrap_or(""));
        add("fingerprint", self.fingerprint.as_deref().unwrap_or(""));
        for card in &self.cards {
            let link = if card.link { "up" } else { "down" };
            add("card", &format!("{} link {link} {}", card.name, card.addresses.join(" ")));
        }
        add("phase", self.phase.0);
        add("server", self.server.as_deref().unwrap_or(""));
        add("connected", if self.connected { "yes" } else { "no" });
        add("bundle", self.bundle.as_deref().unwrap_or(""));
        if let Some(trouble) = &self.trouble {
            let next = trouble.next.describe(now_ms);
            add(
                "error",
                &format!("{} {}: {}; {next}", trouble.code, trouble.code.title(), trouble.cause),
            );
        }
        out
    }
}
