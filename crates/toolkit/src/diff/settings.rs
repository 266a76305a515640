//! What the command line of `diff` asks for.

use super::{
    look::{Look, Palette},
    merged::Formats,
    names,
    same::{Same, Space},
    side_by_side::Columns,
    tree::Walk,
};
use crate::{
    applet::{Args, reason, usage_error},
    matcher::{Kind, Matcher},
    posix_regex::{Syntax, fault},
};
use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, IsTerminal as _, Read as _},
    os::unix::ffi::{OsStrExt, OsStringExt as _},
};

/// No line and no tab is shown wider than this.
const WIDEST: usize = 1 << 15;

/// In which form differences are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Normal,
    Unified,
    Context,
    Ed,
    ForwardEd,
    Rcs,
    SideBySide,
    Merged,
}

impl Form {
    pub(crate) fn is_for_ed(self) -> bool {
        matches!(self, Self::Ed | Self::ForwardEd)
    }
}

/// Everything.
pub(crate) struct Settings {
    pub(crate) form: Form,
    /// Lines around each change.
    pub(crate) around: usize,
    pub(crate) brief: bool,
    pub(crate) report_same: bool,
    /// No file is binary.
    pub(crate) text: bool,
    pub(crate) strip_returns: bool,
    /// However long it takes.
    pub(crate) minimal: bool,
    pub(crate) labels: Vec<OsString>,
    /// The options as given, for the line above each pair of a folder.
    pub(crate) words: Vec<u8>,
    pub(crate) same: Same,
    /// What a line with a function's name looks like.
    pub(crate) functions: Option<Matcher>,
    pub(crate) walk: Walk,
    pub(crate) look: Look,
    pub(crate) columns: Columns,
    pub(crate) formats: Formats,
}

impl Settings {
    pub(crate) fn new(args: &Args) -> anyhow::Result<Self> {
        let (form, around) = form(args)?;
        let labels: Vec<OsString> = args.values("label").map(OsString::from).collect();
        if labels.len() > 2 {
            return usage_error("too many file label options");
        }
        let tab = number(args, "tabsize", "tabsize", 1)?.unwrap_or(8).min(WIDEST);
        number(args, "horizon-lines", "horizon length", 0)?;
        let mut functions: Vec<&[u8]> = bytes(args, "show-function-line");
        if args.has("show-c-function") {
            functions.push(b"^[[:alpha:]$_]");
        }
        Ok(Self {
            form,
            around,
            brief: args.has("brief"),
            report_same: args.has("report-identical-files"),
            text: args.has("text"),
            strip_returns: args.has("strip-trailing-cr"),
            minimal: args.has("minimal"),
            labels,
            words: words(&args.operands),
            same: Same {
                ignore_case: args.has("ignore-case"),
                space: Space::of(args),
                tab,
                blank: args.has("ignore-blank-lines"),
                matching: matcher(&bytes(args, "ignore-matching-lines"))?,
            },
            functions: matcher(&functions)?,
            walk: walk(args)?,
            look: Look {
                expand_tabs: args.has("expand-tabs"),
                tab,
                initial_tab: args.has("initial-tab"),
                bare_empty: args.has("suppress-blank-empty"),
                palette: palette(args)?,
            },
            columns: Columns {
                width: number(args, "width", "width", 1)?.unwrap_or(130).min(WIDEST),
                left: args.has("left-column"),
                differing: args.has("suppress-common-lines"),
            },
            formats: Formats::new(args)?,
        })
    }

    /// Whether nothing is written of files that do not differ.
    pub(crate) fn quiet_if_same(&self) -> bool {
        match self.form {
            Form::SideBySide => self.columns.differing,
            Form::Merged => self.formats.common_is_nothing(),
            _ => true,
        }
    }
}

/// The form, and how many lines stand around each change.
fn form(args: &Args) -> anyhow::Result<(Form, usize)> {
    let (mut form, mut around) = (None, 0);
    let mut digits = String::new();
    for (option, value) in args.all() {
        let lines = match option {
            "unified-3" | "context-3" => 3,
            "unified" | "context" if value.is_empty() => 3,
            "unified" | "context" | "unified-lines" | "context-lines" => {
                parsed(value, "context length", 0)?
            }
            _ => 0,
        };
        around = around.max(lines);
        let this = match option {
            "unified-3" | "unified" | "unified-lines" => Form::Unified,
            "context-3" | "context" | "context-lines" => Form::Context,
            "normal" => Form::Normal,
            "ed" => Form::Ed,
            "forward-ed" => Form::ForwardEd,
            "rcs" => Form::Rcs,
            "side-by-side" => Form::SideBySide,
            "ifdef" => Form::Merged,
            _ if option.ends_with("-format") => Form::Merged,
            "lines-around" => {
                digits.push_str(&value.display().to_string());
                continue;
            }
            _ => continue,
        };
        if form.is_some_and(|form| form != this) {
            return usage_error("conflicting output style options");
        }
        form = Some(this);
    }
    if form.is_none() && args.has("show-c-function") {
        (form, around) = (Some(Form::Context), 3);
    }
    if !digits.is_empty() {
        around = parsed(OsStr::new(&digits), "context length", 0)?;
    }
    Ok((form.unwrap_or(Form::Normal), around))
}

/// A number of lines or columns; one that is too large is the largest.
fn parsed(value: &OsStr, what: &str, least: usize) -> anyhow::Result<usize> {
    let bytes = value.as_bytes();
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let number = value.to_str().filter(|_| digits).map(|t| t.parse().unwrap_or(usize::MAX));
    match number {
        Some(number) if number >= least => Ok(number),
        _ => usage_error(format!("invalid {what} '{}'", value.display())),
    }
}

fn number(args: &Args, option: &str, what: &str, least: usize) -> anyhow::Result<Option<usize>> {
    args.value(option).map(|value| parsed(value, what, least)).transpose()
}

fn bytes<'a>(args: &'a Args, option: &'a str) -> Vec<&'a [u8]> {
    args.values(option).map(OsStrExt::as_bytes).collect()
}

/// What finds any of the expressions; the first that is none is named.
fn matcher(patterns: &[&[u8]]) -> anyhow::Result<Option<Matcher>> {
    for pattern in patterns {
        let text = String::from_utf8_lossy(pattern);
        if let Some(fault) = fault(&text, Syntax::Basic) {
            anyhow::bail!("{text}: {fault}");
        }
    }
    let patterns: Vec<Vec<u8>> = patterns.iter().map(|pattern| pattern.to_vec()).collect();
    if patterns.is_empty() {
        return Ok(None);
    }
    Ok(Some(Matcher::new(&patterns, Kind::Basic, false, false, false)?))
}

fn walk(args: &Args) -> anyhow::Result<Walk> {
    let mut exclude: Vec<OsString> = args.values("exclude").map(OsString::from).collect();
    for file in args.values("exclude-from") {
        let mut data = Vec::new();
        let read = match file.as_bytes() {
            b"-" => io::stdin().read_to_end(&mut data).map(|_| data),
            _ => fs::read(file),
        };
        let data =
            read.map_err(|error| anyhow::anyhow!("{}: {}", file.display(), reason(&error)))?;
        let lines = data.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        exclude.extend(lines.filter(|line| !line.is_empty()).map(|l| OsString::from_vec(l.into())));
    }
    let case = args.all().filter_map(|(option, _)| match option {
        "ignore-file-name-case" => Some(true),
        "no-ignore-file-name-case" => Some(false),
        _ => None,
    });
    Ok(Walk {
        recursive: args.has("recursive"),
        links: args.has("no-dereference"),
        new_file: args.has("new-file"),
        new_first_file: args.has("new-file") || args.has("unidirectional-new-file"),
        ignore_case: case.last().unwrap_or(false),
        exclude,
        start: args.value("starting-file").map(OsString::from),
    })
}

/// The colours, if there are to be any.
fn palette(args: &Args) -> anyhow::Result<Option<Palette>> {
    let capable = || {
        io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
    };
    let colours = match args.value("color").map(OsStrExt::as_bytes) {
        None | Some(b"never") => false,
        Some(b"always") => true,
        Some(b"auto" | b"") => capable(),
        Some(other) => {
            let other = OsStr::from_bytes(other).display();
            return usage_error(format!("invalid color '{other}'"));
        }
    };
    if !colours {
        return Ok(None);
    }
    let mut palette = Palette::default();
    for text in args.values("palette") {
        if let Err(fault) = palette.set(text.as_bytes()) {
            if let Some(fault) = fault {
                eprintln!("diff: {fault}");
            }
            eprintln!("diff: unparsable value for --palette");
            return Ok(None);
        }
    }
    Ok(Some(palette))
}

/// The options of the command line, as they were written, each with a space before it.
fn words(operands: &[OsString]) -> Vec<u8> {
    let mut all: Vec<OsString> = std::env::args_os().skip(1).collect();
    // The command's name, when it was called as one of the toolkit's.
    if all.first().is_some_and(|word| word == "diff") {
        all.remove(0);
    }
    for operand in operands.iter().rev() {
        if let Some(at) = all.iter().rposition(|word| word == operand) {
            all.remove(at);
        }
    }
    all.iter()
        .flat_map(|word| [b" ".as_slice(), &names::for_shell(word.as_bytes())].concat())
        .collect()
}
