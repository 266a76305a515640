//! Tables as util-linux prints them (libsmartcols): plain, as a tree, raw, as pairs, as JSON.

use crate::applet::{Args, Opt, usage_error};
use std::fmt::Write as _;

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its heading; in lower case its name in JSON.
    pub(crate) name: &'static str,
    /// Whether its cells stand at its right edge.
    pub(crate) right: bool,
    /// It is never narrower, characters.
    pub(crate) least: usize,
}

impl Column {
    /// A column of text, at least as wide as its heading.
    pub(crate) const fn left(name: &'static str, least: usize) -> Self {
        Self { name, right: false, least }
    }

    /// A column of numbers, at least as wide as its heading.
    pub(crate) const fn right(name: &'static str, least: usize) -> Self {
        Self { name, right: true, least }
    }
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing.
    #[default]
    Null,
    /// Text.
    Text(String),
    /// A number, or what JSON may show as one.
    Number(String),
    /// `1` or `0`; in JSON `true` or `false`.
    Flag(bool),
    /// Several texts, one below the other.
    Lines(Vec<String>),
}

impl Cell {
    /// Text, or nothing when it is empty.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Null } else { Self::Text(text) }
    }

    fn plain(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) | Self::Number(text) => text.clone(),
            Self::Flag(on) => u8::from(*on).to_string(),
            Self::Lines(lines) => lines.join("\n"),
        }
    }

    fn json(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Text(text) => quote(text),
            Self::Number(text) => text.clone(),
            Self::Flag(on) => on.to_string(),
            Self::Lines(_) => String::new(),
        }
    }
}

/// One line and those below it in the tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// As many as there are columns.
    pub(crate) cells: Vec<Cell>,
    /// Children in the tree.
    pub(crate) children: Vec<Line>,
}

/// How a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Columns in line.
    Plain,
    /// Columns in line, the given one showing the tree.
    Tree(usize),
    /// Cells separated by one blank, with `\x20` for blanks.
    Raw,
    /// `NAME="value"`.
    Pairs,
    /// An object with a list; the column, if any, is nested under `children`.
    Json(&'static str),
}

/// The options that the commands have in common.
pub(crate) const JSON: Opt = Opt { short: 'J', long: "json", value: "", help: "print JSON" };
/// `KEY="value"`.
pub(crate) const PAIRS: Opt =
    Opt { short: 'P', long: "pairs", value: "", help: "print NAME=\"value\" pairs" };
/// Not aligned.
pub(crate) const RAW: Opt =
    Opt { short: 'r', long: "raw", value: "", help: "do not align; blanks as \\x20" };
/// Without headings.
pub(crate) const NO_HEADINGS: Opt =
    Opt { short: 'n', long: "noheadings", value: "", help: "no headings" };
/// The choice of columns.
pub(crate) const OUTPUT: Opt =
    Opt { short: 'o', long: "output", value: "LIST", help: "these columns; +LIST adds some" };

/// The columns chosen by `--output`, else `default`.
pub(crate) fn choose(
    args: &Args,
    known: &'static [Column],
    default: &[&str],
) -> anyhow::Result<Vec<Column>> {
    let find = |name: &str| known.iter().find(|c| c.name.eq_ignore_ascii_case(name)).copied();
    let defaults = || default.iter().filter_map(|name| find(name)).collect::<Vec<_>>();
    let Some(list) = args.text("output")? else { return Ok(defaults()) };
    let (mut chosen, list) = match list.strip_prefix('+') {
        Some(more) => (defaults(), more),
        None => (Vec::new(), list),
    };
    for name in list.split(',') {
        match find(name) {
            Some(column) => chosen.push(column),
            None => return usage_error(format!("unknown column: {name}")),
        }
    }
    Ok(chosen)
}

/// The table as text.
pub(crate) fn print(columns: &[Column], lines: &[Line], format: Format, headings: bool) -> String {
    let mut out = String::new();
    match format {
        Format::Plain => aligned(columns, lines, None, headings, &mut out),
        Format::Tree(column) => aligned(columns, lines, Some(column), headings, &mut out),
        Format::Raw => {
            if headings {
                let names: Vec<&str> = columns.iter().map(|c| c.name).collect();
                out.push_str(&(names.join(" ") + "\n"));
            }
            walk(lines, &mut |line| {
                let cells: Vec<String> = line.cells.iter().map(|c| raw(&c.plain())).collect();
                out.push_str(&(cells.join(" ") + "\n"));
            });
        }
        Format::Pairs => walk(lines, &mut |line| {
            let pair = |(column, cell): (&Column, &Cell)| {
                let value = hexed(&cell.plain(), |c| matches!(c, '"' | '\\' | '`' | '$'));
                format!("{}=\"{value}\"", column.name)
            };
            let pairs: Vec<String> = columns.iter().zip(&line.cells).map(pair).collect();
            out.push_str(&(pairs.join(" ") + "\n"));
        }),
        Format::Json(name) => {
            let _ = write!(out, "{{\n   \"{name}\": [");
            json_lines(columns, lines, 6, &mut out);
            out.push_str("\n   ]\n}\n");
        }
    }
    out
}

fn walk(lines: &[Line], each: &mut impl FnMut(&Line)) {
    for line in lines {
        each(line);
        walk(&line.children, each);
    }
}

/// `\x20` for what would end a cell.
fn raw(text: &str) -> String {
    hexed(text, |c| matches!(c, ' ' | '\\'))
}

fn hexed(text: &str, wanted: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if wanted(c) || c.is_control() {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// A JSON string.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn json_lines(columns: &[Column], lines: &[Line], indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    for (n, line) in lines.iter().enumerate() {
        out.push_str(&if n == 0 { format!("\n{pad}{{\n") } else { "},{\n".to_owned() });
        for (m, (column, cell)) in columns.iter().zip(&line.cells).enumerate() {
            let name = column.name.to_ascii_lowercase();
            let _ = match cell {
                Cell::Lines(list) => {
                    let items: Vec<String> = list.iter().map(|item| quote(item)).collect();
                    let items = if items.is_empty() { "null".into() } else { items.join(", ") };
                    write!(out, "{pad}   \"{name}\": [\n{pad}       {items}\n{pad}   ]")
                }
                cell => write!(out, "{pad}   \"{name}\": {}", cell.json()),
            };
            let last = m + 1 == columns.len() && line.children.is_empty();
            out.push_str(if last { "\n" } else { ",\n" });
        }
        if !line.children.is_empty() {
            let _ = write!(out, "{pad}   \"children\": [");
            json_lines(columns, &line.children, indent + 6, out);
            let _ = write!(out, "\n{pad}   ]\n");
        }
        out.push_str(&pad);
        if n + 1 == lines.len() {
            out.push('}');
        }
    }
}

/// The strokes of a tree: a child, the last child, past a child, past the last.
struct Strokes([&'static str; 4]);

impl Strokes {
    /// As the locale allows.
    fn of_locale() -> Self {
        let of = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = of("LC_ALL").or_else(|| of("LC_CTYPE")).or_else(|| of("LANG"));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        if ASCII.with(std::cell::Cell::get)
            || !(locale.contains("utf-8") || locale.contains("utf8"))
        {
            Self(["|-", "`-", "| ", "  "])
        } else {
            Self(["├─", "└─", "│ ", "  "])
        }
    }
}

thread_local! {
    static ASCII: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Draws trees in ASCII from now on, whatever the locale.
pub(crate) fn draw_in_ascii() {
    ASCII.with(|ascii| ascii.set(true));
}

/// A printed line: the text of its cells.
type Texts = Vec<String>;

fn aligned(
    columns: &[Column],
    lines: &[Line],
    tree: Option<usize>,
    headings: bool,
    out: &mut String,
) {
    let mut texts: Vec<Texts> = Vec::new();
    if headings {
        texts.push(columns.iter().map(|c| c.name.to_owned()).collect());
    }
    layout(lines, tree, &Strokes::of_locale(), None, &mut texts);
    // The heading counts even when it is not shown.
    let width = |(n, column): (usize, &Column)| {
        let cells = texts.iter().filter_map(|cells| cells.get(n));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(column.least).max(column.name.chars().count())
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(width).collect();
    for cells in &texts {
        for (n, (cell, column)) in cells.iter().zip(columns).enumerate() {
            // No format is wider; beyond that a table is none to anyone.
            let width = widths.get(n).copied().unwrap_or(0).min(usize::from(u16::MAX));
            let last = n + 1 == columns.len();
            let _ = match (column.right, last) {
                (true, true) if cell.is_empty() => Ok(()),
                (true, _) => write!(out, "{cell:>width$}"),
                (false, true) => write!(out, "{cell}"),
                (false, false) => write!(out, "{cell:<width$}"),
            };
            out.push_str(if last { "\n" } else { " " });
        }
    }
}

/// Lines and their tree as rows of text; `prefix` is that of the lines, `None` for roots.
fn layout(
    lines: &[Line],
    tree: Option<usize>,
    strokes: &Strokes,
    prefix: Option<&str>,
    texts: &mut Vec<Texts>,
) {
    let Strokes([child, last_child, past, past_last]) = strokes;
    for (n, line) in lines.iter().enumerate() {
        let last = n + 1 == lines.len();
        let (own, below) = match (prefix, tree) {
            (Some(prefix), Some(_)) => (
                format!("{prefix}{}", if last { last_child } else { child }),
                format!("{prefix}{}", if last { past_last } else { past }),
            ),
            _ => (String::new(), String::new()),
        };
        let height = line.cells.iter().map(|c| match c {
            Cell::Lines(lines) => lines.len(),
            _ => 1,
        });
        for row in 0..height.max().unwrap_or(1).max(1) {
            let cell = |(m, cell): (usize, &Cell)| {
                let text = match cell {
                    Cell::Lines(lines) => lines.get(row).cloned().unwrap_or_default(),
                    other if row == 0 => other.plain(),
                    _ => String::new(),
                };
                let text = hexed(&text, |_| false);
                match (Some(m) == tree, row) {
                    (true, 0) => own.clone() + &text,
                    (true, _) => below.clone() + if line.children.is_empty() { "" } else { past },
                    (false, _) => text,
                }
            };
            texts.push(line.cells.iter().enumerate().map(cell).collect());
        }
        layout(&line.children, tree, strokes, Some(&below), texts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] =
        &[Column::left("NAME", 0), Column::right("SIZE", 0), Column::left("MOUNTPOINTS", 0)];

    fn line(name: &str, size: &str, mounts: &[&str], children: Vec<Line>) -> Line {
        let mounts = mounts.iter().map(|m| (*m).to_owned()).collect();
        let cells = vec![Cell::text(name), Cell::Number(size.into()), Cell::Lines(mounts)];
        Line { cells, children }
    }

    #[test]
    fn a_tree() {
        draw_in_ascii();
        let two = vec![line("sda1", "1", &["/a", "/b c"], vec![]), line("sda2", "20", &[], vec![])];
        let lines = [line("sda", "100", &[], two)];
        assert_eq!(
            print(COLUMNS, &lines, Format::Tree(0), true),
            "NAME   SIZE MOUNTPOINTS\nsda     100 \n|-sda1    1 /a\n|           /b c\n`-sda2   20 \n"
        );
        assert_eq!(
            print(COLUMNS, &lines, Format::Raw, false),
            "sda 100 \nsda1 1 /a\\x0a/b\\x20c\nsda2 20 \n"
        );
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        let lines = [line("a\"\n\u{1b}[2J", "1", &[], vec![])];
        let pairs = print(COLUMNS, &lines, Format::Pairs, true);
        assert_eq!(pairs, "NAME=\"a\\x22\\x0a\\x1b[2J\" SIZE=\"1\" MOUNTPOINTS=\"\"\n");
        let json = print(COLUMNS, &lines, Format::Json("x"), true);
        assert!(json.contains(r#""name": "a\"\u000a\u001b[2J""#), "{json}");
    }
}
