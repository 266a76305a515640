//! `diff`: what differs between files or folders.

use crate::{
    applet::{Applet, Args, Opt, UsageError, usage_error},
    diff::{settings::Settings, tree::Tree},
};
use std::{
    ffi::OsStr,
    io::{self, BufWriter, Write as _},
    path::Path,
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn value(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "diff",
    summary: "Prints what differs; status 0 if nothing, 1 if something, 2 for an error.",
    usage: "[OPTION]... FILE1 FILE2\n--from-file=FILE1 [OPTION]... FILE2...",
    options: &[
        flag('u', "unified-3", "unified, with 3 lines around each change"),
        value('U', "unified-lines", "N", "unified, with N lines"),
        value('\0', "unified", "[N]", "the same"),
        flag('c', "context-3", "in context, with 3 lines around each change"),
        value('C', "context-lines", "N", "in context, with N lines"),
        value('\0', "context", "[N]", "the same"),
        value('#', "lines-around", "N", "with -u or -c: N lines around each change"),
        flag('\0', "normal", "neither (so if nothing is said)"),
        flag('e', "ed", "as commands for the editor ed"),
        flag('f', "forward-ed", "like them, from the first change to the last"),
        flag('n', "rcs", "as RCS keeps its versions"),
        flag('y', "side-by-side", "in two columns"),
        value('W', "width", "N", "the columns' width together (130)"),
        flag('\0', "left-column", "with -y: common lines on the left only"),
        flag('\0', "suppress-common-lines", "with -y: without them"),
        value('D', "ifdef", "NAME", "both files as one, with '#ifdef NAME' around the changes"),
        value('\0', "old-group-format", "FORMAT", "how lines of FILE1 only are shown; see below"),
        value('\0', "new-group-format", "FORMAT", "how lines of FILE2 only are"),
        value('\0', "changed-group-format", "FORMAT", "how lines that became others are"),
        value('\0', "unchanged-group-format", "FORMAT", "how common lines are"),
        value('\0', "line-format", "FORMAT", "how each line in all of those is"),
        value('\0', "old-line-format", "FORMAT", "how each line of FILE1 only is"),
        value('\0', "new-line-format", "FORMAT", "how each line of FILE2 only is"),
        value('\0', "unchanged-line-format", "FORMAT", "how each common line is"),
        flag('q', "brief", "only whether they differ"),
        flag('s', "report-identical-files", "say when they do not"),
        flag('p', "show-c-function", "show in which function of C each change is"),
        value('F', "show-function-line", "REGEX", "show the last line before it that matches"),
        value('L', "label", "TEXT", "instead of the file's name and time; twice"),
        flag('t', "expand-tabs", "print spaces for tabs"),
        flag('T', "initial-tab", "a tab before each line, so that its tabs stay in line"),
        value('\0', "tabsize", "N", "a tab's columns (8)"),
        flag('\0', "suppress-blank-empty", "no space before empty lines"),
        value('\0', "color", "[WHEN]", "in colour: always, never or auto"),
        value('\0', "palette", "COLOURS", "which: rs=0:hd=1:ad=32:de=31:ln=36"),
        flag('r', "recursive", "folders with what is below them"),
        flag('\0', "no-dereference", "compare links by where they lead"),
        flag('N', "new-file", "a file that is missing is empty"),
        flag('P', "unidirectional-new-file", "so is a first file"),
        flag('\0', "ignore-file-name-case", "upper and lower case of files' names are the same"),
        flag('\0', "no-ignore-file-name-case", "they are not"),
        value('x', "exclude", "GLOB", "in folders leave out such names"),
        value('X', "exclude-from", "FILE", "leave out names like any line of FILE"),
        value('S', "starting-file", "NAME", "in folders begin with NAME"),
        value('\0', "from-file", "FILE1", "compare FILE1 with each operand"),
        value('\0', "to-file", "FILE2", "compare each operand with FILE2"),
        flag('i', "ignore-case", "upper and lower case are the same"),
        flag('E', "ignore-tab-expansion", "a tab and the spaces for it are the same"),
        flag('Z', "ignore-trailing-space", "space at a line's end does not count"),
        flag('b', "ignore-space-change", "any amount of space is the same"),
        flag('w', "ignore-all-space", "space does not count"),
        flag('B', "ignore-blank-lines", "changes of empty lines only do not count"),
        value('I', "ignore-matching-lines", "REGEX", "changes of such lines only do not count"),
        flag('a', "text", "treat every file as text"),
        flag('\0', "strip-trailing-cr", "a carriage return at a line's end does not count"),
        flag('d', "minimal", "look for the least changes, however long it takes"),
        flag('H', "speed-large-files", "understood, without effect"),
        value('\0', "horizon-lines", "N", "understood, without effect"),
    ],
    notes: "\
FORMAT of groups: %< the lines of FILE1, %> of FILE2, %= common lines; %dX a number, X one of
  f (first line) l (last) n (how many) e (f-1) m (l+1) of FILE1, in capitals of FILE2, d also
  o x X and before it -WIDTH.DIGITS as printf has it; %(A=B?T:E) T if A equals B, else E.
FORMAT of lines: %L the line, %l without its end, %dn its number.
In both: %% and %c'X' or %c'\\OCTAL' a character.
Not here: -l (--paginate); pipe to pr instead.",
    example: "diff -u /mnt/etc/fstab.bak /mnt/etc/fstab",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    compare(args).or_else(|error| {
        if error.is::<UsageError>() {
            return Err(error);
        }
        eprintln!("diff: {error:#}");
        Ok(2)
    })
}

fn compare(args: &Args) -> anyhow::Result<u8> {
    let settings = Settings::new(args)?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut tree = Tree { settings: &settings, out: &mut out };
    let mut status = 0;
    for (old, new) in pairs(args)? {
        status = status.max(tree.operands(Path::new(old), Path::new(new))?);
    }
    out.flush()?;
    Ok(status)
}

/// Which files are to be compared.
fn pairs(args: &Args) -> anyhow::Result<Vec<(&OsStr, &OsStr)>> {
    let operands = || args.operands.iter().map(|operand| operand.as_os_str());
    match (args.value("from-file"), args.value("to-file"), args.operands.as_slice()) {
        (Some(_), Some(_), _) => usage_error("--from-file and --to-file both specified"),
        (Some(old), None, _) => Ok(operands().map(|new| (old, new)).collect()),
        (None, Some(new), _) => Ok(operands().map(|old| (old, new)).collect()),
        (None, None, [old, new]) => Ok(vec![(old, new)]),
        (None, None, []) => usage_error("missing operand after 'diff'"),
        (None, None, [only]) => usage_error(format!("missing operand after '{}'", only.display())),
        (None, None, [_, _, extra, ..]) => {
            usage_error(format!("extra operand '{}'", extra.display()))
        }
    }
}
