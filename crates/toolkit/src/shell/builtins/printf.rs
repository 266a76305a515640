//! `printf` (POSIX, XCU printf), with `-v`, `%q` and `%(FORMAT)T` of bash.

mod escapes;
mod quote;

use super::{Context, complain};
use crate::conversion::{Spec, read_binary};
use brush_core::{Error, ExecutionResult, expansion::assign_to_named_parameter};
use escapes::{Escaped, Inside};
use jiff::{Timestamp, fmt::strtime::BrokenDownTime, tz::TimeZone};
use std::{cell::RefCell, io::Write as _};

pub(super) fn printf(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let (variable, words) = match words {
        [option, name, rest @ ..] if option == "-v" => (Some(name.as_str()), rest),
        [option, rest @ ..] if option.starts_with("-v") => (option.get(2..), rest),
        words => (None, words),
    };
    let words = match words {
        [dashes, rest @ ..] if dashes == "--" => rest,
        [option, ..] if option.starts_with('-') && option.len() > 1 => {
            return Ok(complain(&context, format!("{option}: invalid option"), 2));
        }
        words => words,
    };
    let [format, args @ ..] = words else {
        return Ok(complain(&context, "usage: printf [-v var] format [arguments]", 2));
    };
    // As for a program that is started, a time zone counts when it is exported.
    let exported = context.shell.env_var("TZ").filter(|variable| variable.is_exported());
    let zone = zone(exported.map(|variable| variable.value().to_cow_str(context.shell)).as_deref());
    let mut printer = Printer { args: args.iter(), zone, out: Vec::new(), faults: Vec::new() };
    printer.all(format.as_bytes());
    let Printer { out, faults, .. } = printer;
    for fault in &faults {
        complain(&context, fault, 1);
    }
    let mut status = u8::from(faults.iter().any(|fault| !fault.starts_with(WARNING)));
    if let Some(name) = variable {
        let text = String::from_utf8_lossy(&out).into_owned();
        let params = context.params.clone();
        super::super::run_ready(assign_to_named_parameter(context.shell, &params, name, text))?;
        return Ok(ExecutionResult::new(status));
    }
    let mut stdout = context.stdout();
    if let Err(error) = stdout.write_all(&out).and_then(|()| stdout.flush()) {
        complain(&context, format!("write error: {}", crate::applet::reason(&error)), 1);
        status = 1;
    }
    Ok(ExecutionResult::new(status))
}

/// How a fault begins that does not count as one.
const WARNING: &str = "warning: ";

/// The arguments still to be printed, what was printed, and what was wrong.
struct Printer<'a> {
    args: std::slice::Iter<'a, String>,
    zone: TimeZone,
    out: Vec<u8>,
    faults: Vec<String>,
}

impl<'a> Printer<'a> {
    /// The format, again and again while there are arguments for it.
    fn all(&mut self, format: &[u8]) {
        loop {
            let before = self.args.len();
            if !self.once(format) || self.args.len() == before || self.args.len() == 0 {
                return;
            }
        }
    }

    /// The format once; whether to go on.
    fn once(&mut self, format: &[u8]) -> bool {
        let mut rest = format;
        while let [first, after @ ..] = rest {
            rest = match first {
                b'\\' => {
                    let (escaped, after) = escapes::one(after, Inside::Format);
                    if let Escaped::Bytes(bytes) = escaped {
                        self.out.extend(bytes);
                    }
                    after
                }
                b'%' => match self.conversion(after) {
                    Some(after) => after,
                    None => return false,
                },
                byte => {
                    self.out.push(*byte);
                    after
                }
            };
        }
        true
    }

    /// One conversion, from behind its `%`; what follows, or `None` when printing ends here.
    fn conversion<'f>(&mut self, text: &'f [u8]) -> Option<&'f [u8]> {
        let stars = RefCell::new(&mut *self);
        let star = || stars.borrow_mut().signed();
        let (spec, mut letter, mut rest) = Spec::parse(text, star);
        while let Some(b'l' | b'h' | b'L' | b'j' | b'z' | b't') = letter {
            (letter, rest) = rest.split_first().map_or((None, rest), |(l, rest)| (Some(*l), rest));
        }
        let printed = match letter {
            Some(b'%') if rest.len() + 1 == text.len() => b"%".to_vec(),
            Some(b's') => spec.text(self.next().as_bytes()),
            Some(b'c') => spec.padded(self.next().as_bytes().get(..1).unwrap_or(b"\0")),
            Some(b'b') => {
                let (bytes, stop) = escapes::all(self.next().as_bytes());
                self.out.extend(spec.text(&bytes));
                return (!stop).then_some(rest);
            }
            Some(b'q') => spec.text(quote::quote(self.next()).as_bytes()),
            Some(b'Q') => {
                let word = self.next();
                let cut = spec
                    .precision
                    .and_then(|p| word.char_indices().nth(p))
                    .map_or(word.len(), |(at, _)| at);
                spec.padded(quote::quote(word.get(..cut).unwrap_or(word)).as_bytes())
            }
            Some(b'd' | b'i') => {
                let number = self.signed();
                spec.decimal(number < 0, number.unsigned_abs().to_string())
            }
            Some(letter @ (b'u' | b'o' | b'x' | b'X')) => {
                let number = self.unsigned();
                spec.unsigned(letter, number)
            }
            Some(letter @ (b'a' | b'A' | b'e' | b'E' | b'f' | b'F' | b'g' | b'G')) => {
                let number = self.real();
                spec.real(letter, number)
            }
            Some(b'(') => {
                let end = rest.iter().position(|b| *b == b')');
                let (form, after) =
                    end.and_then(|end| rest.split_at_checked(end)).unwrap_or((rest, b""));
                let [b')', b'T', after @ ..] = after else {
                    return self.wrong_letter(after.get(1));
                };
                rest = after;
                spec.text(&self.time(form))
            }
            letter => return self.wrong_letter(letter.as_ref()),
        };
        self.out.extend(printed);
        Some(rest)
    }

    fn wrong_letter<'f>(&mut self, letter: Option<&u8>) -> Option<&'f [u8]> {
        self.faults.push(match letter {
            Some(letter) => format!("`{}': invalid format character", char::from(*letter)),
            None => "`%': missing format character".to_owned(),
        });
        None
    }

    fn next(&mut self) -> &'a str {
        self.args.next().map_or("", String::as_str)
    }

    /// The next argument as a number that `read` makes of text, with what it leaves.
    fn number<T: Default>(&mut self, read: impl FnOnce(&str) -> (Option<T>, &str)) -> T {
        let word = self.next();
        let text = word.trim_start();
        if let Some(character) = text.strip_prefix(['\'', '"']) {
            // Read as decimal digits, which every kind of number knows.
            let code = character.chars().next().map_or(0, u32::from).to_string();
            return read(&code).0.unwrap_or_default();
        }
        let (number, rest) = read(text);
        if !rest.trim_end().is_empty() || number.is_none() && !word.is_empty() {
            self.faults.push(format!("{word}: invalid number"));
        }
        number.unwrap_or_default()
    }

    fn signed(&mut self) -> i64 {
        let mut outside = None;
        let number = self.number(|text| {
            let (value, rest) = integer(text);
            let fitting = value.map(|v| v.clamp(i64::MIN.into(), i64::MAX.into()));
            outside = value.filter(|_| fitting != value).map(|_| text.to_owned());
            (fitting.and_then(|v| i64::try_from(v).ok()), rest)
        });
        self.warn(outside);
        number
    }

    fn unsigned(&mut self) -> u64 {
        let mut outside = None;
        let number = self.number(|text| {
            let (value, rest) = integer(text);
            // A negative number is what it is in two's complement.
            let fits = value.is_none_or(|v| v >= i64::MIN.into() && v <= u64::MAX.into());
            outside = (!fits).then(|| text.to_owned());
            let bits = value.map(|v| if v < 0 { v + (1 << 64) } else { v });
            (bits.map(|v| u64::try_from(v).unwrap_or(u64::MAX)), rest)
        });
        self.warn(outside);
        number
    }

    fn warn(&mut self, outside: Option<String>) {
        if let Some(text) = outside {
            self.faults.push(format!("{WARNING}{text}: Numerical result out of range"));
        }
    }

    fn real(&mut self) -> f64 {
        self.number(|text| {
            let size = text.strip_prefix(['+', '-']).unwrap_or(text);
            let hexadecimal = size.strip_prefix("0x").or_else(|| size.strip_prefix("0X"));
            if let Some((number, rest)) = hexadecimal.and_then(read_binary) {
                return (Some(if text.starts_with('-') { -number } else { number }), rest);
            }
            // The longest beginning that is a number.
            let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            for end in ends.take(64) {
                let (number, rest) = text.split_at(end);
                if let Ok(number) = number.parse() {
                    return (Some(number), rest);
                }
            }
            (None, text)
        })
    }

    /// `%(FORMAT)T`: the next argument in seconds since 1970; -1, -2 or none: now.
    fn time(&mut self, form: &[u8]) -> Vec<u8> {
        let missing = self.args.len() == 0;
        let seconds = self.signed();
        let time = if missing || seconds == -1 || seconds == -2 {
            Timestamp::now()
        } else {
            Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
        };
        let form = match form {
            b"" => "%X".to_owned(),
            form => String::from_utf8_lossy(form).into_owned(),
        };
        let zoned = time.to_zoned(self.zone.clone());
        BrokenDownTime::from(&zoned).to_string(&form).unwrap_or(form).into_bytes()
    }
}

/// The shell's time zone: a rule as POSIX writes it, a name that the machine knows, or the machine's own.
fn zone(name: Option<&str>) -> TimeZone {
    match name {
        None => TimeZone::system(),
        Some(name) => {
            TimeZone::posix(name).or_else(|_| TimeZone::get(name)).unwrap_or(TimeZone::UTC)
        }
    }
}

/// An integer as C reads it: sign, `0x` for hexadecimal, `0` for octal. What is too large is as large as can be.
fn integer(text: &str) -> (Option<i128>, &str) {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (radix, digits) = match hexadecimal {
        Some(digits) if digits.starts_with(|c: char| c.is_ascii_hexdigit()) => (16, digits),
        _ if digits.starts_with('0') => (8, digits),
        _ => (10, digits),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() {
        return (None, text);
    }
    let size = i128::from_str_radix(digits, radix).unwrap_or(i128::MAX / 2);
    (Some(if negative { -size } else { size }), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(format: &str, args: &[&str]) -> (Vec<u8>, Vec<String>) {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let zone = TimeZone::UTC;
        let mut printer = Printer { args: args.iter(), zone, out: Vec::new(), faults: Vec::new() };
        printer.all(format.as_bytes());
        (printer.out, printer.faults)
    }

    proptest! {
        #[test]
        fn any_format_is_taken(format in "[%0-9.*+#a-zA-Z()\\\\ -]{0,12}", args: Vec<String>) {
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            printed(&format, &args);
        }

        #[test]
        fn whole_numbers_come_back(number: i64) {
            let (out, faults) = printed("%d", &[&number.to_string()]);
            prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
            prop_assert!(faults.is_empty());
        }
    }
}
