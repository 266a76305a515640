//! A script as commands.

use super::pattern::Pattern;
use std::collections::HashMap;

/// What the options say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Print only what the script prints.
    pub(crate) quiet: bool,
    /// Extended regular expressions.
    pub(crate) extended: bool,
    /// Each file by itself.
    pub(crate) separate: bool,
    /// Change the files; what is added to the names of the copies, which may be nothing.
    pub(crate) in_place: Option<String>,
    /// Lines end with NUL.
    pub(crate) nul: bool,
    /// Write each line at once.
    pub(crate) unbuffered: bool,
    /// Refuse what is GNU's alone.
    pub(crate) posix: bool,
    /// Do as POSIX says where GNU's does otherwise.
    pub(crate) correct: bool,
    /// Refuse the commands that run others, or read and write files.
    pub(crate) sandbox: bool,
    /// A name that is a link stands for what it leads to.
    pub(crate) follow: bool,
    /// Characters a line of `l`, its end among them; 0 for any number.
    pub(crate) width: usize,
}

/// A part of the script, and where it is from.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) origin: Origin,
    pub(crate) text: Vec<u8>,
}

/// Where a part of the script is from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// The command line; the number of the expression, from 1.
    Expression(usize),
    File(String),
}

/// The first address.
#[derive(Debug)]
pub(super) enum Address {
    Line(u64),
    /// First line and distance.
    Step(u64, u64),
    Last,
    /// `None` stands for the expression used last.
    Match(Option<Pattern>),
}

/// The second address.
#[derive(Debug)]
pub(super) enum End {
    At(Address),
    /// So many lines more.
    Plus(u64),
    /// The next line that is a multiple.
    Multiple(u64),
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) start: Option<Address>,
    pub(super) end: Option<End>,
    pub(super) negated: bool,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    /// Where the block ends.
    Open(usize),
    Nothing,
    Append(Vec<u8>),
    Insert(Vec<u8>),
    Change(Vec<u8>),
    /// Where to go on; past the end for the end.
    Branch(usize),
    BranchIf(usize),
    BranchUnless(usize),
    Delete,
    DeleteFirst,
    /// The command, or none for the pattern space.
    Execute(Vec<u8>),
    FileName,
    Get,
    GetAppend,
    Hold,
    HoldAppend,
    List(Option<usize>),
    Next,
    NextAppend,
    Print,
    PrintFirst,
    Quit(u8),
    QuitSilently(u8),
    Read(String),
    ReadLine(String),
    Substitute(Box<Substitute>),
    Write(usize),
    WriteFirst(usize),
    Exchange,
    /// Of bytes each is the character of its number.
    Translate {
        map: HashMap<char, char>,
        bytes: bool,
    },
    Zap,
    Number,
}

#[derive(Debug)]
pub(super) struct Substitute {
    pub(super) pattern: Option<Pattern>,
    pub(super) parts: Vec<Part>,
    pub(super) global: bool,
    pub(super) print: bool,
    /// Before it is executed.
    pub(super) print_first: bool,
    pub(super) execute: bool,
    /// The first match that is replaced, from 1.
    pub(super) nth: usize,
    /// The file that gets the result.
    pub(super) file: Option<usize>,
}

/// A part of a replacement.
#[derive(Debug)]
pub(super) enum Part {
    Text(Vec<u8>),
    Group(usize),
    /// `U`, `L`, `E`, `u` or `l`.
    Case(u8),
}

/// A whole script.
#[derive(Debug)]
pub(crate) struct Script {
    pub(super) commands: Vec<Command>,
    /// The names of the files that are written to.
    pub(super) files: Vec<String>,
    /// Its first line is `#n`.
    pub(super) quiet: bool,
}
