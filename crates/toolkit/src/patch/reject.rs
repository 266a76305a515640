//! Hunks that did not fit, as a patch of their own.

use super::{
    Form, Hunk, Side,
    apply::signed,
    header::{Face, Header},
};

/// What is before the hunks: the names, without what was left out of them.
pub(crate) fn head(header: &Header<'_>, unified: bool, reverse: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(index) = &header.index {
        out.extend([b"Index: ", index.as_slice(), b"\n"].concat());
    }
    let (old, new) = if reverse { (&header.new, &header.old) } else { (&header.old, &header.new) };
    let mut line = |mark: &[u8], face: &Face| {
        let name = face.name.as_deref().unwrap_or(b"/dev/null");
        out.extend([mark, b" ", name, &face.tail, b"\n"].concat());
    };
    line(if unified { b"---" } else { b"***" }, old);
    line(if unified { b"+++" } else { b"---" }, new);
    out
}

/// A hunk as it would be written for a file to which so many lines were added before it.
pub(crate) fn hunk(hunk: &Hunk, form: Form, unified: bool, added: isize) -> Vec<u8> {
    if unified { as_unified(hunk, added) } else { as_context(hunk, form, added) }
}

fn moved(at: usize, added: isize) -> isize {
    signed(at).saturating_add(added)
}

fn as_unified(hunk: &Hunk, added: isize) -> Vec<u8> {
    let range = |at: usize, count: usize| {
        let at = moved(at, added);
        match count {
            0 => format!("{},0", at - 1),
            1 => at.to_string(),
            _ => format!("{at},{count}"),
        }
    };
    let old = range(hunk.old_at, hunk.old_lines().count());
    let new = range(hunk.new_at, hunk.new_lines().count());
    let mut out = format!("@@ -{old} +{new} @@").into_bytes();
    out.extend_from_slice(&hunk.function);
    out.push(b'\n');
    for line in &hunk.lines {
        out.push(match line.side {
            Side::Both => b' ',
            Side::Old => b'-',
            Side::New => b'+',
        });
        push(&mut out, &line.text);
    }
    out
}

fn as_context(hunk: &Hunk, form: Form, added: isize) -> Vec<u8> {
    let range = |at: usize, count: usize| {
        let at = moved(at, added);
        match count {
            0 => "0".to_owned(),
            1 => at.to_string(),
            _ => format!("{at},{}", at + signed(count) - 1),
        }
    };
    let (stars, dashes) = if matches!(form, Form::OldContext | Form::Normal) {
        ("", " -----")
    } else {
        (" ****", " ----")
    };
    let mut out = b"***************".to_vec();
    out.extend_from_slice(&hunk.function);
    out.extend(
        format!("\n*** {}{stars}\n", range(hunk.old_at, hunk.old_lines().count())).into_bytes(),
    );
    half(&mut out, hunk, form, Side::Old);
    out.extend(
        format!("--- {}{dashes}\n", range(hunk.new_at, hunk.new_lines().count())).into_bytes(),
    );
    half(&mut out, hunk, form, Side::New);
    out
}

/// One side of a hunk, marked with what is only there, or other there.
fn half(out: &mut Vec<u8>, hunk: &Hunk, form: Form, side: Side) {
    let same = |a: &super::Line, b: &super::Line| (a.side == Side::Both) == (b.side == Side::Both);
    for run in hunk.lines.chunk_by(same) {
        let has = |side| run.iter().any(|line| line.side == side);
        let changed = form != Form::Normal && has(Side::Old) && has(Side::New);
        let mark = match (changed, side) {
            (true, _) => b'!',
            (false, Side::Old) => b'-',
            (false, _) => b'+',
        };
        for line in run.iter().filter(|line| line.side == side || line.side == Side::Both) {
            out.push(if line.side == Side::Both { b' ' } else { mark });
            out.push(b' ');
            push(out, &line.text);
        }
    }
}

fn push(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    if !text.ends_with(b"\n") {
        out.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}
