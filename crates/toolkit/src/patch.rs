//! Patches in the forms that `diff` writes, and in that of git: what they say, where a hunk fits, and how files are
//! changed by them without anything being written outside of the folder.

pub(crate) mod apply;
pub(crate) mod choose;
mod context;
pub(crate) mod folder;
pub(crate) mod header;
pub(crate) mod names;
mod normal;
pub(crate) mod output;
pub(crate) mod place;
pub(crate) mod quote;
pub(crate) mod reader;
pub(crate) mod reject;
pub(crate) mod session;
pub(crate) mod settings;
mod unified;

use reader::Reader;

/// What ends the whole run, status 2: said behind the program's name and four stars.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Fatal(pub(crate) String);

/// How a patch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Unified,
    Context,
    /// Without stars behind the ranges, as long ago.
    OldContext,
    Normal,
    Ed,
    GitBinary,
}

/// On which side a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Both,
    Old,
    New,
}

/// A line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) side: Side,
    /// With its end, unless it is the last one of a file that has none there.
    pub(crate) text: Vec<u8>,
}

/// One place that is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hunk {
    /// The first line on either side, from 1; with no lines on that side the line before which it is.
    pub(crate) old_at: usize,
    pub(crate) new_at: usize,
    /// Where both sides differ the old lines are before the new ones.
    pub(crate) lines: Vec<Line>,
    /// What `diff -p` wrote behind the ranges, with the blank before it.
    pub(crate) function: Vec<u8>,
}

impl Hunk {
    /// The next hunk of a patch of this form, or none where something else begins.
    pub(crate) fn read(form: Form, reader: &mut Reader) -> Result<Option<Self>, Fatal> {
        match form {
            Form::Unified => unified::read(reader),
            Form::Context | Form::OldContext => context::read(reader),
            Form::Normal => normal::read(reader),
            Form::Ed | Form::GitBinary => Ok(None),
        }
    }

    /// The lines of the old side.
    pub(crate) fn old_lines(&self) -> impl Iterator<Item = &[u8]> {
        self.side(Side::New)
    }

    /// The lines of the new side.
    pub(crate) fn new_lines(&self) -> impl Iterator<Item = &[u8]> {
        self.side(Side::Old)
    }

    fn side(&self, other: Side) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().filter(move |line| line.side != other).map(|line| line.text.as_slice())
    }

    /// How many lines at the beginning and at the end are only there to find the place.
    pub(crate) fn context(&self) -> (usize, usize) {
        let same = |line: &&Line| line.side == Side::Both;
        let before = self.lines.iter().take_while(same).count();
        (before, self.lines.iter().rev().take_while(same).count())
    }

    fn changes_nothing(&self) -> bool {
        self.lines.iter().all(|line| line.side == Side::Both)
    }

    /// The same, backwards.
    pub(crate) fn reversed(&self) -> Self {
        let lines = self.lines.iter().map(|line| Line {
            side: match line.side {
                Side::Both => Side::Both,
                Side::Old => Side::New,
                Side::New => Side::Old,
            },
            text: line.text.clone(),
        });
        Self {
            old_at: self.new_at,
            new_at: self.old_at,
            lines: ordered(lines.collect()),
            function: self.function.clone(),
        }
    }
}

/// With the old lines of every change before its new ones.
fn ordered(mut lines: Vec<Line>) -> Vec<Line> {
    for change in lines.split_mut(|line| line.side == Side::Both) {
        change.sort_by_key(|line| line.side == Side::New);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    /// The hunks of all patches in a text, up to what makes no sense.
    fn hunks(text: &[u8]) -> Vec<Hunk> {
        let zone = TimeZone::UTC;
        let terms =
            header::Terms { strip: None, zone: &zone, form: None, need_name: true, strip_cr: true };
        let (mut reader, mut found) = (Reader::new(text), Vec::new());
        while let Ok(Some(header)) = header::find(&reader, &terms) {
            let before = reader.at;
            reader = header.hunks;
            while let Ok(Some(hunk)) = Hunk::read(header.form, &mut reader) {
                found.push(hunk);
            }
            if reader.at == before {
                reader.raw();
            }
        }
        found
    }

    #[test]
    fn all_forms_say_the_same() {
        let unified = hunks(b"junk\n--- a/f\t2026\n+++ b/f\n@@ -1,3 +1,2 @@ main\n a\n-b\n-c\n+C\n\\ No newline at end of file\n");
        let context = hunks(b"*** a/f\n--- b/f\n*************** main\n*** 1,3 ****\n  a\n! b\n! c\n--- 1,2 ----\n  a\n! C\n\\ No newline at end of file\n");
        let normal = hunks(b"Index: f\n2,3c2\n< b\n< c\n---\n> C\n\\ No newline at end of file\n");
        assert_eq!(unified, context);
        assert_eq!(unified[0].context(), (1, 0));
        assert_eq!(unified[0].new_lines().collect::<Vec<_>>(), [&b"a\n"[..], b"C"]);
        assert_eq!(normal[0].lines, unified[0].lines[1..]);
        assert_eq!(unified[0].reversed().reversed(), unified[0]);
    }

    #[test]
    fn a_side_that_does_not_change_may_lack() {
        let hunks =
            hunks(b"*** f\n--- f\n***************\n*** 1,2 ****\n--- 1,3 ----\n  a\n+ b\n  c\n");
        assert_eq!(hunks[0].old_lines().collect::<Vec<_>>(), [b"a\n", b"c\n"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "(--- a\n|\\+\\+\\+ b\n|@@ -[0-9],[0-9] \\+[0-9] @@\n|[ +!-] ?x\n|\\\\ No\n|\\*\\*\\* [0-9](,[0-9])?( \\*{4})?\n|--- [0-9],[0-9] ----\n|\\*{15}\n| ?[0-9][acd][0-9]\n|[<>] x\n|diff --git a/x b/x\n|index 0..1\n|GIT binary patch\n|#x\n){0,16}") {
            hunks(text.as_bytes());
        }
    }
}
