//! How one list of lines became another (E. Myers, "An O(ND) Difference Algorithm", 1986, in its form
//! with linear memory), and how GNU's `diff` shows it.

mod files;
mod functions;
mod look;
mod merged;
mod names;
mod print;
mod same;
mod scripts;
pub(crate) mod settings;
mod side_by_side;
pub(crate) mod tree;

use std::{borrow::Cow, collections::HashMap};

/// Which lines of either side are not in the other.
pub(crate) struct Changed {
    pub(crate) old: Vec<bool>,
    pub(crate) new: Vec<bool>,
}

/// A place where they differ: lines `old.0..old.1` became `new.0..new.1`, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) old: (usize, usize),
    pub(crate) new: (usize, usize),
    /// Of a kind that does not count.
    pub(crate) ignored: bool,
}

impl Change {
    /// Whether lines were added (`a`), deleted (`d`) or changed (`c`).
    fn letter(&self) -> char {
        match (self.old.1 > self.old.0, self.new.1 > self.new.0) {
            (true, true) => 'c',
            (true, false) => 'd',
            _ => 'a',
        }
    }
}

/// Compares lists of lines, given as what is compared of each. Unless the result must be `minimal`,
/// a search that takes long settles for a good one.
pub(crate) fn compare(old: &[Cow<'_, [u8]>], new: &[Cow<'_, [u8]>], minimal: bool) -> Vec<Change> {
    let enough = (old.len() + new.len()).isqrt().max(LEAST_PATIENCE);
    patiently(old, new, if minimal { usize::MAX } else { enough })
}

/// Compares; `patience` is that of [`Search`].
fn patiently(old: &[Cow<'_, [u8]>], new: &[Cow<'_, [u8]>], patience: usize) -> Vec<Change> {
    let mut numbers: HashMap<&[u8], usize> = HashMap::new();
    let mut ids = |line| {
        let next = numbers.len();
        *numbers.entry(line).or_insert(next)
    };
    let a: Vec<usize> = old.iter().map(|line| ids(line.as_ref())).collect();
    let b: Vec<usize> = new.iter().map(|line| ids(line.as_ref())).collect();
    let count = numbers.len();
    // A line that the other side has nowhere is changed, and needs no search.
    let (at_a, at_b) = (shared(&a, &b, count), shared(&b, &a, count));
    let few = |lines: &[usize], places: &[usize]| -> Vec<usize> {
        places.iter().filter_map(|at| lines.get(*at).copied()).collect()
    };
    let (few_a, few_b) = (few(&a, &at_a), few(&b, &at_b));
    let mut found = Changed { old: vec![false; few_a.len()], new: vec![false; few_b.len()] };
    Search::new(&few_a, &few_b, &mut found, patience).run();
    let mut marks_old = spread(&found.old, &at_a, a.len());
    let mut marks_new = spread(&found.new, &at_b, b.len());
    shift(&a, &mut marks_old, &marks_new);
    shift(&b, &mut marks_new, &marks_old);
    changes(&marks_old, &marks_new)
}

/// The places of lines that are on the other side too; `count` is the number of different lines.
fn shared(lines: &[usize], other: &[usize], count: usize) -> Vec<usize> {
    let mut there = vec![false; count];
    other.iter().for_each(|id| set(&mut there, *id, true));
    let is_there = |id: &usize| there.get(*id).copied().unwrap_or(false);
    lines.iter().enumerate().filter(|(_, id)| is_there(id)).map(|(at, _)| at).collect()
}

/// Marks for all lines, from those for the lines at some places: the others are changed.
fn spread(marks: &[bool], places: &[usize], count: usize) -> Vec<bool> {
    let mut all = vec![true; count];
    places.iter().zip(marks).for_each(|(at, mark)| set(&mut all, *at, *mark));
    all
}

/// The runs of marked lines.
fn changes(old: &[bool], new: &[bool]) -> Vec<Change> {
    let marked = |marks: &[bool], at: usize| marks.get(at).copied().unwrap_or(false);
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        let (from_i, from_j) = (i, j);
        while marked(old, i) {
            i += 1;
        }
        while marked(new, j) {
            j += 1;
        }
        if (i, j) == (from_i, from_j) {
            (i, j) = (i + 1, j + 1);
        } else {
            found.push(Change { old: (from_i, i), new: (from_j, j), ignored: false });
        }
    }
    found
}

/// The search for the shortest way from one list to the other.
struct Search<'a> {
    a: &'a [usize],
    b: &'a [usize],
    changed: &'a mut Changed,
    /// For each diagonal (x - y, moved by `offset`) how far x has come, from the front and the back.
    forward: Vec<isize>,
    backward: Vec<isize>,
    offset: isize,
    /// So many steps from both ends are made to find the best place to divide the lists.
    patience: usize,
}

/// Steps that are always made: with fewer, small files would not show their least changes.
const LEAST_PATIENCE: usize = 4096;

impl<'a> Search<'a> {
    fn new(a: &'a [usize], b: &'a [usize], changed: &'a mut Changed, patience: usize) -> Self {
        let diagonals = a.len() + b.len() + 3;
        let offset = isize::try_from(b.len()).unwrap_or(0) + 1;
        let (forward, backward) = (vec![0; diagonals], vec![0; diagonals]);
        Self { a, b, changed, forward, backward, offset, patience }
    }

    fn run(&mut self) {
        let mut todo = vec![(0, self.a.len(), 0, self.b.len())];
        while let Some((mut x0, mut x1, mut y0, mut y1)) = todo.pop() {
            while x0 < x1 && y0 < y1 && self.a.get(x0) == self.b.get(y0) {
                (x0, y0) = (x0 + 1, y0 + 1);
            }
            while x0 < x1 && y0 < y1 && self.a.get(x1 - 1) == self.b.get(y1 - 1) {
                (x1, y1) = (x1 - 1, y1 - 1);
            }
            let apart = x0 == x1 || y0 == y1;
            let (x, y) = if apart { (x0, y0) } else { self.middle(x0, x1, y0, y1) };
            // Where nothing is divided all is changed.
            if (x, y) == (x0, y0) || (x, y) == (x1, y1) {
                self.changed.old.iter_mut().take(x1).skip(x0).for_each(|mark| *mark = true);
                self.changed.new.iter_mut().take(y1).skip(y0).for_each(|mark| *mark = true);
            } else {
                todo.push((x, x1, y, y1));
                todo.push((x0, x, y0, y));
            }
        }
    }

    /// A point on a shortest way, where the searches from both ends meet.
    fn middle(&mut self, x0: usize, x1: usize, y0: usize, y1: usize) -> (usize, usize) {
        let signed = |n: usize| isize::try_from(n).unwrap_or(isize::MAX);
        let (left, right, top, bottom) = (signed(x0), signed(x1), signed(y0), signed(y1));
        let (low, high) = (left - bottom, right - top);
        let (front, back) = (left - top, right - bottom);
        let odd = (front - back) & 1 != 0;
        let (mut fmin, mut fmax, mut bmin, mut bmax) = (front, front, back, back);
        *slot(&mut self.forward, self.offset + front) = left;
        *slot(&mut self.backward, self.offset + back) = right;
        for step in 0_usize.. {
            if step >= self.patience {
                break;
            }
            if fmin > low {
                fmin -= 1;
                *slot(&mut self.forward, self.offset + fmin - 1) = -1;
            } else {
                fmin += 1;
            }
            if fmax < high {
                fmax += 1;
                *slot(&mut self.forward, self.offset + fmax + 1) = -1;
            } else {
                fmax -= 1;
            }
            let mut d = fmax;
            while d >= fmin {
                let below = *slot(&mut self.forward, self.offset + d - 1);
                let above = *slot(&mut self.forward, self.offset + d + 1);
                let mut x = if below < above { above } else { below + 1 };
                while x < right && x - d < bottom && self.same(x, x - d) {
                    x += 1;
                }
                *slot(&mut self.forward, self.offset + d) = x;
                let met = odd && bmin <= d && d <= bmax;
                if met && *slot(&mut self.backward, self.offset + d) <= x {
                    return point(x, d);
                }
                d -= 2;
            }
            if bmin > low {
                bmin -= 1;
                *slot(&mut self.backward, self.offset + bmin - 1) = isize::MAX;
            } else {
                bmin += 1;
            }
            if bmax < high {
                bmax += 1;
                *slot(&mut self.backward, self.offset + bmax + 1) = isize::MAX;
            } else {
                bmax -= 1;
            }
            let mut d = bmax;
            while d >= bmin {
                let below = *slot(&mut self.backward, self.offset + d - 1);
                let above = *slot(&mut self.backward, self.offset + d + 1);
                let mut x = if below < above { below } else { above - 1 };
                while left < x && top < x - d && self.same(x - 1, x - d - 1) {
                    x -= 1;
                }
                *slot(&mut self.backward, self.offset + d) = x;
                let met = !odd && fmin <= d && d <= fmax;
                if met && x <= *slot(&mut self.forward, self.offset + d) {
                    return point(x, d);
                }
                d -= 2;
            }
        }
        self.farthest((fmin, fmax), (bmin, bmax), (right, bottom), (left, top))
    }

    /// The point that one of the searches has come to with most lines behind it.
    fn farthest(
        &mut self,
        forward: (isize, isize),
        backward: (isize, isize),
        (right, bottom): (isize, isize),
        (left, top): (isize, isize),
    ) -> (usize, usize) {
        let (mut best, mut ahead) = ((right, bottom), -1);
        let mut d = forward.1;
        while d >= forward.0 {
            let x = (*slot(&mut self.forward, self.offset + d)).min(right).min(bottom + d);
            let done = x - left + (x - d - top);
            if done > ahead {
                (best, ahead) = ((x, x - d), done);
            }
            d -= 2;
        }
        let mut d = backward.1;
        while d >= backward.0 {
            let x = (*slot(&mut self.backward, self.offset + d)).max(left).max(top + d);
            let done = right - x + (bottom - (x - d));
            if done > ahead {
                (best, ahead) = ((x, x - d), done);
            }
            d -= 2;
        }
        point(best.0, best.0 - best.1)
    }

    fn same(&self, x: isize, y: isize) -> bool {
        let at =
            |list: &[usize], n: isize| usize::try_from(n).ok().and_then(|n| list.get(n).copied());
        let (x, y) = (at(self.a, x), at(self.b, y));
        x.is_some() && x == y
    }
}

fn point(x: isize, diagonal: isize) -> (usize, usize) {
    (usize::try_from(x).unwrap_or(0), usize::try_from(x - diagonal).unwrap_or(0))
}

/// A diagonal's place. All that are asked for exist; a scratch place keeps it free of panics.
fn slot(list: &mut [isize], at: isize) -> &mut isize {
    let last = list.len() - 1;
    let at = usize::try_from(at).unwrap_or(0).min(last);
    #[expect(clippy::indexing_slicing, reason = "at most the last place of a list that has three")]
    &mut list[at]
}

/// Moves runs of changes: together where they can meet, else as far down as they go, unless on the
/// way they were beside a change of the other side. Of several equal places a person expects the last.
fn shift(lines: &[usize], marks: &mut [bool], other: &[bool]) {
    let marked = |marks: &[bool], at: usize| marks.get(at).copied().unwrap_or(false);
    let (mut i, mut j) = (0, 0);
    loop {
        while i < marks.len() && !marked(marks, i) {
            while marked(other, j) {
                j += 1;
            }
            (i, j) = (i + 1, j + 1);
        }
        if i == marks.len() {
            return;
        }
        let mut start = i;
        while marked(marks, i) {
            i += 1;
        }
        while marked(other, j) {
            j += 1;
        }
        let mut beside;
        loop {
            let length = i - start;
            while start > 0 && lines.get(start - 1) == lines.get(i - 1) {
                start -= 1;
                i -= 1;
                set(marks, start, true);
                set(marks, i, false);
                while start > 0 && marked(marks, start - 1) {
                    start -= 1;
                }
                j = j.saturating_sub(1);
                while j > 0 && marked(other, j) {
                    j -= 1;
                }
            }
            beside = if j > 0 && marked(other, j - 1) { i } else { marks.len() };
            while i != marks.len() && lines.get(start) == lines.get(i) {
                set(marks, start, false);
                set(marks, i, true);
                start += 1;
                i += 1;
                while marked(marks, i) {
                    i += 1;
                }
                j += 1;
                while marked(other, j) {
                    beside = i;
                    j += 1;
                }
            }
            if i - start == length {
                break;
            }
        }
        while beside < i {
            start -= 1;
            i -= 1;
            set(marks, start, true);
            set(marks, i, false);
            j = j.saturating_sub(1);
            while j > 0 && marked(other, j) {
                j -= 1;
            }
        }
    }
}

fn set(marks: &mut [bool], at: usize, to: bool) {
    if let Some(mark) = marks.get_mut(at) {
        *mark = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Cow<'_, [u8]>> {
        text.as_bytes().chunks(1).map(Cow::Borrowed).collect()
    }

    fn applied(old: &str, new: &str, patience: usize) -> (String, usize) {
        let (mut text, mut last, mut size) = (String::new(), 0, 0);
        for change in patiently(&lines(old), &lines(new), patience) {
            text.push_str(&old[last..change.old.0]);
            text.push_str(&new[change.new.0..change.new.1]);
            size += change.old.1 - change.old.0 + change.new.1 - change.new.0;
            last = change.old.1;
        }
        (text + &old[last..], size)
    }

    /// The least number of lines added and removed, by the textbook's table.
    fn least(old: &str, new: &str) -> usize {
        let (a, b) = (old.as_bytes(), new.as_bytes());
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut corner = row[0];
            row[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let next = if x == y { corner } else { 1 + row[j].min(row[j + 1]) };
                corner = std::mem::replace(&mut row[j + 1], next);
            }
        }
        row[b.len()]
    }

    proptest::proptest! {
        #[test]
        fn changes_lead_from_one_to_the_other_and_are_few(old in "[a-d]{0,30}", new in "[a-d]{0,30}") {
            let (text, size) = applied(&old, &new, usize::MAX);
            proptest::prop_assert_eq!(&text, &new);
            proptest::prop_assert_eq!(size, least(&old, &new));
        }

        #[test]
        fn without_patience_changes_still_lead_to_the_other(
            old in "[a-d]{0,60}", new in "[a-d]{0,60}", patience in 0..6_usize,
        ) {
            proptest::prop_assert_eq!(&applied(&old, &new, patience).0, &new);
        }
    }
}
