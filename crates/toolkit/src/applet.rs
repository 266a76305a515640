//! What a command of ours is: its options, its help, and how its command line is parsed.

use crate::signals;
use std::{
    ffi::{OsStr, OsString},
    io::Write as _,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
};

/// One option.
pub(crate) struct Opt {
    /// The letter, or `'\0'` for none; `'#'` for a number by itself, as in `head -20`.
    pub(crate) short: char,
    /// The long name without dashes; also what [`Args`] knows it by.
    pub(crate) long: &'static str,
    /// What its value is called, or empty when it takes none; in brackets when it may be left out,
    /// and then it must be attached.
    pub(crate) value: &'static str,
    /// What it does, one line.
    pub(crate) help: &'static str,
}

/// One command.
pub(crate) struct Applet {
    /// Its name, also its file's.
    pub(crate) name: &'static str,
    /// What it does, one line.
    pub(crate) summary: &'static str,
    /// What follows the name on the usage lines, one a line. Where it has the word COMMAND, the
    /// options end at the first operand; where it has EXPRESSION, all words are operands.
    pub(crate) usage: &'static str,
    /// Its options; `--help` and `--version` come on top.
    pub(crate) options: &'static [Opt],
    /// Anything else a user must know; may be empty.
    pub(crate) notes: &'static str,
    /// A command line that works, and what it does.
    pub(crate) example: &'static str,
    /// Does it. The result is the exit status.
    pub(crate) run: fn(&Args) -> anyhow::Result<u8>,
}

/// What was wrong, in the words of the C library, without the number that Rust adds.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// A wrong command line: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// A usage error as the result of an applet.
pub(crate) fn usage_error<T>(text: impl Into<String>) -> anyhow::Result<T> {
    Err(UsageError(text.into()).into())
}

/// A parsed command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    given: Vec<(&'static str, OsString)>,
    /// For each of those how many operands came before it.
    places: Vec<usize>,
    /// What is neither option nor option's value, in order.
    pub(crate) operands: Vec<OsString>,
}

impl Args {
    /// Whether an option was given.
    pub(crate) fn has(&self, long: &str) -> bool {
        self.given.iter().any(|(name, _)| *name == long)
    }

    /// The value given last, if any.
    pub(crate) fn value(&self, long: &str) -> Option<&OsStr> {
        self.given.iter().rev().find(|(name, _)| *name == long).map(|(_, v)| v.as_os_str())
    }

    /// Every option given with its value, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        self.given.iter().map(|(name, value)| (*name, value.as_os_str()))
    }

    /// The same, and how many operands came before each.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (&'static str, &OsStr, usize)> {
        let places = self.given.iter().zip(&self.places);
        places.map(|((name, value), place)| (*name, value.as_os_str(), *place))
    }

    fn give(&mut self, name: &'static str, value: OsString) {
        self.given.push((name, value));
        self.places.push(self.operands.len());
    }

    /// Puts options before those that were given, as from the environment.
    pub(crate) fn precede(&mut self, options: Vec<(&'static str, OsString)>) {
        self.places.splice(0..0, options.iter().map(|_| 0));
        self.given.splice(0..0, options);
    }

    /// Takes the first operand as letters of options, whose values are the operands after it: the
    /// old way of `tar xzf FILE`.
    pub(crate) fn take_bundle(&mut self, options: &'static [Opt]) -> anyhow::Result<()> {
        let mut rest = std::mem::take(&mut self.operands).into_iter();
        let letters = rest.next().unwrap_or_default();
        let mut taken = 1;
        for letter in letters.as_bytes().iter().copied().map(char::from) {
            let Some(opt) = options.iter().find(|o| o.short == letter && letter != '\0') else {
                return usage_error(format!("unknown option {letter}"));
            };
            let value = if opt.value.is_empty() {
                OsString::new()
            } else {
                let lack = || UsageError(format!("option {letter} needs a {}", opt.value));
                rest.next().ok_or_else(lack)?
            };
            taken += usize::from(!opt.value.is_empty());
            self.give(opt.long, value);
        }
        for place in &mut self.places {
            *place = place.saturating_sub(taken);
        }
        self.operands = rest.collect();
        Ok(())
    }

    /// The value given last, as a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, long: &str) -> anyhow::Result<Option<T>> {
        match self.text(long)?.map(str::parse) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => usage_error(format!("the value of --{long} is not a number")),
        }
    }

    /// Every value given, in order.
    pub(crate) fn values<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a OsStr> {
        self.given.iter().filter(move |(name, _)| *name == long).map(|(_, v)| v.as_os_str())
    }

    /// The value given last, as text.
    pub(crate) fn text(&self, long: &str) -> anyhow::Result<Option<&str>> {
        let Some(value) = self.value(long) else { return Ok(None) };
        match value.to_str() {
            Some(text) => Ok(Some(text)),
            None => usage_error(format!("the value of --{long} is not UTF-8")),
        }
    }

    /// The operands as text, for commands whose operands are names, not paths.
    pub(crate) fn words(&self) -> anyhow::Result<Vec<&str>> {
        let words: Option<Vec<_>> = self.operands.iter().map(|o| o.to_str()).collect();
        words.ok_or_else(|| UsageError("an argument is not UTF-8".into()).into())
    }

    /// Refuses operands, for commands that take none.
    pub(crate) fn no_operands(&self) -> anyhow::Result<()> {
        match self.operands.first() {
            None => Ok(()),
            Some(extra) => usage_error(format!("unexpected argument {extra:?}")),
        }
    }
}

impl Applet {
    /// Runs with the command line `args`, argument 0 included, and returns the exit status.
    pub(crate) fn main(&self, args: Vec<OsString>) -> i32 {
        // Writing to a pipe that nobody reads ends us quietly, as it does other commands.
        let _ = uucore::signals::enable_pipe_errors();
        let args = args.into_iter().skip(1).collect::<Vec<_>>();
        let expression = self.usage.contains("EXPRESSION");
        let asked = if expression { args.len().min(1) } else { args.len() };
        if args.iter().take(asked).take_while(|a| *a != "--").any(|a| a == "--help") {
            return i32::from(std::io::stdout().write_all(self.help().as_bytes()).is_err());
        }
        if args.len() == 1 && args.iter().all(|a| a == "--version") {
            let text = format!("{} (Xenoboot toolkit {})\n", self.name, env!("CARGO_PKG_VERSION"));
            return i32::from(std::io::stdout().write_all(text.as_bytes()).is_err());
        }
        match self.parse(args).and_then(|args| (self.run)(&args)) {
            Ok(status) => i32::from(status),
            Err(error) => {
                let usage = error.is::<UsageError>();
                let hint =
                    if usage { format!(" (see {} --help)", self.name) } else { String::new() };
                let _ = writeln!(std::io::stderr(), "{}: {error:#}{hint}", self.name);
                if usage { 2 } else { 1 }
            }
        }
    }

    pub(crate) fn parse(&self, args: Vec<OsString>) -> anyhow::Result<Args> {
        let mut parsed = Args::default();
        let mut rest = args.into_iter();
        // Commands with an option --signal take -KILL and -9 for it.
        let signals = self.options.iter().find(|o| o.long == "signal");
        while let Some(arg) = rest.next() {
            if let (Some(opt), Some(name)) = (signals, signals::of_option(arg.as_bytes())) {
                parsed.give(opt.long, name.into());
                continue;
            }
            match arg.as_bytes() {
                _ if self.usage.contains("EXPRESSION") => parsed.operands.push(arg),
                b"--" => {
                    parsed.operands.extend(rest.by_ref());
                }
                [b'-', b'-', long @ ..] => self.parse_long(long, &mut rest, &mut parsed)?,
                // iproute2 and BIND have long options with one dash.
                [b'-', long @ ..] if matches!(self.name, "ip" | "nslookup") && long.len() > 1 => {
                    self.parse_long(long, &mut rest, &mut parsed)?;
                }
                // Settings may begin with a dash: what begins with no option's letter is one.
                [b'-', letter, ..]
                    if self.usage.contains("SETTING")
                        && self.options.iter().all(|o| o.short != char::from(*letter)) =>
                {
                    parsed.operands.push(arg);
                }
                [b'-', short @ ..] if !short.is_empty() => {
                    self.parse_short(short, &mut rest, &mut parsed)?;
                }
                _ => {
                    parsed.operands.push(arg);
                    if self.usage.contains("COMMAND") {
                        parsed.operands.extend(rest.by_ref());
                    }
                }
            }
        }
        Ok(parsed)
    }

    fn parse_long(
        &self,
        arg: &[u8],
        rest: &mut impl Iterator<Item = OsString>,
        parsed: &mut Args,
    ) -> anyhow::Result<()> {
        let (name, attached) = match arg.iter().position(|b| *b == b'=') {
            Some(at) => {
                let (name, value) = arg.split_at(at);
                (name, value.get(1..).map(<[u8]>::to_vec))
            }
            None => (arg, None),
        };
        let shown = String::from_utf8_lossy(name);
        let opt = self.long_option(name)?;
        let value = match (opt.value.is_empty(), attached) {
            (true, None) => OsString::new(),
            (false, None) if opt.value.starts_with('[') => OsString::new(),
            (true, Some(_)) => return usage_error(format!("option --{shown} takes no value")),
            (false, Some(value)) => OsString::from_vec(value),
            (false, None) => match rest.next() {
                Some(value) => value,
                None => return usage_error(format!("option --{shown} needs a {}", opt.value)),
            },
        };
        parsed.give(opt.long, value);
        Ok(())
    }

    /// The option of a long name, or of its beginning when no other option begins so.
    fn long_option(&self, name: &[u8]) -> anyhow::Result<&Opt> {
        let shown = String::from_utf8_lossy(name);
        if let Some(opt) = self.options.iter().find(|o| o.long.as_bytes() == name) {
            return Ok(opt);
        }
        let mut begun = self.options.iter().filter(|o| o.long.as_bytes().starts_with(name));
        match (begun.next(), begun.next()) {
            (Some(opt), None) => Ok(opt),
            (None, _) => usage_error(format!("unknown option --{shown}")),
            (Some(_), Some(_)) => usage_error(format!("option --{shown} is ambiguous")),
        }
    }

    fn parse_short(
        &self,
        letters: &[u8],
        rest: &mut impl Iterator<Item = OsString>,
        parsed: &mut Args,
    ) -> anyhow::Result<()> {
        let mut letters = letters;
        while let [letter, after @ ..] = letters {
            let shown = char::from(*letter);
            let number = self.options.iter().find(|o| o.short == '#' && !o.value.is_empty());
            if let (Some(opt), true) = (number, letter.is_ascii_digit()) {
                let end = letters.iter().position(|b| !b.is_ascii_digit()).unwrap_or(letters.len());
                let (digits, after) = letters.split_at(end);
                parsed.give(opt.long, OsString::from_vec(digits.to_vec()));
                letters = after;
                continue;
            }
            let Some(opt) = self.options.iter().find(|o| o.short == shown && o.short != '\0')
            else {
                return usage_error(format!("unknown option -{shown}"));
            };
            letters = after;
            let value = if opt.value.is_empty() {
                OsString::new()
            } else if !after.is_empty() || opt.value.starts_with('[') {
                letters = &[];
                OsString::from_vec(after.to_vec())
            } else {
                match rest.next() {
                    Some(value) => value,
                    None => return usage_error(format!("option -{shown} needs a {}", opt.value)),
                }
            };
            parsed.give(opt.long, value);
        }
        Ok(())
    }

    /// The text of `--help`.
    pub(crate) fn help(&self) -> String {
        let mut text = String::new();
        for (n, line) in self.usage.split('\n').enumerate() {
            let label = if n == 0 { "Usage:" } else { "      " };
            text.push_str(format!("{label} {} {line}", self.name).trim_end());
            text.push('\n');
        }
        text.push_str(&format!("\n{}\n\nOptions:\n", self.summary));
        for opt in self.options {
            let short = if opt.short == '\0' { "   ".into() } else { format!("-{},", opt.short) };
            let value =
                if opt.value.is_empty() { String::new() } else { format!(" {}", opt.value) };
            let left = format!("{short} --{}{value}", opt.long);
            text.push_str(&format!("  {left:<26} {}\n", opt.help));
        }
        text.push_str(&format!("  {:<26} {}\n", "    --help", "print this"));
        if !self.options.iter().any(|option| option.long == "version") {
            text.push_str(&format!(
                "  {:<26} {}\n",
                "    --version", "print which toolkit it is of"
            ));
        }
        if !self.notes.is_empty() {
            text.push_str(&format!("\n{}\n", self.notes));
        }
        text.push_str(&format!("\nExample:\n  {}\n", self.example.replace('\n', "\n  ")));
        text
    }
}
