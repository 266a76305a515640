//! `:s`.

use super::{
    chars,
    history::Pos,
    model::{Editor, lines_of},
    pattern::{Groups, Pattern},
    search::until,
    text::Block,
};
use crate::terminal::Key;

/// The last one, to do again.
#[derive(Clone, Debug)]
pub(crate) struct Substitution {
    pattern: String,
    replacement: String,
    all: bool,
    confirm: bool,
    ignore_case: bool,
    count_only: bool,
    quiet: bool,
}

/// One that asks.
#[derive(Debug)]
pub(crate) struct Asking {
    what: Substitution,
    pattern: Pattern,
    line: usize,
    from: usize,
    last: usize,
    /// The match that is asked about.
    found: Groups,
    done: usize,
}

impl Editor {
    /// `:[range]s`; `args` begins with the delimiter, or the last one is done again.
    pub(super) fn substitute(&mut self, first: usize, last: usize, args: &str) {
        let Some((what, count)) = self.substitution(args) else { return };
        let (first, last) = match count {
            Some(count) => (last, last.saturating_add(count - 1).min(self.text.last())),
            None => (first, last),
        };
        self.search = Some((what.pattern.clone(), false));
        self.substitution = Some(what.clone());
        let pattern = match Pattern::new(&what.pattern, self.options.ignorecase || what.ignore_case)
        {
            Ok(pattern) => pattern,
            Err(text) => return self.fail(text),
        };
        if what.confirm {
            let asking =
                Asking { what, pattern, line: first, from: 0, last, found: Vec::new(), done: 0 };
            return self.ask_next(asking);
        }
        self.replace_in(first, last, &what, &pattern);
    }

    fn substitution(&mut self, args: &str) -> Option<(Substitution, Option<usize>)> {
        let delimiter =
            args.chars().next().filter(|c| c.is_ascii_punctuation() && !"\"|&".contains(*c));
        let (mut what, mut flags) = match delimiter {
            Some(delimiter) => {
                let rest = args.get(delimiter.len_utf8()..).unwrap_or_default();
                let (mut pattern, rest) = until(rest, delimiter);
                if pattern.is_empty() {
                    pattern =
                        self.search.as_ref().map(|(last, _)| last.clone()).unwrap_or_default();
                }
                let (replacement, flags) = until(rest.unwrap_or_default(), delimiter);
                let replacement = self.with_last(&replacement);
                let (all, confirm) = (false, false);
                let (ignore_case, count_only, quiet) = (false, false, false);
                let what = Substitution {
                    pattern,
                    replacement,
                    all,
                    confirm,
                    ignore_case,
                    count_only,
                    quiet,
                };
                (what, flags.unwrap_or_default())
            }
            None => {
                let Some(last) = self.substitution.clone() else {
                    self.fail("E35: No previous regular expression");
                    return None;
                };
                (Substitution { all: false, confirm: false, ..last }, args)
            }
        };
        if let Some(rest) = flags.strip_prefix('&') {
            let last = self.substitution.as_ref();
            what.all = last.is_some_and(|last| last.all);
            what.confirm = last.is_some_and(|last| last.confirm);
            flags = rest;
        }
        let letters = flags.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        for flag in flags.chars().take(flags.len() - letters.len()) {
            match flag {
                'g' => what.all = !what.all,
                'c' => what.confirm = !what.confirm,
                'i' => what.ignore_case = true,
                'I' => what.ignore_case = false,
                'n' => what.count_only = true,
                'e' => what.quiet = true,
                _ => {
                    self.fail("E488: Trailing characters");
                    return None;
                }
            }
        }
        let count = letters.trim();
        if count.is_empty() {
            return Some((what, None));
        }
        match count.parse() {
            Ok(count) if count > 0 => Some((what, Some(count))),
            _ => {
                self.fail("E488: Trailing characters");
                None
            }
        }
    }

    /// `~` is the last replacement.
    fn with_last(&self, text: &str) -> String {
        let last = self.substitution.as_ref().map_or("", |last| last.replacement.as_str());
        let mut out = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match (c, rest.clone().next()) {
                ('\\', Some('~')) => {
                    rest.next();
                    out.push('~');
                }
                ('\\', Some(next)) => {
                    rest.next();
                    out.extend(['\\', next]);
                }
                ('~', _) => out.push_str(last),
                _ => out.push(c),
            }
        }
        out
    }

    /// All at once: one change from the first line that differs to the last.
    fn replace_in(&mut self, first: usize, last: usize, what: &Substitution, pattern: &Pattern) {
        let (mut new, mut begin, mut end) = (Block::default(), None, first);
        let (mut hits, mut lines, mut cursor) = (0, 0, 0);
        let mut same = Block::default();
        for number in first..=last.min(self.text.last()) {
            let line = self.text.line(number);
            let Some((made, count)) = replaced(line, what, pattern) else {
                if begin.is_some() {
                    same.push(line);
                }
                continue;
            };
            begin = begin.or(Some(number));
            end = number + 1;
            lines_of(&same).for_each(|line| new.push(line));
            same = Block::default();
            made.split(|byte| *byte == b'\n').for_each(|line| new.push(line));
            (hits, lines, cursor) = (hits + count, lines + 1, new.count());
        }
        let Some(begin) = begin else {
            if !what.quiet {
                self.fail(format!("E486: Pattern not found: {}", what.pattern));
            }
            return;
        };
        if what.count_only {
            return self.say(format!("{hits} matches on {lines} lines"));
        }
        self.set_context();
        self.change(begin, end - begin, new);
        self.cursor = Pos::new(begin + cursor - 1, 0);
        self.cursor.col = self.first_filled(self.cursor.line);
        self.want = None;
        if lines > 2 {
            self.say(format!("{hits} substitutions on {lines} lines"));
        }
    }

    fn ask_next(&mut self, mut asking: Asking) {
        while asking.line <= asking.last.min(self.text.last()) {
            let line = self.text.line(asking.line);
            let fits = asking.from == 0 || asking.from < line.len();
            let found = asking.pattern.groups(line, asking.from).filter(|_| fits);
            if let Some(groups) = found {
                let (begin, _) = groups.first().copied().flatten().unwrap_or_default();
                self.cursor = Pos::new(asking.line, begin);
                self.say(format!("replace with {} (y/n/a/q/l)?", asking.what.replacement));
                asking.found = groups;
                self.asking = Some(asking);
                return;
            }
            asking.line += 1;
            asking.from = 0;
        }
        self.asked(&asking);
    }

    fn asked(&mut self, asking: &Asking) {
        self.message = None;
        if asking.done == 0 {
            return;
        }
        self.cursor.col = 0;
        self.clamp();
        self.say(format!("{} substitutions", asking.done));
    }

    /// What was answered.
    pub(super) fn answer(&mut self, key: Key) {
        let Some(mut asking) = self.asking.take() else { return };
        match key {
            Key::Char('y' | 'l') => {
                self.replace_one(&mut asking);
                if key == Key::Char('l') {
                    return self.asked(&asking);
                }
            }
            Key::Char('n') => {
                let (begin, end) = asking.found.first().copied().flatten().unwrap_or_default();
                let next = chars::after(self.text.line(asking.line), begin).max(begin + 1);
                asking.from = if asking.what.all { end.max(next) } else { usize::MAX };
            }
            Key::Char('a') => {
                while self.asking.is_some() || !asking.found.is_empty() {
                    self.replace_one(&mut asking);
                    self.ask_next(asking);
                    let Some(next) = self.asking.take() else { return };
                    asking = next;
                }
            }
            Key::Char('q') | Key::Escape | Key::Ctrl('c') => return self.asked(&asking),
            _ => {
                self.asking = Some(asking);
                return;
            }
        }
        self.ask_next(asking);
    }

    fn replace_one(&mut self, asking: &mut Asking) {
        let line = self.text.line(asking.line).to_vec();
        let (begin, end) = asking.found.first().copied().flatten().unwrap_or_default();
        let mut made = line.get(..begin).unwrap_or_default().to_vec();
        made.extend(expand(&asking.what.replacement, &line, &asking.found));
        let behind = made.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len);
        let more = super::text::ends(&made);
        let rest = line.get(end..).unwrap_or_default();
        // Nothing matched: the next character is not looked at again.
        let skip = if begin == end { chars::after(rest, 0).max(1) } else { 0 };
        made.extend(rest);
        let mut block = Block::default();
        made.split(|byte| *byte == b'\n').for_each(|line| block.push(line));
        self.change(asking.line, 1, block);
        asking.line += more;
        asking.last += more;
        asking.from = if asking.what.all { behind + skip } else { usize::MAX };
        asking.done += 1;
    }
}

/// The line with its matches replaced, and how many there were; `\n` where it is to be cut.
fn replaced(line: &[u8], what: &Substitution, pattern: &Pattern) -> Option<(Vec<u8>, usize)> {
    let (mut out, mut copied, mut from, mut hits) = (Vec::new(), 0, 0, 0);
    let mut before = None;
    while let Some(groups) = pattern.groups(line, from) {
        let (begin, end) = groups.first().copied().flatten()?;
        if begin == end && before == Some(end) {
            from = chars::after(line, from);
        } else {
            out.extend(line.get(copied..begin).unwrap_or_default());
            out.extend(expand(&what.replacement, line, &groups));
            (copied, before, hits) = (end, Some(end), hits + 1);
            from = if begin == end { chars::after(line, end) } else { end };
            if !what.all {
                break;
            }
        }
        if from >= line.len() {
            break;
        }
    }
    out.extend(line.get(copied..).unwrap_or_default());
    (hits > 0).then_some((out, hits))
}

/// A replacement with what was matched.
fn expand(replacement: &str, line: &[u8], groups: &Groups) -> Vec<u8> {
    let group = |number: usize| {
        let range = groups.get(number).copied().flatten();
        range.and_then(|(begin, end)| line.get(begin..end)).unwrap_or_default()
    };
    let mut out = Cased { out: Vec::new(), all: None, next: None };
    let mut rest = replacement.chars();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.add(group(0)),
            '\\' => match rest.next() {
                Some(digit @ '0'..='9') => out.add(group(digit.to_digit(10).unwrap_or(0) as usize)),
                Some('n') => out.add(b"\0"),
                Some('r') => out.add(b"\n"),
                Some('t') => out.add(b"\t"),
                Some(how @ ('u' | 'l')) => out.next = Some(how == 'u'),
                Some(how @ ('U' | 'L')) => out.all = Some(how == 'U'),
                Some('e' | 'E') => out.all = None,
                Some(other) => out.add(other.to_string().as_bytes()),
                None => out.add(b"\\"),
            },
            '\r' => out.add(b"\n"),
            c => out.add(c.to_string().as_bytes()),
        }
    }
    out.out
}

/// Text whose case changes as it is added.
struct Cased {
    out: Vec<u8>,
    /// Capitals, or small letters.
    all: Option<bool>,
    next: Option<bool>,
}

impl Cased {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.out.push(match self.next.take().or(self.all) {
                Some(true) => byte.to_ascii_uppercase(),
                Some(false) => byte.to_ascii_lowercase(),
                None => *byte,
            });
        }
    }
}
