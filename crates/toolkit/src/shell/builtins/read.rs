//! `read`: a line, or a part of one, into variables.

mod fields;
mod input;

use super::{super::line, Context, complain};
use brush_core::{
    Error, ExecutionResult,
    env::{EnvironmentLookup, EnvironmentScope},
    expansion::assign_to_named_parameter,
    openfiles::OpenFile,
    variables::{ArrayLiteral, ShellValueLiteral},
};
use fields::{Text, split};
use input::{End, Input, Until};
use std::{io::Write as _, time::Duration};

/// The status of a read that took too long: as if by `SIGALRM`.
const TOO_LATE: u8 = 142;

/// Its command line.
#[derive(Debug)]
struct Wanted<'a> {
    raw: bool,
    silent: bool,
    edited: bool,
    array: Option<&'a str>,
    prompt: Option<&'a str>,
    until: Until,
    timeout: Option<Duration>,
    file: i32,
    names: &'a [String],
}

impl<'a> Wanted<'a> {
    fn parse(words: &'a [String]) -> Result<Self, String> {
        let mut wanted = Self {
            raw: false,
            silent: false,
            edited: false,
            array: None,
            prompt: None,
            until: Until { delimiter: Some(b'\n'), characters: None },
            timeout: None,
            file: 0,
            names: &[],
        };
        let mut rest = words;
        while let [first, after @ ..] = rest {
            if first == "--" {
                rest = after;
                break;
            }
            let Some(letters) = first.strip_prefix('-').filter(|letters| !letters.is_empty())
            else {
                break;
            };
            rest = wanted.letters(letters, after)?;
        }
        wanted.names = rest;
        Ok(wanted)
    }

    /// Takes a group of letters; the value of the last may be the next word. Returns what follows.
    fn letters(&mut self, letters: &'a str, after: &'a [String]) -> Result<&'a [String], String> {
        for (place, letter) in letters.char_indices() {
            match letter {
                'r' => self.raw = true,
                's' => self.silent = true,
                'e' => self.edited = true,
                'a' | 'd' | 'i' | 'n' | 'N' | 'p' | 't' | 'u' => {
                    let attached = letters.get(place + 1..).filter(|text| !text.is_empty());
                    let (value, after) = match (attached, after) {
                        (Some(value), after) => (value, after),
                        (None, [value, after @ ..]) => (value.as_str(), after),
                        (None, []) => {
                            return Err(format!("-{letter}: option requires an argument"));
                        }
                    };
                    self.value(letter, value)?;
                    return Ok(after);
                }
                _ => return Err(format!("-{letter}: invalid option")),
            }
        }
        Ok(after)
    }

    fn value(&mut self, letter: char, value: &'a str) -> Result<(), String> {
        let number = || value.parse().map_err(|_| format!("{value}: invalid number"));
        match letter {
            'a' => self.array = Some(value),
            'd' => self.until.delimiter = Some(value.bytes().next().unwrap_or(0)),
            'n' => self.until.characters = Some(number()?),
            'N' => self.until = Until { delimiter: None, characters: Some(number()?) },
            'p' => self.prompt = Some(value),
            't' => {
                let seconds: Option<f64> = value.parse().ok().filter(|s: &f64| *s >= 0.0);
                let timeout = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
                let wrong = || format!("{value}: invalid timeout specification");
                self.timeout = Some(timeout.ok_or_else(wrong)?);
            }
            'u' => {
                let wrong = |_| format!("{value}: invalid file descriptor specification");
                self.file = value.parse().map_err(wrong)?;
            }
            // What stands in the line first is for those who edit it.
            _ => {}
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The array that an element belongs to; any other name is its own.
fn array_of(name: &str) -> &str {
    match name.split_once('[') {
        Some((array, subscript)) if subscript.ends_with(']') => array,
        _ => name,
    }
}

pub(super) fn read(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let wanted = match Wanted::parse(words) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(complain(&context, error, 2)),
    };
    let names = wanted.names.iter().map(String::as_str).chain(wanted.array);
    if let Some(wrong) = names.into_iter().find(|name| !is_name(array_of(name))) {
        return Ok(complain(&context, format!("`{wrong}': not a valid identifier"), 1));
    }
    let Some(file) = context.try_fd(wanted.file) else {
        let what = format!("{}: invalid file descriptor: Bad file descriptor", wanted.file);
        return Ok(complain(&context, what, 1));
    };
    let (text, status) = match take(&context, &wanted, &file) {
        Ok(taken) => taken,
        Err(error) => {
            return Ok(complain(&context, format!("{}: read error: {error}", wanted.file), 1));
        }
    };
    if wanted.timeout != Some(Duration::ZERO) {
        assign(context, &wanted, &text)?;
    }
    Ok(ExecutionResult::new(status))
}

/// Reads; the status says whether all that was asked for came.
fn take(
    context: &Context<'_>,
    wanted: &Wanted<'_>,
    file: &OpenFile,
) -> std::io::Result<(Text, u8)> {
    let terminal = file.is_terminal();
    let prompt = wanted.prompt.filter(|_| terminal).unwrap_or_default();
    if wanted.edited && terminal && wanted.file == 0 {
        return Ok(match line::edit(prompt, &[], |_, _| Default::default())? {
            line::Line::Typed(typed) => (Text::plain(&typed), 0),
            line::Line::Interrupted => (Text::default(), 130),
            line::Line::End => (Text::default(), 1),
        });
    }
    let mut stderr = context.stderr();
    stderr.write_all(prompt.as_bytes())?;
    stderr.flush()?;
    let fd = file.try_borrow_as_fd().map_err(|error| std::io::Error::other(error.to_string()))?;
    let mut input = Input::new(fd, wanted.timeout);
    if wanted.timeout == Some(Duration::ZERO) {
        return Ok((Text::default(), u8::from(!input.is_ready()?)));
    }
    let lines = wanted.until == Until { delimiter: Some(b'\n'), characters: None };
    let _mode = terminal.then(|| input::Mode::set(fd, wanted.silent, !lines)).transpose()?;
    let (text, end) = input.read(wanted.until, wanted.raw)?;
    let status = match end {
        End::Found => 0,
        End::OfInput => 1,
        End::OfTime => TOO_LATE,
        End::BySignal(number) => u8::try_from(128 + number).unwrap_or(u8::MAX),
    };
    Ok((text, status))
}

fn assign(context: Context<'_>, wanted: &Wanted<'_>, text: &Text) -> Result<(), Error> {
    let ifs = context.shell.ifs().into_owned();
    let whole = wanted.until.delimiter.is_none();
    let exports = context.shell.options().export_variables_on_modification;
    let params = &context.params;
    let shell = context.shell;
    let mut set = |name: &str, value: ShellValueLiteral| {
        if let (true, ShellValueLiteral::Scalar(text)) = (name.contains('['), &value) {
            let element = assign_to_named_parameter(shell, params, name, text.clone());
            return super::super::run_ready(element);
        }
        shell.env_mut().update_or_add(
            name,
            value,
            |variable| {
                if exports {
                    variable.export();
                }
                Ok(())
            },
            EnvironmentLookup::Anywhere,
            EnvironmentScope::Global,
        )
    };
    if let Some(name) = wanted.array {
        let fields = if whole { vec![text.to_string()] } else { split(text, &ifs, None) };
        let elements = fields.into_iter().map(|field| (None, field)).collect();
        return set(name, ShellValueLiteral::Array(ArrayLiteral(elements)));
    }
    if wanted.names.is_empty() {
        return set("REPLY", ShellValueLiteral::Scalar(text.to_string()));
    }
    let fields =
        if whole { vec![text.to_string()] } else { split(text, &ifs, Some(wanted.names.len())) };
    let fields = fields.into_iter().chain(std::iter::repeat(String::new()));
    for (name, field) in wanted.names.iter().zip(fields) {
        set(name, ShellValueLiteral::Scalar(field))?;
    }
    Ok(())
}
