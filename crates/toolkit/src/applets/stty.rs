//! `stty`: settings of a terminal line.

mod modes;
mod show;

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use modes::{CHARACTERS, MODES, PLACES, Sane, combination};
use rustix::{
    fs::{Mode, OFlags},
    io::{Errno, fcntl_dupfd_cloexec},
    termios::{
        ControlModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize,
        tcsetattr, tcsetwinsize,
    },
};
use std::{
    io::{self, Write as _},
    os::fd::OwnedFd,
};

pub(crate) static APPLET: Applet = Applet {
    name: "stty",
    summary: "Prints or changes the settings of a terminal.",
    usage: "[-F DEVICE] [-a | -g]\n[-F DEVICE] SETTING...",
    options: &[
        Opt { short: 'a', long: "all", value: "", help: "print all settings" },
        Opt { short: 'g', long: "save", value: "", help: "print them as one SETTING" },
        Opt {
            short: 'F',
            long: "file",
            value: "DEVICE",
            help: "this terminal; standard input if not given",
        },
    ],
    notes: "A SETTING is a mode as -a prints it, with - in front to turn it off; a control character\n\
            and its value (^C, 0x3, undef); min, time, line, rows, cols, ispeed, ospeed and a number;\n\
            a speed; what -g printed; size or speed, to print it; drain, -drain; or a name for several:\n\
            sane, raw, cooked, cbreak, crt, dec, ek, evenp, oddp, parity, pass8, litout, nl, lcase,\n\
            tabs, decctlq. Status 1 when one is not known or the terminal refuses it.",
    example: "stty -F /dev/ttyS0 115200 cs8 -cstopb -parenb",
    run,
};

/// A setting that cannot be: exit status 1, as scripts know it.
type Outcome<T> = Result<T, String>;

/// What is to be done to a terminal.
struct Change {
    device: OwnedFd,
    name: String,
    termios: Termios,
    is_changed: bool,
    when: OptionalActions,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let settings = args.words()?;
    let (all, save) = (args.has("all"), args.has("save"));
    if all && save {
        return usage_error(
            "the options for verbose and stty-readable output styles are mutually exclusive",
        );
    }
    if !settings.is_empty() && (all || save) {
        return usage_error("when specifying an output style, modes may not be set");
    }
    match act(args, &settings) {
        Ok(()) => Ok(0),
        Err(text) => {
            writeln!(io::stderr(), "stty: {text}")?;
            Ok(1)
        }
    }
}

fn act(args: &Args, settings: &[&str]) -> Outcome<()> {
    let (device, name) = open(args)?;
    let said = |error: Errno| format!("{name}: {}", reason(&error.into()));
    let termios = tcgetattr(&device).map_err(said)?;
    if settings.is_empty() {
        let size = tcgetwinsize(&device).ok();
        let text = if args.has("save") {
            show::save(&termios)
        } else if args.has("all") {
            show::all(&termios, size, show::width())
        } else {
            show::changed(&termios, show::width())
        };
        return print(&text);
    }
    let when = OptionalActions::Drain;
    // All must be known before any is changed.
    check(settings)?;
    let mut change = Change { device, name, termios, is_changed: false, when };
    apply(&mut change, settings)?;
    change.write()
}

fn print(text: &str) -> Outcome<()> {
    io::stdout().write_all(text.as_bytes()).map_err(|e| format!("write error: {}", reason(&e)))
}

fn open(args: &Args) -> Outcome<(OwnedFd, String)> {
    let Some(path) = args.value("file") else {
        let name = "'standard input'".to_owned();
        let device = fcntl_dupfd_cloexec(io::stdin(), 3);
        return Ok((device.map_err(|e| format!("{name}: {}", reason(&e.into())))?, name));
    };
    let name = path.to_string_lossy().into_owned();
    // A line without carrier would wait for it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let device = rustix::fs::open(path, flags, Mode::empty());
    Ok((device.map_err(|e| format!("{name}: {}", reason(&e.into())))?, name))
}

/// One setting with its value.
enum Setting {
    Mode(usize, bool),
    Several(&'static str),
    Sane,
    Character(SpecialCodeIndex, u8),
    Speed(u32),
    Line(u8),
    Rows(u16),
    Columns(u16),
    PrintSize,
    PrintSpeed,
    Drain(bool),
    Saved(Box<[u32; 36]>),
}

fn check(settings: &[&str]) -> Outcome<()> {
    let mut rest = settings.iter();
    while let Some(word) = rest.next() {
        parse(word, &mut rest)?;
    }
    Ok(())
}

fn apply(change: &mut Change, settings: &[&str]) -> Outcome<()> {
    let mut rest = settings.iter();
    while let Some(word) = rest.next() {
        let setting = parse(word, &mut rest)?;
        change.apply(&setting)?;
    }
    Ok(())
}

/// Takes the value of a setting from the words after it.
fn parse<'a>(word: &str, rest: &mut impl Iterator<Item = &'a &'a str>) -> Outcome<Setting> {
    let unknown = || format!("invalid argument '{word}'");
    let (name, off) = word.strip_prefix('-').map_or((word, false), |name| (name, true));
    if name == "drain" {
        return Ok(Setting::Drain(!off));
    }
    if let Some((at, mode)) = MODES.iter().enumerate().find(|(_, mode)| mode.name == name) {
        return if off && mode.mask != 0 { Err(unknown()) } else { Ok(Setting::Mode(at, !off)) };
    }
    if let Some(words) = combination(name, off) {
        return Ok(Setting::Several(words));
    }
    if off {
        return Err(unknown());
    }
    let mut value = || rest.next().copied().ok_or_else(|| format!("missing argument to '{word}'"));
    if let Some((_, place, _)) = CHARACTERS.iter().find(|(known, ..)| *known == name) {
        let value = value()?;
        let code =
            if matches!(name, "min" | "time") { integer(value, 255)? } else { character(value)? };
        return Ok(Setting::Character(*place, u8::try_from(code).unwrap_or(u8::MAX)));
    }
    let short = |value: &str| {
        Ok::<u16, String>(u16::try_from(integer(value, 0xffff_ffff)? & 0xffff).unwrap_or(0))
    };
    Ok(match name {
        "sane" => Setting::Sane,
        "ispeed" | "ospeed" => {
            let value = value()?;
            Setting::Speed(speed(value).ok_or_else(|| format!("invalid {name} '{value}'"))?)
        }
        "line" => Setting::Line(u8::try_from(integer(value()?, 255)?).unwrap_or(u8::MAX)),
        "rows" => Setting::Rows(short(value()?)?),
        "cols" | "columns" => Setting::Columns(short(value()?)?),
        "size" => Setting::PrintSize,
        "speed" => Setting::PrintSpeed,
        _ => match (saved(word), speed(word)) {
            (Some(saved), _) => Setting::Saved(saved),
            (None, Some(speed)) => Setting::Speed(speed),
            (None, None) => return Err(unknown()),
        },
    })
}

/// A number as in C: with 0x hexadecimal, with 0 octal.
fn integer(text: &str, most: u64) -> Outcome<u64> {
    let parsed = if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        u64::from_str_radix(digits, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        u64::from_str_radix(text, 8)
    } else {
        text.parse()
    };
    match parsed {
        Ok(number) if number <= most && !text.contains('+') => Ok(number),
        Ok(number) if number > most => {
            Err(format!("invalid integer argument: '{text}': Numerical result out of range"))
        }
        _ => Err(format!("invalid integer argument: '{text}'")),
    }
}

/// `^C`, `^?`, `undef`, a character by itself, or its number.
fn character(text: &str) -> Outcome<u64> {
    match text.as_bytes() {
        [] => Ok(0),
        [one] => Ok(u64::from(*one)),
        b"^-" | b"undef" => Ok(0),
        b"^?" => Ok(0x7f),
        [b'^', letter, ..] => Ok(u64::from(letter & 0x9f)),
        _ => integer(text, 255),
    }
}

/// The speeds that lines have, baud.
const SPEEDS: [u32; 31] = [
    0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600,
    115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000,
    2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000,
];

fn speed(text: &str) -> Option<u32> {
    match text {
        "134.5" => Some(134),
        "exta" => Some(19200),
        "extb" => Some(38400),
        _ => {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| is_number)?;
            SPEEDS.contains(&number).then_some(number)
        }
    }
}

/// What `-g` prints: four words and 32 characters, hexadecimal.
fn saved(text: &str) -> Option<Box<[u32; 36]>> {
    let digits = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_number.then(|| u32::from_str_radix(part, 16).ok()).flatten()
    };
    let numbers: Option<Vec<u32>> = text.split(':').map(digits).collect();
    let numbers: Box<[u32; 36]> = numbers?.into_boxed_slice().try_into().ok()?;
    numbers.iter().skip(4).all(|code| *code < 256).then_some(numbers)
}

impl Change {
    fn apply(&mut self, setting: &Setting) -> Outcome<()> {
        let termios = &mut self.termios;
        self.is_changed |= !matches!(
            setting,
            Setting::PrintSize
                | Setting::PrintSpeed
                | Setting::Rows(_)
                | Setting::Columns(_)
                | Setting::Drain(_)
        );
        match setting {
            Setting::Mode(at, on) => {
                if let Some(mode) = MODES.get(*at) {
                    mode.turn(termios, *on);
                }
            }
            Setting::Several(words) => {
                let words: Vec<&str> = words.split_whitespace().collect();
                apply(self, &words)?;
            }
            Setting::Sane => sane(termios),
            Setting::Character(place, code) => termios.special_codes[*place] = *code,
            Setting::Speed(speed) => set_speed(termios, *speed)?,
            Setting::Line(line) => termios.line_discipline = *line,
            Setting::Rows(rows) => self.resize(Some(*rows), None)?,
            Setting::Columns(columns) => self.resize(None, Some(*columns))?,
            Setting::PrintSize => {
                let size = tcgetwinsize(&self.device).map_err(|e| self.said(e))?;
                print(&format!("{} {}\n", size.ws_row, size.ws_col))?;
            }
            Setting::PrintSpeed => print(&format!("{}\n", show::speed(termios, false)))?,
            Setting::Drain(wait) => {
                self.when = if *wait { OptionalActions::Drain } else { OptionalActions::Now };
            }
            Setting::Saved(numbers) => recover(termios, numbers)?,
        }
        Ok(())
    }

    fn said(&self, error: Errno) -> String {
        format!("{}: {}", self.name, reason(&error.into()))
    }

    fn resize(&self, rows: Option<u16>, columns: Option<u16>) -> Outcome<()> {
        let mut size = tcgetwinsize(&self.device).map_err(|e| self.said(e))?;
        size.ws_row = rows.unwrap_or(size.ws_row);
        size.ws_col = columns.unwrap_or(size.ws_col);
        tcsetwinsize(&self.device, size).map_err(|e| self.said(e))
    }

    /// Writes the settings, and reads whether the terminal took them.
    fn write(self) -> Outcome<()> {
        if !self.is_changed {
            return Ok(());
        }
        tcsetattr(&self.device, self.when, &self.termios).map_err(|e| self.said(e))?;
        let now = tcgetattr(&self.device).map_err(|e| self.said(e))?;
        if show::save(&now) == show::save(&self.termios)
            && now.line_discipline == self.termios.line_discipline
        {
            return Ok(());
        }
        Err(format!("{}: unable to perform all requested operations", self.name))
    }
}

/// The modes and characters that a terminal has at the beginning, but neither size nor speed.
pub(crate) fn sane(termios: &mut Termios) {
    for mode in MODES {
        match mode.sane {
            Sane::On => mode.turn(termios, true),
            Sane::Off if mode.mask == 0 => mode.turn(termios, false),
            Sane::Off | Sane::AsItIs => {}
        }
    }
    for (_, place, code) in CHARACTERS {
        termios.special_codes[*place] = *code;
    }
}

fn set_speed(termios: &mut Termios, speed: u32) -> Outcome<()> {
    let refused = |error: Errno| reason(&error.into());
    termios.set_input_speed(speed).map_err(refused)?;
    termios.set_output_speed(speed).map_err(refused)?;
    // No speed of its own for input: the same.
    termios.control_modes -= ControlModes::from_bits_retain(show::INPUT_SPEED);
    Ok(())
}

fn recover(termios: &mut Termios, numbers: &[u32; 36]) -> Outcome<()> {
    let [input, output, control, local, codes @ ..] = numbers;
    modes::Field::Input.set(termios, *input);
    modes::Field::Output.set(termios, *output);
    modes::Field::Control.set(termios, *control);
    modes::Field::Local.set(termios, *local);
    for (place, code) in PLACES.iter().zip(codes) {
        termios.special_codes[*place] = u8::try_from(*code).unwrap_or(0);
    }
    match show::encoded_speed(*control) {
        Some(speed) => set_speed(termios, speed),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_in_c() {
        assert_eq!(integer("0x1f", 255), Ok(31));
        assert_eq!(integer("017", 255), Ok(15));
        assert!(integer("256", 255).is_err());
        assert!(integer("-1", 255).is_err());
        assert_eq!(character("^c"), Ok(3));
        assert_eq!(character("^?"), Ok(127));
        assert_eq!(character("undef"), Ok(0));
        assert_eq!(character("x"), Ok(120));
        assert_eq!(speed("115200"), Some(115_200));
        assert_eq!(speed("115201"), None);
        assert!(saved("1:2:3").is_none());
    }

    #[test]
    fn names_for_several_are_made_of_settings() {
        for name in ["evenp", "oddp", "nl", "ek", "raw", "cooked", "crt", "dec", "lcase", "tabs"] {
            for words in [combination(name, false), combination(name, true)].into_iter().flatten() {
                let words: Vec<&str> = words.split_whitespace().collect();
                assert_eq!(check(&words), Ok(()), "{name}");
            }
        }
    }
}
