//! Patterns for names: `*`, `?` and `[...]`, as glob(7) has them.

/// Whether `name` is as `pattern` says; `\` takes the meaning from what follows it.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last `*` did not fit: that `*` takes one more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
            continue;
        }
        match one(&pattern, p, name.get(n).copied().unwrap_or_default()) {
            Some(after) => (p, n) = (after, n + 1),
            None => match star {
                Some((at, taken)) => {
                    (p, n) = (at + 1, taken + 1);
                    star = Some((at, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

/// Where the pattern goes on when its part at `at` takes `c`.
fn one(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(at + 1),
        '\\' => (*pattern.get(at + 1)? == c).then_some(at + 2),
        '[' => set(pattern, at, c),
        other => (*other == c).then_some(at + 1),
    }
}

fn set(pattern: &[char], at: usize, c: char) -> Option<usize> {
    let mut next = at + 1;
    let negated = matches!(pattern.get(next), Some('!' | '^'));
    next += usize::from(negated);
    let first = next;
    let mut within = false;
    loop {
        let low = *pattern.get(next)?;
        if low == ']' && next > first {
            break;
        }
        let high = match (pattern.get(next + 1), pattern.get(next + 2)) {
            (Some('-'), Some(high)) if *high != ']' => {
                next += 2;
                *high
            }
            _ => low,
        };
        within |= (low..=high).contains(&c);
        next += 1;
    }
    (within != negated).then_some(next + 1)
}

/// Whether a text means more than itself.
pub(crate) fn is_pattern(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '*' | '?' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("*.conf", "x.conf", true),
            ("a?c", "abc", true),
            ("a[b-d]e", "ace", true),
            ("a[!b-d]e", "ace", false),
            ("a[]]e", "a]e", true),
            ("a[", "a[", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("*a*b*", "xxaxxbxx", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[a*?\\[\\]!^\\\\-]{0,20}", name in "[ab]{0,40}") {
            let _ = matches(&pattern, &name);
        }
    }
}
