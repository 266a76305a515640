//! Tables that fit the terminal.

use super::text::cell;
use rustix::termios::tcgetwinsize;
use std::io::{self, Write};

/// Between columns.
const GAP: usize = 2;
/// Columns are not made narrower.
const NARROWEST: usize = 6;

/// Prints rows under their headings. On a terminal the widest columns are cut until a line fits; otherwise nothing is.
pub(crate) fn print<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    let size = tcgetwinsize(io::stdout()).ok();
    let terminal = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    let mut out = io::stdout().lock();
    for line in lines(headings, rows, terminal) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn lines<const N: usize>(
    headings: [&str; N],
    rows: &[[String; N]],
    terminal: Option<usize>,
) -> Vec<String> {
    let rows: Vec<[String; N]> = std::iter::once(headings.map(str::to_owned))
        .chain(rows.iter().map(|row| row.each_ref().map(|text| cell(text))))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = text.chars().count().max(*width);
        }
    }
    if let Some(terminal) = terminal {
        shrink(&mut widths, terminal.saturating_sub(GAP * N.saturating_sub(1)));
    }
    rows.iter().map(|row| line(row, &widths)).collect()
}

/// Narrows the widest column until all fit.
fn shrink(widths: &mut [usize], room: usize) {
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => return,
        }
    }
}

fn line<const N: usize>(row: &[String; N], widths: &[usize; N]) -> String {
    let mut line = String::new();
    for (text, width) in row.iter().zip(widths) {
        let count = text.chars().count();
        if count > *width {
            line.extend(text.chars().take(width.saturating_sub(1)));
            line.push('…');
        } else {
            line.push_str(text);
            line.extend(std::iter::repeat_n(' ', width - count));
        }
        line.extend([' '; GAP]);
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits() {
        let rows = [[
            "a".to_owned(),
            "0123456789012345678901234567890".to_owned(),
            "x\ty\u{1b}".to_owned(),
        ]];
        let wide = lines(["NAME", "LONG", "C"], &rows, None);
        assert_eq!(
            wide,
            [
                "NAME  LONG                             C",
                "a     0123456789012345678901234567890  x y\\u{1b}"
            ]
        );
        let narrow = lines(["NAME", "LONG", "C"], &rows, Some(30));
        assert!(narrow.iter().all(|line| line.chars().count() <= 30), "{narrow:#?}");
        assert!(narrow.iter().any(|line| line.contains('…')));
        // Too narrow for anything: as narrow as it may get, and no endless loop.
        assert_eq!(lines(["NAME", "LONG", "C"], &rows, Some(3)).len(), 2);
    }
}
