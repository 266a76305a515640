//! Which of two versions is newer.

use std::cmp::Ordering;

/// Compares by the rules of the UAPI version format specification: numbers by value, letters by ASCII, `~`
/// before nothing, then `-`, `^` and `.`, each segment for itself.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left, right);
    loop {
        a = a.trim_start_matches(|c: char| !is_known(c));
        b = b.trim_start_matches(|c: char| !is_known(c));
        let order = has(b, '~').cmp(&has(a, '~'));
        if order != Ordering::Equal {
            return order;
        }
        if a.is_empty() || b.is_empty() {
            return a.len().min(1).cmp(&b.len().min(1));
        }
        for mark in ['-', '^', '.'] {
            let order = has(b, mark).cmp(&has(a, mark));
            if order != Ordering::Equal {
                return order;
            }
        }
        if has(a, '~') || has(a, '-') || has(a, '^') || has(a, '.') {
            (a, b) = (skip(a), skip(b));
            continue;
        }
        let digits = first(a).is_ascii_digit() || first(b).is_ascii_digit();
        let same = |c: char| if digits { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
        let (x, after_a) = split(a, same);
        let (y, after_b) = split(b, same);
        let order = if digits { numbers(x, y) } else { x.cmp(y) };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (after_a, after_b);
    }
}

fn is_known(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '~' | '-' | '^' | '.')
}

fn first(text: &str) -> char {
    text.chars().next().unwrap_or_default()
}

fn has(text: &str, mark: char) -> bool {
    text.starts_with(mark)
}

fn skip(text: &str) -> &str {
    text.get(1..).unwrap_or_default()
}

fn split(text: &str, same: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !same(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// Of any length. No digits are less than some.
fn numbers(a: &str, b: &str) -> Ordering {
    let bare = |text: &str| text.trim_start_matches('0').len();
    let order = a.is_empty().cmp(&b.is_empty()).reverse();
    order
        .then(bare(a).cmp(&bare(b)))
        .then_with(|| a.trim_start_matches('0').cmp(b.trim_start_matches('0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_order_of_the_specification() {
        let rising = ["5.9", "5.10~rc1", "5.10", "5.10-1", "5.10^1", "5.10.1", "5.11"];
        for pair in rising.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        for (a, b) in [("11", "11"), ("systemd-123", "systemd-123"), ("bar-123", "bar_123")] {
            let expected = if b.contains('_') { Ordering::Less } else { Ordering::Equal };
            assert_eq!(compare(a, b), expected, "{a} {b}");
        }
        assert_eq!(compare("123a", "123"), Ordering::Greater);
        assert_eq!(compare("123~rc1", "123"), Ordering::Less);
        assert_eq!(compare("124", "99"), Ordering::Greater);
        assert_eq!(compare("0-rescue", "6.1.0-13"), Ordering::Less);
        assert_eq!(compare("007", "7"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a-c0-2.~^_-]{0,8}", b in "[a-c0-2.~^_-]{0,8}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
        }
    }
}
