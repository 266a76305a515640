//! `modules.softdep`: `softdep NAME pre: A B post: C` (modprobe.d(5)).

use std::collections::HashMap;

/// What modules want before and after themselves without needing it.
#[derive(Debug, Default)]
pub(super) struct Softdeps(HashMap<String, Lists>);

#[derive(Debug, Default)]
struct Lists {
    before: Vec<String>,
    after: Vec<String>,
}

impl Softdeps {
    /// Lines of other shapes are comments or of newer versions, and are skipped; a name before the
    /// first `pre:` or `post:` has no meaning.
    pub(super) fn parse(text: &str) -> Self {
        let mut all: HashMap<String, Lists> = HashMap::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some("softdep"), Some(name)) = (words.next(), words.next()) else { continue };
            let lists = all.entry(super::normal(name)).or_default();
            let mut into = None;
            for word in words {
                match (word, into) {
                    ("pre:" | "post:", _) => into = Some(word),
                    (_, Some("pre:")) => lists.before.push(word.to_owned()),
                    (_, Some(_)) => lists.after.push(word.to_owned()),
                    (_, None) => {}
                }
            }
        }
        Self(all)
    }

    pub(super) fn before(&self, module: &str) -> &[String] {
        self.0.get(module).map_or(&[], |lists| &lists.before)
    }

    pub(super) fn after(&self, module: &str) -> &[String] {
        self.0.get(module).map_or(&[], |lists| &lists.after)
    }
}
