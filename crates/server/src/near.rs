//! Names that somebody may have meant.

/// Most suggestions.
const MOST: usize = 3;

/// Those of `names` that resemble `wanted`, the most similar first, at most three.
pub(crate) fn near(wanted: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut found: Vec<(usize, String)> = names
        .into_iter()
        .filter_map(|name| {
            let distance = distance(wanted, &name);
            let close = distance <= 1 + wanted.len() / 4;
            let within = wanted.len() >= 2 && (name.contains(wanted) || name.starts_with(wanted));
            (close || within).then_some((distance, name))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).take(MOST).collect()
}

/// Levenshtein's edit distance, in characters.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (slot, cb) in row.iter_mut().skip(1).zip(b.chars()) {
            let replaced = corner + usize::from(ca != cb);
            corner = *slot;
            left = replaced.min(*slot + 1).min(left + 1);
            *slot = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, d) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn the_most_similar_first() {
        let names = || ["cupboard", "cupboards", "attic", "web-1", "web-2"].map(str::to_owned);
        assert_eq!(near("cupbord", names()), ["cupboard", "cupboards"]);
        assert_eq!(near("web", names()), ["web-1", "web-2"]);
        assert!(near("zzzz", names()).is_empty());
    }
}
