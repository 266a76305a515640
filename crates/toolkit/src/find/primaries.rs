//! The words of an expression: options, tests and actions, each with its argument.

use super::{
    criteria::{Criterion, Pattern, Time, reference_time},
    exec::{Batch, Exec},
    expression::{Action, Expr},
    numbers::Compare,
    outputs::Output,
    parse::{Parser, Wrong, wrong},
    perm::Permissions,
    printf::Format,
    walk::{Links, reference},
};
use crate::{
    dates,
    matcher::{Kind, Matcher},
    names,
};
use rustix::fs::{Access, FileType};
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

/// How `-regex` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RegexType {
    #[default]
    Emacs,
    Basic,
    Extended,
}

/// The present moment, seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64())
}

/// One word that begins with a dash, and what belongs to it.
pub(crate) fn read(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Expr> {
    if let Some(expression) = option(parser, word)? {
        return Ok(expression);
    }
    if let Some(action) = action(parser, word)? {
        return Ok(Expr::Do(action));
    }
    Ok(Expr::Is(criterion(parser, word)?))
}

/// What holds for the whole search, and always.
fn option(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Option<Expr>> {
    match word {
        "-depth" | "-d" => (parser.plan.inner_first, parser.says_depth) = (true, true),
        "-maxdepth" => parser.plan.most = depth(parser, word)?,
        "-mindepth" => parser.plan.least = depth(parser, word)?,
        "-mount" | "-xdev" => parser.plan.one_file_system = true,
        "-follow" => parser.plan.links = Links::All,
        "-ignore_readdir_race" => parser.plan.races = true,
        "-noignore_readdir_race" => parser.plan.races = false,
        // Nothing is guessed from a folder's links, and nothing is warned of.
        "-noleaf" | "-warn" | "-nowarn" => {}
        "-daystart" => {
            // The end of today.
            #[expect(clippy::cast_possible_truncation, reason = "seconds of any clock fit")]
            let seconds = parser.now as i64;
            let today = (seconds + dates::offset(seconds)).rem_euclid(86400);
            #[expect(clippy::cast_precision_loss, reason = "seconds of any clock fit")]
            let end = (seconds - today + 86400) as f64;
            parser.now = end;
        }
        "-regextype" => {
            let name = argument(parser, word)?;
            parser.regex = match name.to_str().unwrap_or_default() {
                "findutils-default" | "emacs" => RegexType::Emacs,
                "ed" | "sed" | "grep" | "posix-basic" | "posix-minimal-basic" => RegexType::Basic,
                "egrep" | "posix-egrep" | "posix-extended" | "awk" | "gnu-awk" | "posix-awk" => {
                    RegexType::Extended
                }
                name => wrong(format!(
                    "Unknown regular expression type '{name}'; valid types are 'findutils-default', 'ed', 'emacs', \
                     'gnu-awk', 'grep', 'posix-awk', 'awk', 'posix-basic', 'posix-egrep', 'egrep', 'posix-extended', \
                     'posix-minimal-basic', 'sed'."
                ))?,
            };
        }
        "-files0-from" => parser.roots_from = Some(argument(parser, word)?.clone()),
        _ => return Ok(None),
    }
    Ok(Some(Expr::Is(Criterion::Always(true))))
}

fn action(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Option<Action>> {
    let standard = Output::STANDARD;
    Ok(Some(match word {
        "-print" => Action::Print(standard, b'\n'),
        "-print0" => Action::Print(standard, 0),
        "-fprint" => Action::Print(file(parser, word)?, b'\n'),
        "-fprint0" => Action::Print(file(parser, word)?, 0),
        "-ls" => Action::Ls(standard),
        "-fls" => Action::Ls(file(parser, word)?),
        "-printf" => Action::Printf(standard, format(parser, word)?),
        "-fprintf" => {
            let output = file(parser, word)?;
            Action::Printf(output, format(parser, word)?)
        }
        "-delete" => {
            (parser.plan.inner_first, parser.deletes) = (true, true);
            Action::Delete
        }
        "-exec" | "-execdir" | "-ok" | "-okdir" => Action::Exec(exec(parser, word)?),
        "-prune" => Action::Prune,
        "-quit" => Action::Quit,
        _ => return Ok(None),
    }))
}

fn criterion(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Criterion> {
    Ok(match word {
        "-true" => Criterion::Always(true),
        "-false" => Criterion::Always(false),
        "-name" | "-iname" => Criterion::Name(pattern(parser, word)?),
        "-path" | "-ipath" | "-wholename" | "-iwholename" => {
            Criterion::Path(pattern(parser, word)?)
        }
        "-lname" | "-ilname" => Criterion::Link(pattern(parser, word)?),
        "-regex" | "-iregex" => Criterion::Regex(regex(parser, word)?),
        "-type" => Criterion::Kind(kinds(parser, word)?),
        "-xtype" => Criterion::OtherKind(kinds(parser, word)?),
        "-empty" => Criterion::Empty,
        "-size" => size(parser, word)?,
        "-perm" => {
            let text = argument(parser, word)?.to_string_lossy();
            match Permissions::parse(&text) {
                Some(permissions) => Criterion::Permissions(permissions),
                None => wrong(format!("invalid mode '{text}'"))?,
            }
        }
        "-readable" => Criterion::Access(Access::READ_OK),
        "-writable" => Criterion::Access(Access::WRITE_OK),
        "-executable" => Criterion::Access(Access::EXEC_OK),
        "-links" => Criterion::Links(compare(parser, word)?),
        "-inum" => Criterion::Inode(compare(parser, word)?),
        "-uid" => Criterion::User(compare(parser, word)?),
        "-gid" => Criterion::Group(compare(parser, word)?),
        "-user" => Criterion::User(owner(parser, word, names::uid)?),
        "-group" => Criterion::Group(owner(parser, word, names::gid)?),
        "-nouser" => Criterion::NoUser,
        "-nogroup" => Criterion::NoGroup,
        "-amin" => Criterion::Minutes(Time::Access, compare(parser, word)?, parser.now),
        "-cmin" => Criterion::Minutes(Time::Change, compare(parser, word)?, parser.now),
        "-mmin" => Criterion::Minutes(Time::Modification, compare(parser, word)?, parser.now),
        "-atime" => Criterion::Days(Time::Access, compare(parser, word)?, parser.now),
        "-ctime" => Criterion::Days(Time::Change, compare(parser, word)?, parser.now),
        "-mtime" => Criterion::Days(Time::Modification, compare(parser, word)?, parser.now),
        "-used" => Criterion::Used(compare(parser, word)?),
        "-newer" => newer(parser, word, "mm")?,
        "-anewer" => newer(parser, word, "am")?,
        "-cnewer" => newer(parser, word, "cm")?,
        "-samefile" => {
            let path = argument(parser, word)?;
            let stat = reference(path, parser.plan.links);
            let stat = stat.map_err(|error| unreadable(path, error))?;
            Criterion::Same(stat.st_dev, stat.st_ino)
        }
        "-fstype" => Criterion::FileSystem(argument(parser, word)?.to_string_lossy().into_owned()),
        "-context" => wrong("-context: the kernel has no SELinux")?,
        _ => match word.strip_prefix("-newer") {
            Some(times) if times.len() == 2 => newer(parser, word, times)?,
            _ => wrong(format!("unknown predicate '{word}'"))?,
        },
    })
}

fn argument<'a>(parser: &mut Parser<'a>, word: &str) -> Result<&'a OsString, Wrong> {
    parser.next().ok_or_else(|| Wrong(format!("missing argument to '{word}'")))
}

fn depth(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<u64> {
    let text = argument(parser, word)?.to_string_lossy();
    match text.parse() {
        Ok(depth) if text.starts_with(|c: char| c.is_ascii_digit()) => Ok(depth),
        _ => wrong(format!(
            "Expected a positive decimal integer argument to {word}, but got '{text}'"
        ))?,
    }
}

fn compare<T: FromStr>(parser: &mut Parser<'_>, word: &str) -> Result<Compare<T>, Wrong> {
    let text = argument(parser, word)?.to_string_lossy();
    Compare::parse(&text).ok_or_else(|| Wrong(format!("invalid argument '{text}' to '{word}'")))
}

fn file(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Output> {
    let path = argument(parser, word)?;
    parser.outputs.open(path)
}

fn format(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Format> {
    let text = argument(parser, word)?;
    Format::parse(text.as_bytes()).map_err(|text| Wrong(text).into())
}

fn pattern(parser: &mut Parser<'_>, word: &str) -> Result<Pattern, Wrong> {
    let fold = word.starts_with("-i");
    Ok(Pattern::new(argument(parser, word)?.as_bytes(), fold))
}

fn regex(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Matcher> {
    let text = argument(parser, word)?.as_bytes();
    let (text, kind) = match parser.regex {
        RegexType::Emacs => (from_emacs(text), Kind::Basic),
        RegexType::Basic => (text.to_vec(), Kind::Basic),
        RegexType::Extended => (text.to_vec(), Kind::Extended),
    };
    if let Some(fault) = crate::matcher::refusal(&text, kind) {
        wrong(format!("failed to compile regular expression: {fault}"))?;
    }
    Matcher::new(&[text], kind, word == "-iregex", false, true)
}

/// Emacs' expressions are basic ones but for `+` and `?`, which mean what they mean without a backslash, and intervals,
/// which there are none.
fn from_emacs(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut bytes, mut bracket) = (text.iter().copied().peekable(), false);
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if !bracket => match bytes.next() {
                Some(plain @ (b'+' | b'?' | b'{' | b'}')) => out.push(plain),
                Some(other) => out.extend([b'\\', other]),
                None => out.push(b'\\'),
            },
            b'+' | b'?' if !bracket && !out.is_empty() => out.extend([b'\\', byte]),
            b'[' if !bracket => {
                bracket = true;
                out.push(byte);
                // A bracket that closes at once is one of the set.
                out.extend(bytes.next_if_eq(&b'^'));
                out.extend(bytes.next_if_eq(&b']'));
            }
            _ => {
                bracket &= byte != b']';
                out.push(byte);
            }
        }
    }
    out
}

fn kinds(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Vec<FileType>> {
    let text = argument(parser, word)?.to_string_lossy();
    let mut kinds = Vec::new();
    for letter in text.split(',') {
        let kind = match letter {
            "f" => FileType::RegularFile,
            "d" => FileType::Directory,
            "l" => FileType::Symlink,
            "p" => FileType::Fifo,
            "s" => FileType::Socket,
            "c" => FileType::CharacterDevice,
            "b" => FileType::BlockDevice,
            "" => wrong(format!(
                "Last file type in list argument to {word} is missing, i.e., list is ending on: ','"
            ))?,
            other if other.len() > 1 => {
                wrong(format!("Must separate multiple arguments to {word} using: ','"))?
            }
            other => wrong(format!("Unknown argument to {word}: {other}"))?,
        };
        if kinds.contains(&kind) {
            wrong(format!("Duplicate file type '{letter}' in the argument list to {word}"))?;
        }
        kinds.push(kind);
    }
    Ok(kinds)
}

fn size(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Criterion> {
    let text = argument(parser, word)?.to_string_lossy();
    let (number, unit) = match text.as_bytes() {
        [.., letter @ (b'c' | b'w' | b'b' | b'k' | b'M' | b'G')] => {
            let unit = match letter {
                b'c' => 1,
                b'w' => 2,
                b'b' => 512,
                b'k' => 1 << 10,
                b'M' => 1 << 20,
                _ => 1 << 30,
            };
            (text.get(..text.len() - 1).unwrap_or_default(), unit)
        }
        _ => (text.as_ref(), 512),
    };
    match Compare::parse(number) {
        Some(number) => Ok(Criterion::Size(number, unit)),
        None if !text.ends_with(|c: char| c.is_ascii_digit() || "cwbkMG".contains(c)) => {
            wrong(format!("invalid {word} type '{}'", text.chars().last().unwrap_or(' ')))?
        }
        None => wrong(format!("Invalid argument '{text}' to {word}"))?,
    }
}

fn owner(
    parser: &mut Parser<'_>,
    word: &str,
    number: fn(&str) -> Option<u32>,
) -> anyhow::Result<Compare<u64>> {
    let text = argument(parser, word)?.to_string_lossy();
    let known = number(&text).or_else(|| text.parse().ok());
    match known {
        Some(id) => Ok(Compare { order: std::cmp::Ordering::Equal, number: id.into() }),
        None if text.is_empty() => wrong(format!("The argument to {word} should not be empty"))?,
        None if word == "-user" => wrong(format!("'{text}' is not the name of a known user"))?,
        None => wrong(format!("'{text}' is not the name of an existing group"))?,
    }
}

/// `-newerXY`: the file's time X is later than time Y of what is named, or than a date for `t`.
fn newer(parser: &mut Parser<'_>, word: &str, times: &str) -> anyhow::Result<Criterion> {
    let unknown = || Wrong(format!("invalid predicate '{word}'"));
    let letter = |letter: u8| match letter {
        b'a' => Ok(Time::Access),
        b'B' => Ok(Time::Birth),
        b'c' => Ok(Time::Change),
        b'm' => Ok(Time::Modification),
        _ => Err(unknown()),
    };
    let [of, than] = times.as_bytes() else { return Err(unknown().into()) };
    let of = letter(*of)?;
    if *than == b't' {
        let text = argument(parser, word)?.to_string_lossy();
        return match date(&text) {
            Some(moment) => Ok(Criterion::Newer(of, moment)),
            None => {
                wrong(format!("I cannot figure out how to interpret '{text}' as a date or time"))?
            }
        };
    }
    let than = letter(*than)?;
    let path = argument(parser, word)?;
    let time = reference_time(path, than, parser.plan.links);
    Ok(Criterion::Newer(of, time.map_err(|error| unreadable(path, error))?))
}

fn date(text: &str) -> Option<(i64, u32)> {
    let moment = parse_datetime::parse_datetime(text).ok()?.into_zoned()?.timestamp();
    Some((moment.as_second(), u32::try_from(moment.subsec_nanosecond()).unwrap_or(0)))
}

fn unreadable(path: &OsStr, error: rustix::io::Errno) -> anyhow::Error {
    let why = crate::applet::reason(&error.into());
    anyhow::anyhow!("{}: {why}", super::messages::quoted(path.as_bytes()))
}

/// The command up to its `;`, or up to `{} +`.
fn exec(parser: &mut Parser<'_>, word: &str) -> anyhow::Result<Exec> {
    let mut words: Vec<OsString> = Vec::new();
    let (in_folder, asks) = (word.ends_with("dir"), word.starts_with("-ok"));
    if in_folder {
        safe_path(word)?;
    }
    let batch = loop {
        let Some(next) = parser.next() else { wrong(format!("missing argument to '{word}'"))? };
        if next == ";" {
            break None;
        }
        if next == "+" && !asks && words.last().is_some_and(|last| last == "{}") {
            words.pop();
            break Some(Batch::default().into());
        }
        words.push(next.clone());
    };
    if words.is_empty() {
        wrong(format!("missing argument to '{word}'"))?;
    }
    let several = words.iter().any(|word| word.as_bytes().windows(2).any(|pair| pair == b"{}"));
    if batch.is_some() && several {
        wrong(format!("Only one instance of {{}} is supported with {word} ... +"))?;
    }
    Ok(Exec { words, in_folder, asks, batch })
}

/// A command that is found in the folder of the moment may be anybody's.
fn safe_path(word: &str) -> anyhow::Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for folder in path.as_bytes().split(|byte| *byte == b':') {
        let shown = String::from_utf8_lossy(folder);
        if folder.is_empty() || folder == b"." {
            wrong(format!(
                "The current directory is included in the PATH environment variable, which is insecure in \
                 combination with the {word} action of find. Please remove the current directory from your $PATH \
                 (that is, remove \".\", doubled colons, or leading or trailing colons)"
            ))?;
        } else if !folder.starts_with(b"/") {
            wrong(format!(
                "The relative path '{shown}' is included in the PATH environment variable, which is insecure in \
                 combination with the {word} action of find. Please remove that entry from $PATH"
            ))?;
        }
    }
    Ok(())
}
