//! Which machines an assignment by labels is for: terms of which a machine must meet each.

use std::{collections::BTreeMap, fmt};

/// Most terms of a selector.
const MAX_TERMS: usize = 16;

/// Longest key or value, bytes.
const MAX: usize = 64;

/// A selector, in its one form: terms in order, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector(Vec<Term>);

/// One term.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Term {
    pub(crate) key: String,
    /// `None`: any value.
    pub(crate) value: Option<String>,
    /// Whether there must be such a label, or must be none.
    pub(crate) wanted: bool,
}

/// The text is no selector.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a term of a selector")]
pub(crate) struct NotATerm(pub(crate) String);

/// Whether it can be a label's key or value: letters, digits, `-`, `_`, `.`, `/`, `:`.
pub(crate) fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:".contains(&b);
    (1..=MAX).contains(&text.len()) && text.bytes().all(plain)
}

impl Selector {
    /// Reads `rack=a3,role!=db,ssd,!old`.
    pub(crate) fn parse(text: &str) -> Result<Self, NotATerm> {
        let mut terms = text.split(',').map(Term::parse).collect::<Result<Vec<_>, _>>()?;
        terms.sort();
        terms.dedup();
        if terms.len() > MAX_TERMS {
            return Err(NotATerm(text.chars().take(MAX).collect()));
        }
        Ok(Self(terms))
    }

    pub(crate) fn terms(&self) -> &[Term] {
        &self.0
    }

    /// The first term that a machine with these labels does not meet.
    pub(crate) fn unmet(&self, labels: &BTreeMap<String, String>) -> Option<&Term> {
        self.0.iter().find(|term| {
            let has = labels.get(&term.key);
            let has = has.is_some_and(|has| term.value.as_ref().is_none_or(|value| value == has));
            has != term.wanted
        })
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, NotATerm> {
        let text = text.trim();
        let (key, value, wanted) = match (text.split_once("!="), text.split_once('=')) {
            (Some((key, value)), _) => (key, Some(value), false),
            (None, Some((key, value))) => (key, Some(value.trim_start_matches('=')), true),
            (None, None) => match text.strip_prefix('!') {
                Some(key) => (key, None, false),
                None => (text, None, true),
            },
        };
        let (key, value) = (key.trim(), value.map(str::trim));
        if !is_word(key) || !value.is_none_or(is_word) {
            return Err(NotATerm(text.chars().take(2 * MAX).collect()));
        }
        Ok(Self { key: key.to_owned(), value: value.map(str::to_owned), wanted })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, self.wanted) {
            (Some(value), true) => write!(f, "{}={value}", self.key),
            (Some(value), false) => write!(f, "{}!={value}", self.key),
            (None, true) => write!(f, "{}", self.key),
            (None, false) => write!(f, "!{}", self.key),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.0.iter().enumerate() {
            write!(f, "{}{term}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form() {
        for (text, form) in [
            ("rack=a3", "rack=a3"),
            (" role != db , rack==a3", "rack=a3,role!=db"),
            ("ssd,!old,ssd", "!old,ssd"),
        ] {
            let mut terms: Vec<&str> = form.split(',').collect();
            let shown = Selector::parse(text).unwrap().to_string();
            let mut found: Vec<&str> = shown.split(',').collect();
            terms.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, terms);
            assert_eq!(Selector::parse(&shown).unwrap().to_string(), shown);
        }
        for bad in ["", ",", "a=", "=b", "a b", "a=b=c", "!a=b", "ä", &"x,".repeat(40)] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_term_must_be_met() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let selector = Selector::parse("rack=a3,role!=db,ssd,!old").unwrap();
        let unmet =
            |pairs: &[(&str, &str)]| selector.unmet(&labels(pairs)).map(ToString::to_string);
        assert_eq!(unmet(&[("rack", "a3"), ("ssd", "2")]), None);
        assert_eq!(unmet(&[("rack", "a3"), ("ssd", "2"), ("role", "web")]), None);
        assert_eq!(unmet(&[("rack", "a4"), ("ssd", "2")]).as_deref(), Some("rack=a3"));
        assert_eq!(
            unmet(&[("rack", "a3"), ("ssd", "2"), ("role", "db")]).as_deref(),
            Some("role!=db")
        );
        assert_eq!(unmet(&[("rack", "a3")]).as_deref(), Some("ssd"));
        assert_eq!(unmet(&[("rack", "a3"), ("ssd", ""), ("old", "")]).as_deref(), Some("!old"));
    }
}
