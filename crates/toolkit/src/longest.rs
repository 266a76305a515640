//! Regular expressions of which the longest of the leftmost matches counts, as POSIX wants (XBD 9.1). The `regex`
//! crate takes the first alternative that matches: of `f|foo` always the `f`.

use regex::bytes::{Regex, RegexBuilder};
use regex_automata::{
    Anchored, Input, MatchKind,
    hybrid::dfa::{Cache, DFA},
    nfa::thompson,
    util::syntax,
};
use std::cell::{OnceCell, RefCell};

/// Where the groups are, group 0 first.
pub(crate) type Groups = Vec<Option<(usize, usize)>>;

/// A compiled expression, in the syntax of the `regex` crate.
#[derive(Debug)]
pub(crate) struct Longest {
    /// Finds where a match begins.
    regex: Regex,
    /// Finds where the longest one from there ends; absent where there is no choice.
    ends: Option<Box<Ends>>,
    /// The expression up to the end of the text: the groups of a match that `regex` would end earlier.
    whole: OnceCell<Option<Regex>>,
    unicode: bool,
    any_line: bool,
}

#[derive(Debug)]
struct Ends {
    automaton: DFA,
    cache: RefCell<Cache>,
}

impl Longest {
    /// Compiles. `unicode`: characters rather than bytes; `any_line`: `.` is also the end of a line.
    pub(crate) fn new(source: &str, unicode: bool, any_line: bool) -> Result<Self, regex::Error> {
        let regex = build(source, unicode, any_line)?;
        let chooses =
            source.contains('|') || (source.contains('(') && source.contains(['*', '+', '?', '{']));
        let ends = if chooses { Ends::new(source, unicode, any_line).map(Box::new) } else { None };
        Ok(Self { regex, ends, whole: OnceCell::new(), unicode, any_line })
    }

    /// How many groups there are, the whole not counted.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }

    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// The first match at or behind `from`.
    pub(crate) fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let found = self.regex.find_at(text, from)?;
        Some((found.start(), self.end(text, found.start(), found.end())))
    }

    /// The groups of the first match at or behind `from`.
    pub(crate) fn captures(&self, text: &[u8], from: usize) -> Option<Groups> {
        let found = self.regex.captures_at(text, from)?;
        let first = found.get(0)?;
        let end = self.end(text, first.start(), first.end());
        let longer = || {
            let whole = format!("(?:{})\\z", self.regex.as_str());
            let whole =
                self.whole.get_or_init(|| build(&whole, self.unicode, self.any_line).ok()).as_ref();
            whole?.captures_at(text.get(..end)?, first.start())
        };
        let found = if end > first.end() { longer().unwrap_or(found) } else { found };
        let span = |group: regex::bytes::Match<'_>| (group.start(), group.end());
        Some(found.iter().map(|group| group.map(span)).collect())
    }

    /// The matches from left to right; one that is empty never follows at once on another.
    pub(crate) fn all<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
        let (mut from, mut last) = (0, None);
        std::iter::from_fn(move || {
            loop {
                let (start, end) = self.find(text, from).filter(|_| from <= text.len())?;
                if start == end && last == Some(end) {
                    from = end + 1;
                    if from > text.len() {
                        return None;
                    }
                    continue;
                }
                (from, last) = (end, Some(end));
                return Some((start, end));
            }
        })
    }

    fn end(&self, text: &[u8], start: usize, first: usize) -> usize {
        let ends = self.ends.as_ref();
        ends.and_then(|ends| ends.longest(text, start)).map_or(first, |end| end.max(first))
    }
}

impl Ends {
    fn new(source: &str, unicode: bool, any_line: bool) -> Option<Self> {
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .unicode_word_boundary(true)
            .skip_cache_capacity_check(true);
        let syntax =
            syntax::Config::new().unicode(unicode).utf8(false).dot_matches_new_line(any_line);
        let automaton = DFA::builder()
            .configure(config)
            .syntax(syntax)
            .thompson(thompson::Config::new().utf8(false))
            .build(source)
            .ok()?;
        let cache = RefCell::new(automaton.create_cache());
        Some(Self { automaton, cache })
    }

    /// Nothing, too, where the automaton gives up: a word's boundary beside what is not ASCII.
    fn longest(&self, text: &[u8], start: usize) -> Option<usize> {
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let found = self.automaton.try_search_fwd(&mut self.cache.borrow_mut(), &input);
        found.ok().flatten().map(|found| found.offset())
    }
}

fn build(source: &str, unicode: bool, any_line: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source).unicode(unicode).dot_matches_new_line(any_line).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, text: &str) -> Option<(usize, usize)> {
        Longest::new(source, true, true).unwrap().find(text.as_bytes(), 0)
    }

    #[test]
    fn the_longest_of_the_leftmost_counts() {
        assert_eq!(found("f|fo|foo", "a foo"), Some((2, 5)));
        assert_eq!(found("a?(ab)?", "ab"), Some((0, 2)));
        assert_eq!(found("b|a|ab", "xab"), Some((1, 3)));
        assert_eq!(found("x|(a|ab)(c|bcd)", "abcd"), Some((0, 4)));
        assert_eq!(found(r"\bna|naïve\b", "naïve"), Some((0, 2)), "given up beside ï");
        assert_eq!(found("a|b", "x"), None);
    }

    #[test]
    fn groups_are_those_of_the_longest() {
        let regex = Longest::new("(a|ab)(c|bcd)?", true, true).unwrap();
        let groups = regex.captures(b"xabcd", 0).unwrap();
        assert_eq!(groups, [Some((1, 5)), Some((1, 2)), Some((2, 5))]);
    }

    #[test]
    fn empty_matches_stand_apart() {
        let all = |source, text: &str| {
            let regex = Longest::new(source, true, true).unwrap();
            regex.all(text.as_bytes()).collect::<Vec<_>>()
        };
        assert_eq!(all("x*", "axb"), [(0, 0), (1, 2), (3, 3)]);
        assert_eq!(all("a|aa|", "aaa"), [(0, 2), (2, 3)]);
        assert_eq!(all("", ""), [(0, 0)]);
    }

    proptest::proptest! {
        #[test]
        fn never_shorter_than_the_crate_finds(source in "[ab(|)?*]{0,12}", text in "[ab]{0,8}") {
            if let Ok(regex) = Longest::new(&source, true, true) {
                let plain = Regex::new(&source).unwrap().find(text.as_bytes()).map(|m| (m.start(), m.end()));
                let ours = regex.find(text.as_bytes(), 0);
                assert_eq!(plain.map(|m| m.0), ours.map(|m| m.0));
                assert!(plain.map(|m| m.1) <= ours.map(|m| m.1));
                assert_eq!(regex.captures(text.as_bytes(), 0).map(|g| g[0]), ours.map(Some));
            }
        }
    }
}
